//! The log with real files, in made-up time.

use std::ffi::OsString;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};

use flow::text::CivilTime;
use sys::console::Console as Way;

use ctsync::time::Duration;

use super::*;
use crate::control::Request;
use crate::control::client::AskError;
use crate::surroundings::{StandardStream, Surroundings};

const NOW: Instant = Instant(3_000_000_000);
const STAMP: &str = "[Sun Nov 22 10:55:40 2026] (pid=7) ";

/// A system with a clock alone.
struct Clock;

impl System for Clock {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_interface(&self, _: &str) -> bool {
        false
    }

    fn ask(&self, _: &Path, _: Request, _: &mut dyn Write) -> Result<(), AskError> {
        Err(AskError::Daemon(io::ErrorKind::NotFound.into()))
    }

    fn now_s(&self) -> u64 {
        1_795_344_940
    }

    fn civil_time(&self, _: u64) -> CivilTime {
        CivilTime { year: 2026, month: 11, day: 22, hour: 10, minute: 55, second: 40, weekday: 0 }
    }

    fn pid(&self) -> u32 {
        7
    }
}

/// A system whose streams are pipes.
struct Piped {
    output: PipeWriter,
    error: PipeWriter,
}

impl System for Piped {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Clock.read(path)
    }

    fn has_interface(&self, name: &str) -> bool {
        Clock.has_interface(name)
    }

    fn ask(&self, path: &Path, request: Request, out: &mut dyn Write) -> Result<(), AskError> {
        Clock.ask(path, request, out)
    }

    fn now_s(&self) -> u64 {
        Clock.now_s()
    }

    fn civil_time(&self, second: u64) -> CivilTime {
        Clock.civil_time(second)
    }

    fn pid(&self) -> u32 {
        Clock.pid()
    }

    fn console(&self, stream: StandardStream) -> Option<Way> {
        let pipe = match stream {
            StandardStream::Output => &self.output,
            StandardStream::Error => &self.error,
        };
        Some(Way::open(pipe).unwrap())
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("log-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("log")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a log printed on the two streams, without the time.
fn printed(config: &config::Log, console: Console, act: impl FnOnce(&mut Log)) -> [String; 2] {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut surroundings = Surroundings {
        args: Vec::<OsString>::new(),
        stdout: &mut stdout,
        stdout_is_terminal: false,
        stderr: &mut stderr,
        system: &Clock,
    };
    let mut report = Report::new(&mut surroundings);
    act(&mut Log::open(&mut report, config, console).unwrap());
    [stdout, stderr].map(|text| String::from_utf8(text).unwrap().replace(STAMP, ""))
}

fn to_file(path: PathBuf) -> config::Log {
    config::Log { file: Some(path), syslog: None }
}

fn all_severities(log: &mut Log) {
    for (severity, text) in [
        (Severity::Info, "one"),
        (Severity::Notice, "two"),
        (Severity::Warning, "three"),
        (Severity::Error, "four\x1b[1m\nforged\n"),
    ] {
        log.line(NOW, severity, text);
    }
}

const OUT: &str = "[info] one\n[notice] two\n";
const ERR: &str = "[warning] three\n[ERROR] four\\u{1b}[1m\\nforged\n";

#[test]
fn in_the_foreground_all_is_shown_and_the_file_has_it_too() {
    let folder = Folder::new("all");
    let streams = printed(&to_file(folder.file()), Console::Foreground, all_severities);
    assert_eq!(streams, [OUT, ERR]);
    assert!(folder.text().starts_with(STAMP));
    assert_eq!(folder.text().replace(STAMP, ""), format!("{OUT}{ERR}"));
}

#[test]
fn a_daemon_shows_what_is_wrong_until_it_is_detached() {
    let folder = Folder::new("daemon");
    let streams = printed(&to_file(folder.file()), Console::Starting, all_severities);
    assert_eq!(streams, ["", ERR]);
    let streams = printed(&to_file(folder.file()), Console::Starting, |log| {
        log.detach();
        all_severities(log);
    });
    assert_eq!(streams, ["", ""]);
    assert_eq!(folder.text().replace(STAMP, ""), format!("{OUT}{ERR}").repeat(2));
}

#[test]
fn a_file_that_cannot_be_opened_has_upstreams_words() {
    let folder = Folder::new("absent");
    let path = folder.0.join("absent/log");
    let error = LogFile::open(&path).map_err(|reason| OpenError { path: path.clone(), reason });
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("ERROR: can't open logfile `{}'.Reason: No such file or directory", path.display())
    );
}

#[test]
fn flows_have_lines_of_their_own_in_the_file_alone() {
    let folder = Folder::new("flows");
    let streams = printed(&to_file(folder.file()), Console::Foreground, |log| {
        log.flow(|out| out.extend_from_slice(b"udp      17 src=192.0.2.1"));
        log.flow(|out| out.extend_from_slice(b"tcp      6 src=192.0.2.1"));
        assert_eq!(folder.text(), "");
        log.flush(NOW);
    });
    assert_eq!(streams, ["", ""]);
    assert_eq!(
        folder.text(),
        "Sun Nov 22 10:55:40 2026\tudp      17 src=192.0.2.1\n\
         Sun Nov 22 10:55:40 2026\ttcp      6 src=192.0.2.1\n"
    );
}

#[test]
fn a_full_disk_is_said_once_an_interval_on_what_still_works() {
    let config = to_file("/dev/full".into());
    let streams = printed(&config, Console::Foreground, |log| {
        for _ in 0..100 {
            log.line(NOW, Severity::Notice, "text");
        }
        assert_eq!(log.next_deadline(), Some(NOW.after(repeats::INTERVAL)));
        log.on_deadline(NOW.after(repeats::INTERVAL));
    });
    assert_eq!(streams[0], "[notice] text\n".repeat(100));
    assert_eq!(
        streams[1],
        "[ERROR] can't write logfile `/dev/full': No space left on device\n\
         [ERROR] 99 more of these: failed writes of a logfile\n"
    );
}

#[test]
fn when_the_disk_has_room_again_the_loss_is_told() {
    let folder = Folder::new("room");
    let link = folder.0.join("link");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let streams = printed(&to_file(link.clone()), Console::Foreground, |log| {
        log.line(NOW, Severity::Notice, "one");
        log.line(NOW, Severity::Notice, "two");
        fs::remove_file(&link).unwrap();
        log.reopen(NOW);
        log.line(NOW, Severity::Notice, "three");
    });
    // The line that told of the failure was lost too.
    let told = format!("[warning] 3 lines are missing in logfile `{}'\n", link.display());
    assert!(streams[1].ends_with(&told), "{}", streams[1]);
    let text = fs::read_to_string(&link).unwrap().replace(STAMP, "");
    assert_eq!(text, format!("[notice] three\n{told}"));
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_and_no_line_is_lost() {
    let folder = Folder::new("moved");
    let old = folder.0.join("log.1");
    let streams = printed(&to_file(folder.file()), Console::Detached, |log| {
        log.line(NOW, Severity::Notice, "one");
        fs::rename(folder.file(), &old).unwrap();
        log.line(NOW, Severity::Notice, "two");
        log.flow(|out| out.extend_from_slice(b"flow"));
        log.reopen(NOW);
        log.line(NOW, Severity::Notice, "three");
        // A folder in the way: the file stays open.
        fs::remove_file(folder.file()).unwrap();
        fs::create_dir(folder.file()).unwrap();
        log.reopen(NOW);
        assert!(log.file.is_some());
    });
    assert_eq!(streams, ["", ""]);
    let text = fs::read_to_string(&old).unwrap().replace(STAMP, "");
    assert_eq!(text, "[notice] one\n[notice] two\nSun Nov 22 10:55:40 2026\tflow\n");
}

#[test]
fn what_happens_often_is_said_once_and_then_counted() {
    const KIND: &str = "messages that were refused";
    let nothing = config::Log::default();
    let streams = printed(&nothing, Console::Foreground, |log| {
        for _ in 0..1000 {
            log.limited(NOW, KIND, Severity::Warning, "a message was refused");
        }
        let later = NOW.after(repeats::INTERVAL);
        log.limited(later, KIND, Severity::Warning, "another one");
        log.on_deadline(later.after(repeats::INTERVAL));
        log.on_deadline(later.after(repeats::INTERVAL).after(repeats::INTERVAL));
        assert_eq!(log.next_deadline(), None);
    });
    assert_eq!(
        streams[1],
        "[warning] a message was refused\n\
         [warning] 999 more of these: messages that were refused\n\
         [warning] 1 more of these: messages that were refused\n"
    );
}

#[test]
fn the_log_of_the_statistics_has_nothing_but_flows() {
    let folder = Folder::new("statistics");
    let config = config::Log::default();
    let streams = printed(&config, Console::Foreground, |log| {
        let mut statistics = StatisticsLog::open(&Clock, &to_file(folder.file())).unwrap();
        assert!(statistics.is_on());
        for number in 0..3 {
            statistics.flow(|out| write!(out, "flow {number}").unwrap());
        }
        statistics.flush(NOW, log);
        statistics.reopen(NOW, log);
        let off = StatisticsLog::open(&Clock, &config).unwrap();
        assert!(!off.is_on());
    });
    assert_eq!(streams, ["", ""]);
    let lines = (0..3).map(|number| format!("Sun Nov 22 10:55:40 2026\tflow {number}\n"));
    assert_eq!(folder.text(), lines.collect::<String>());
}

#[test]
fn trouble_of_the_log_of_the_statistics_is_said_in_the_other_one() {
    let streams = printed(&config::Log::default(), Console::Foreground, |log| {
        let mut full = StatisticsLog::open(&Clock, &to_file("/dev/full".into())).unwrap();
        for number in 0..10 {
            full.flow(|out| write!(out, "flow {number}").unwrap());
            full.flush(NOW, log);
        }
    });
    assert_eq!(streams[1], "[ERROR] can't write logfile `/dev/full': No space left on device\n");
}

/// So many lines of what is in a pipe.
fn read_lines(reader: &mut PipeReader, bytes: usize) -> Vec<String> {
    let mut text = vec![0; bytes];
    reader.read_exact(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap().replace(STAMP, "");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_stream_that_nobody_reads_stops_nobody_and_what_it_lacks_is_told() {
    const LINES: usize = 5000;
    let folder = Folder::new("unread");
    let ((mut reader, output), (error_reader, error)) = (io::pipe().unwrap(), io::pipe().unwrap());
    let system = Piped { output, error };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut surroundings = Surroundings {
        args: Vec::new(),
        stdout: &mut stdout,
        stdout_is_terminal: false,
        stderr: &mut stderr,
        system: &system,
    };
    let mut report = Report::new(&mut surroundings);
    let config = to_file(folder.file());
    let mut log = Log::open(&mut report, &config, super::Console::Foreground).unwrap();
    let line = "a line that nobody reads";
    for _ in 0..LINES {
        log.line(NOW, Severity::Notice, line);
    }
    let told = "[warning] nobody reads standard output: lines are missing there\n";
    let text = folder.text().replace(STAMP, "");
    assert_eq!(text.matches(line).count(), LINES);
    assert_eq!(text.matches(told).count(), 1);
    let whole = format!("{STAMP}[notice] {line}\n").len();
    // A page of the pipe that is not full may have no room for a whole line.
    let taken = read_lines(&mut reader, 15 * 4096 / whole * whole).len();
    log.line(NOW, Severity::Notice, "the next");
    let text = folder.text().replace(STAMP, "");
    let missing = text.lines().last().unwrap().strip_prefix("[warning] ").unwrap();
    let missing = missing.strip_suffix(" lines are missing in standard output").unwrap();
    let missing: usize = missing.parse().unwrap();
    drop(log);
    drop(system);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(taken + rest.matches(line).count() + missing, LINES);
    assert!(rest.ends_with("[notice] the next\n"), "{rest}");
    let said = io::read_to_string(error_reader).unwrap().replace(STAMP, "");
    assert!(said.starts_with(told) && said.lines().count() == 2, "{said}");
    assert_eq!((stdout.len(), stderr.len()), (0, 0));
}

/// Writes to the streams and to the file of the folder, in the foreground.
fn write_to(folder: &Folder, system: &Piped, write: impl FnOnce(&mut Log)) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut surroundings = Surroundings {
        args: Vec::new(),
        stdout: &mut stdout,
        stdout_is_terminal: false,
        stderr: &mut stderr,
        system,
    };
    let mut report = Report::new(&mut surroundings);
    let config = to_file(folder.file());
    write(&mut Log::open(&mut report, &config, super::Console::Foreground).unwrap());
}

#[test]
fn a_stream_whose_reader_is_gone_is_given_up_and_that_is_said_once() {
    let folder = Folder::new("gone");
    let ((reader, output), (_error_reader, error)) = (io::pipe().unwrap(), io::pipe().unwrap());
    drop(reader);
    write_to(&folder, &Piped { output, error }, |log| {
        for second in 0..100 {
            log.line(NOW.after(Duration::from_secs(second)), Severity::Notice, "line");
        }
    });
    let told = "[ERROR] can't write standard output: Broken pipe\n";
    let text = folder.text().replace(STAMP, "");
    assert_eq!((text.matches(told).count(), text.lines().count()), (1, 101));
}

#[test]
fn streams_that_are_gone_while_a_trouble_is_told_are_told_of_too() {
    let folder = Folder::new("nested");
    let ((reader, output), (error_reader, error)) = (io::pipe().unwrap(), io::pipe().unwrap());
    drop((reader, error_reader));
    write_to(&folder, &Piped { output, error }, |log| {
        for _ in 0..10 {
            log.line(NOW, Severity::Notice, "line");
        }
    });
    let text = folder.text().replace(STAMP, "");
    for stream in ["output", "error"] {
        let told = format!("[ERROR] can't write standard {stream}: Broken pipe\n");
        assert_eq!(text.matches(&told).count(), 1, "{text}");
    }
    assert_eq!(text.lines().count(), 12);
}

#[test]
fn the_end_tells_what_was_not_told() {
    let streams = printed(&to_file("/dev/full".into()), Console::Foreground, |log| {
        for _ in 0..3 {
            log.line(NOW, Severity::Notice, "line");
        }
        let mut full = StatisticsLog::open(&Clock, &to_file("/dev/full".into())).unwrap();
        full.flow(|out| out.extend_from_slice(b"flow"));
        full.end(NOW, log);
        log.end(NOW);
    });
    let lines: Vec<&str> = streams[1].lines().collect();
    let missing = |count| format!("[warning] {count} lines are missing in logfile `/dev/full'");
    assert!(lines.contains(&missing(1).as_str()), "{lines:?}");
    let [.., missing, counted] = lines[..] else { panic!("{lines:?}") };
    assert!(missing.ends_with("lines are missing in logfile `/dev/full'"), "{lines:?}");
    assert!(counted.ends_with("more of these: failed writes of a logfile"), "{lines:?}");
}
