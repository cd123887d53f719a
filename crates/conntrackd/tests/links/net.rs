//! Two network namespaces and the cables between them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

/// Which of the two namespaces.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    A,
    B,
}

/// Two namespaces. They end with the last descriptor, thread or socket of theirs.
pub(crate) struct Net {
    a: File,
    b: File,
}

impl Net {
    /// Two empty namespaces with one pair of devices, `sync0`. `None`, after saying why, if there can be none.
    pub(crate) fn new() -> Option<Self> {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            skipped("only root can make network namespaces for this test");
            return None;
        }
        for program in ["ip", "nsenter"] {
            if Command::new(program).arg("-V").output().is_err() {
                skipped(&format!("{program} is not installed"));
                return None;
            }
        }
        let fresh = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        let (b, a) = (fresh(), fresh());
        let net = Self { a, b };
        net.connect(0);
        Some(net)
    }

    /// Moves this thread into a namespace.
    pub(crate) fn enter(&self, side: Side) {
        let namespace = match side {
            Side::A => &self.a,
            Side::B => &self.b,
        };
        setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Runs `ip` with these words in a namespace.
    pub(crate) fn ip(&self, side: Side, words: &str) {
        self.enter(side);
        run("ip", &words.split(' ').collect::<Vec<_>>());
    }

    /// Makes a pair of devices `syncN`, the one in A with `10.9.N.1/24`, `fd09:N::1/64` and `fe80::1/64`, the other with 2
    /// at the end.
    pub(crate) fn connect(&self, number: u8) {
        self.enter(Side::A);
        let device = format!("sync{number}");
        let thread = fs::read_link("/proc/thread-self").unwrap();
        let thread = thread.file_name().unwrap().to_str().unwrap();
        let namespace = format!("--net=/proc/{}/fd/{}", std::process::id(), self.b.as_raw_fd());
        let add = [&namespace, "ip", "link", "add", &device, "type", "veth", "peer", "name"];
        run("nsenter", &[&add[..], &[&device, "netns", thread]].concat());
        for (side, host) in [(Side::A, 1), (Side::B, 2)] {
            self.set_up(side, number, host);
        }
        for side in [Side::A, Side::B] {
            self.await_up(side, number);
        }
    }

    /// The kernel says that a device is up before packets can pass.
    fn await_up(&self, side: Side, number: u8) {
        self.enter(side);
        for _ in 0..1000 {
            let output =
                Command::new("ip").args(["link", "show", &format!("sync{number}")]).output();
            if String::from_utf8_lossy(&output.unwrap().stdout).contains("state UP") {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("sync{number} does not come up");
    }

    fn set_up(&self, side: Side, number: u8, host: u8) {
        self.ip(side, &format!("addr add 10.9.{number}.{host}/24 dev sync{number}"));
        // Without a search for doubles, which takes seconds.
        for address in [format!("fd09:{number}::{host}/64"), format!("fe80::{host}/64")] {
            self.ip(side, &format!("addr add {address} dev sync{number} nodad"));
        }
        self.ip(side, &format!("link set sync{number} up"));
    }

    /// Takes a pair away.
    pub(crate) fn disconnect(&self, number: u8) {
        self.ip(Side::A, &format!("link del sync{number}"));
    }
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
}

/// Says why the test that calls this does not run; to be called once in a test.
///
/// `cargo xtask test` counts these lines. The handle is written to, because libtest keeps what `println!` writes in a
/// test that passes. An empty line ends what libtest may have begun.
fn skipped(reason: &str) {
    let line = format!("\nSKIPPED: {reason}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}
