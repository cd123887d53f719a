//! A folder, a configuration and daemons that end with the test.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_conntrackd");

/// What a daemon makes and removes.
const FILES: [&str; 2] = ["lock", "ctl"];

/// Says why the test that calls this does not run; to be called once in a test.
pub(crate) fn skipped(reason: &str) {
    let line = format!("\nSKIPPED: {reason}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Whether all of these programs can be run, after saying which cannot.
pub(crate) fn has_programs(programs: &[&str]) -> bool {
    let is_missing = |name: &&&str| Command::new(name).arg("--version").output().is_err();
    let missing = programs.iter().find(is_missing);
    if let Some(missing) = missing {
        skipped(&format!("{missing} is not installed"));
    }
    missing.is_none()
}

/// The place of a test.
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
}

impl Stage {
    /// An empty folder, and a fresh network namespace for this thread and its children. `None` after saying why not.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            skipped("a daemon in a network namespace of its own needs root");
            return None;
        }
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let folder = std::env::temp_dir().join(format!("service-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Some(Self { folder })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes a configuration. `@` is the folder.
    pub(crate) fn configure(&self, section: &str, general: &str) {
        let text = format!(
            "{section}\nGeneral {{\nLogFile @/log\nLockFile @/lock\nUNIX {{ Path @/ctl }}\n{general}\n}}\n"
        );
        let folder = self.folder.to_str().unwrap();
        fs::write(self.path("conf"), text.replace('@', folder)).unwrap();
    }

    /// The program with the configuration, behind the words of another one that runs it.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, before: &[S], words: &[&str]) -> Command {
        let mut all = before.iter().map(AsRef::as_ref).chain([PROGRAM.as_ref()]);
        let mut command = Command::new(all.next().unwrap());
        command.args(all).arg("-C").arg(self.path("conf")).args(words);
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    /// What a command of the client, or a daemon that does not start, leaves behind.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command::<&str>(&[], words).output().unwrap()
    }

    /// A daemon in the foreground that has started.
    pub(crate) fn console(&self) -> Console {
        Console::start(&mut self.command::<&str>(&[], &[])).unwrap()
    }

    /// A daemon in the background that has started.
    pub(crate) fn background(&self) -> Background {
        Background::start(&mut self.command::<&str>(&[], &["-d"]), &self.path("lock")).unwrap()
    }

    /// Files of a daemon that are there.
    pub(crate) fn left(&self) -> Vec<&str> {
        FILES.into_iter().filter(|name| self.path(name).symlink_metadata().is_ok()).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Of a test that failed: what runs in the background with a configuration of this folder.
        if let Ok(pid) = self.text("lock").trim().parse()
            && let Ok(words) = fs::read(format!("/proc/{pid}/cmdline"))
            && words.starts_with(PROGRAM.as_bytes())
            && String::from_utf8_lossy(&words).contains(&*self.folder.to_string_lossy())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A daemon in the foreground.
pub(crate) struct Console {
    child: Child,
    /// Kept open: the daemon writes to it.
    stdout: BufReader<ChildStdout>,
}

impl Console {
    /// Waits until it says that it has started. What it said on standard error if it does not.
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut daemon = Self { child, stdout };
        let mut line = String::new();
        while !line.ends_with("[notice] -- starting in console mode --\n") {
            line.clear();
            if daemon.stdout.read_line(&mut line).unwrap() == 0 {
                let (exit, said) = daemon.wait();
                assert_eq!(exit, Some(1));
                return Err(said);
            }
        }
        Ok(daemon)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Its exit code and what it said on standard error.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        self.wait()
    }

    /// The same when it ends for another reason.
    pub(crate) fn wait(&mut self) -> (Option<i32>, String) {
        let exit = self.child.wait().unwrap().code();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (exit, said)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon in the background.
pub(crate) struct Background {
    pub(crate) pid: Pid,
    /// Number of the process that was started first, which has ended.
    pub(crate) parent: Pid,
    /// What the parent said on standard error.
    pub(crate) said: String,
}

impl Background {
    /// Waits until the parent has ended. What it said on standard error if it failed.
    pub(crate) fn start(command: &mut Command, lock: &Path) -> Result<Self, String> {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let parent = Pid::from_raw(child.id().try_into().unwrap());
        // The streams of the child in the background lead elsewhere, so these end.
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1));
            return Err(said);
        }
        assert_eq!(output.stdout, b"");
        let written = || fs::read_to_string(lock).unwrap().trim().parse().map(Pid::from_raw);
        // It begins when the parent has ended, and first writes its number.
        let is_it = |pid: &Pid| *pid != parent;
        let pid = until(|| written().ok().filter(is_it));
        Ok(Self { pid, parent, said })
    }

    /// Waits until the process is gone.
    pub(crate) fn end(self, signal: Signal) {
        kill(self.pid, signal).unwrap();
        self.wait();
    }

    /// The same when it ends for another reason.
    pub(crate) fn wait(&self) {
        let path = format!("/proc/{}/cmdline", self.pid);
        // An orphan that nobody has waited for yet has no words any more.
        until(|| fs::read(&path).unwrap_or_default().is_empty().then_some(()));
    }
}

/// Looks until something is there.
///
/// # Panics
///
/// If it is not within ten seconds.
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain");
}

/// The policy of a process and its real-time priority: fields 41 and 40 of proc(5)'s `stat`.
pub(crate) fn scheduling(pid: Pid) -> (u32, u32) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The second field, in brackets, can contain blanks.
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let field = |number: usize| rest.split(' ').nth(number - 3).unwrap().parse().unwrap();
    (field(41), field(40))
}
