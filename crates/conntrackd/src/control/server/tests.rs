//! The server and real clients, in made-up time.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use super::*;
use crate::control::conversation::{FULL_BYTES, REQUEST_TIME, STALL_TIME};
use crate::control::{Request, client};

const START: Instant = Instant(1_000_000_000);

/// A server in a folder of its own, and the loop around it.
struct Daemon {
    folder: PathBuf,
    poller: Poller,
    server: Server,
    now: Instant,
}

impl Daemon {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ctl-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let poller = Poller::new().unwrap();
        let server = Server::open(&folder.join("ctl"), &poller).unwrap();
        Self { folder, poller, server, now: START }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("ctl")
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).unwrap()
    }

    /// A turn without sending: waits until something is ready, unless something else is to be done.
    fn receive(&mut self, timeout: Option<std::time::Duration>) -> Vec<Asked> {
        let (mut ready, mut asked) = (Vec::new(), Vec::new());
        self.poller.wait(timeout, &mut ready).unwrap();
        for ready in ready {
            let wake = Wake::from_token(ready.token).unwrap();
            self.server.on_ready(wake, ready, self.now, &self.poller, &mut asked);
        }
        asked
    }

    fn settle(&mut self) {
        self.server.settle(self.now, &self.poller);
    }

    /// A turn that finds nothing to wait for.
    fn turn(&mut self) -> Vec<Asked> {
        let asked = self.receive(Some(std::time::Duration::ZERO));
        self.settle();
        asked
    }

    /// Turns until a request comes.
    fn next_request(&mut self) -> Asked {
        loop {
            if let [asked] = self.receive(None)[..] {
                return asked;
            }
            self.settle();
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.server.on_deadline(self.now);
        self.settle();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn ask(stream: &mut UnixStream, code: i32) {
    stream.write_all(&code.to_ne_bytes()).unwrap();
}

/// What a client gets that is given up: a part, and then no end.
fn part(mut stream: UnixStream) -> Vec<u8> {
    let mut text = Vec::new();
    let error = stream.read_to_end(&mut text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    text
}

fn rest(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_client_of_this_program_gets_the_answer() {
    let mut daemon = Daemon::new("client");
    let path = daemon.path();
    let asking = thread::spawn(move || {
        let mut answer = Vec::new();
        client::ask(&path, Request::Statistics, &mut answer).unwrap();
        answer
    });
    let asked = daemon.next_request();
    assert_eq!(Request::from_code(asked.code), Some(Request::Statistics));
    daemon.server.write(asked.client, b"cache ");
    daemon.settle();
    daemon.server.write(asked.client, b"internal:\n");
    daemon.server.finish(asked.client);
    daemon.settle();
    assert_eq!(asking.join().unwrap(), b"cache internal:\n");
    assert_eq!(daemon.server.next_deadline(), None);
    assert_eq!(daemon.server.read_failed(), 0);
}

#[test]
fn only_the_orderly_end_removes_the_file() {
    let daemon = Daemon::new("end");
    let poller = Poller::new().unwrap();
    let path = daemon.folder.join("other");
    // As in the process that ends when the daemon goes on in another one.
    drop(Server::open(&path, &poller).unwrap());
    assert!(path.exists());
    Server::open(&path, &poller).unwrap().close();
    assert!(!path.exists());
}

#[test]
fn when_clients_cannot_be_accepted_the_loop_sleeps_for_a_while() {
    let mut daemon = Daemon::new("pause");
    daemon.server.paused_until = Some(START.after(ACCEPT_PAUSE));
    daemon.settle();
    let mut stream = daemon.connect();
    ask(&mut stream, 21);
    assert_eq!(daemon.turn(), []);
    assert_eq!(daemon.server.next_deadline(), Some(START.after(ACCEPT_PAUSE)));
    daemon.pass(ACCEPT_PAUSE);
    assert_eq!(daemon.next_request().code, 21);
}

#[test]
fn a_request_comes_in_pieces_while_others_are_answered() {
    let mut daemon = Daemon::new("pieces");
    let mut slow = daemon.connect();
    let code = 29i32.to_ne_bytes();
    for byte in &code[..3] {
        slow.write_all(&[*byte]).unwrap();
        assert_eq!(daemon.turn(), []);
        let mut quick = daemon.connect();
        ask(&mut quick, 21);
        let asked = daemon.next_request();
        assert_eq!(asked.code, 21);
        daemon.server.write(asked.client, b"text");
        daemon.server.finish(asked.client);
        daemon.settle();
        assert_eq!(rest(quick), "text");
    }
    slow.write_all(&code[3..]).unwrap();
    let asked = daemon.next_request();
    assert_eq!(asked.code, 29);
    daemon.server.finish(asked.client);
    daemon.settle();
    assert_eq!(rest(slow), "");
}

#[test]
fn a_client_without_a_request_is_counted_and_given_up() {
    let mut daemon = Daemon::new("silent");
    drop(daemon.connect());
    let half = daemon.connect();
    half.shutdown(Shutdown::Write).unwrap();
    let mut cut = daemon.connect();
    cut.write_all(b"abc").unwrap();
    drop(cut);
    assert_eq!(daemon.turn(), []);
    assert_eq!(daemon.server.read_failed(), 3);
    assert_eq!(rest(half), "");
    let mut silent = daemon.connect();
    silent.write_all(b"abc").unwrap();
    daemon.turn();
    assert_eq!(daemon.server.next_deadline(), Some(START.after(REQUEST_TIME)));
    daemon.pass(Duration(REQUEST_TIME.0 - 1));
    assert_eq!(daemon.server.clients.len(), 1);
    daemon.pass(Duration(1));
    assert_eq!(daemon.server.clients.len(), 0);
    assert_eq!(daemon.server.read_failed(), 4);
    assert_eq!(rest(silent), "");
}

#[test]
fn a_client_may_end_its_side_behind_the_request() {
    let mut daemon = Daemon::new("half");
    let mut stream = daemon.connect();
    ask(&mut stream, 18);
    stream.shutdown(Shutdown::Write).unwrap();
    let asked = daemon.next_request();
    daemon.settle();
    // The answer takes its time, and the loop sleeps meanwhile.
    assert_eq!(daemon.turn(), []);
    assert!(daemon.server.is_waiting(asked.client));
    let mut ready = Vec::new();
    daemon.poller.wait(Some(std::time::Duration::ZERO), &mut ready).unwrap();
    assert_eq!(ready, []);
    daemon.server.write(asked.client, b"done\n");
    daemon.server.finish(asked.client);
    daemon.settle();
    assert_eq!(rest(stream), "done\n");
}

#[test]
fn a_client_that_hangs_up_while_it_waits_is_forgotten() {
    let mut daemon = Daemon::new("hangup");
    let mut stream = daemon.connect();
    ask(&mut stream, 46);
    let asked = daemon.next_request();
    daemon.settle();
    drop(stream);
    daemon.turn();
    assert!(!daemon.server.is_waiting(asked.client));
    assert_eq!(daemon.server.room(asked.client), 0);
    assert!(daemon.server.writer(asked.client).is_none());
    daemon.server.write(asked.client, b"into the void");
    daemon.server.finish(asked.client);
    daemon.settle();
    assert_eq!(daemon.server.read_failed(), 0);
    assert_eq!(daemon.server.hungry().count(), 0);
    // One that is gone before its request is read is heard all the same.
    let mut stream = daemon.connect();
    ask(&mut stream, 20);
    drop(stream);
    assert_eq!(daemon.next_request().code, 20);
}

#[test]
fn what_follows_a_request_is_not_read() {
    let mut daemon = Daemon::new("more");
    let mut stream = daemon.connect();
    stream.write_all(&[0xff; 4096]).unwrap();
    let asked = daemon.next_request();
    assert_eq!(asked.code, -1);
    assert_eq!(Request::from_code(asked.code), None);
    daemon.settle();
    assert_eq!(daemon.turn(), []);
    daemon.server.finish(asked.client);
    daemon.settle();
    // The system tells such a client of the unread bytes.
    let mut text = Vec::new();
    let end = stream.read_to_end(&mut text);
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(text, b"");
}

#[test]
fn a_long_answer_goes_in_steps_of_bounded_memory() {
    const LINES: usize = 100_000;
    let mut daemon = Daemon::new("long");
    let mut stream = daemon.connect();
    ask(&mut stream, 16);
    let asked = daemon.next_request();
    let reading = thread::spawn(move || rest(stream));
    let (mut line, mut most) = (0, 0);
    while line < LINES {
        while line < LINES && daemon.server.hungry().any(|client| client == asked.client) {
            let writer = daemon.server.writer(asked.client).unwrap();
            writeln!(writer, "line {line} of a dump that is longer than a buffer").unwrap();
            most = most.max(writer.len());
            line += 1;
        }
        daemon.settle();
        if line < LINES && daemon.server.hungry().next().is_none() {
            daemon.receive(None);
        }
    }
    daemon.server.finish(asked.client);
    daemon.settle();
    while !daemon.server.clients.is_empty() {
        daemon.receive(None);
        daemon.settle();
    }
    let text = reading.join().unwrap();
    assert_eq!(text.lines().count(), LINES);
    assert!(text.ends_with("line 99999 of a dump that is longer than a buffer\n"));
    assert!(most < 2 * FULL_BYTES, "{most}");
}

#[test]
fn a_client_that_never_reads_is_given_up_and_others_are_served() {
    let mut daemon = Daemon::new("stuck");
    let mut stuck = daemon.connect();
    ask(&mut stuck, 16);
    let asked = daemon.next_request();
    while daemon.server.room(asked.client) > 0 {
        daemon.server.write(asked.client, &[b'x'; 8192]);
        daemon.settle();
    }
    assert_eq!(daemon.server.hungry().next(), None);
    assert_eq!(daemon.server.next_deadline(), Some(START.after(STALL_TIME)));
    // Nothing is ready: the loop sleeps.
    let mut ready = Vec::new();
    daemon.poller.wait(Some(std::time::Duration::ZERO), &mut ready).unwrap();
    assert_eq!(ready, []);
    daemon.pass(Duration::from_secs(59));
    let mut other = daemon.connect();
    ask(&mut other, 21);
    let second = daemon.next_request();
    daemon.server.write(second.client, b"text");
    daemon.server.finish(second.client);
    daemon.settle();
    assert_eq!(rest(other), "text");
    daemon.pass(Duration::from_secs(1));
    assert_eq!(daemon.server.clients.len(), 0);
    assert_eq!(daemon.server.next_deadline(), None);
    assert_eq!(daemon.server.read_failed(), 0);
    assert!(!part(stuck).is_empty());
    assert_eq!((daemon.server.take_given_up(), daemon.server.take_given_up()), (1, 0));
}

#[test]
fn a_client_that_reads_again_gets_the_rest() {
    let mut daemon = Daemon::new("again");
    let mut stream = daemon.connect();
    ask(&mut stream, 16);
    let asked = daemon.next_request();
    let mut written = 0;
    while daemon.server.room(asked.client) > 0 {
        daemon.server.write(asked.client, &[b'x'; 8192]);
        written += 8192;
        daemon.settle();
    }
    daemon.server.finish(asked.client);
    daemon.pass(Duration::from_secs(59));
    let reading = thread::spawn(move || rest(stream));
    while !daemon.server.clients.is_empty() {
        daemon.receive(None);
        daemon.settle();
    }
    assert_eq!(reading.join().unwrap().len(), written);
}

#[test]
fn a_hundred_clients_at_once_are_all_answered() {
    let mut daemon = Daemon::new("hundred");
    let mut streams: Vec<UnixStream> = (0..100).map(|_| daemon.connect()).collect();
    for (code, stream) in streams.iter_mut().enumerate() {
        ask(stream, i32::try_from(code).unwrap());
    }
    let mut answered = 0;
    let mut waiting = Vec::new();
    while answered < 100 {
        waiting.extend(daemon.turn());
        assert!(daemon.server.clients.len() <= CLIENTS_MAX);
        // They are answered when no more come: those in the backlog wait for that.
        if waiting.len() == CLIENTS_MAX || waiting.len() + answered == 100 {
            assert_eq!(daemon.turn(), []);
            for Asked { client, code } in waiting.drain(..) {
                daemon.server.write(client, code.to_string().as_bytes());
                daemon.server.finish(client);
                answered += 1;
            }
            daemon.settle();
        }
    }
    for (code, stream) in streams.into_iter().enumerate() {
        assert_eq!(rest(stream), code.to_string());
    }
}

/// A server whose places are all taken, by clients that ask for something or say nothing.
fn crowded(name: &str, code: Option<i32>) -> (Daemon, Vec<UnixStream>, Vec<Asked>) {
    let mut daemon = Daemon::new(name);
    let (mut streams, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS_MAX {
        let mut stream = daemon.connect();
        if let Some(code) = code {
            ask(&mut stream, code);
        }
        streams.push(stream);
        asked.extend(daemon.turn());
    }
    assert_eq!(daemon.server.clients.len(), CLIENTS_MAX);
    (daemon, streams, asked)
}

/// An operator comes and waits no longer than the grace of the others.
fn is_served_after_the_grace(daemon: &mut Daemon) {
    let mut operator = daemon.connect();
    ask(&mut operator, 21);
    assert_eq!(daemon.turn(), []);
    let due = daemon.server.next_deadline().unwrap();
    assert!(due <= daemon.now.after(GRACE));
    daemon.pass(due.since(daemon.now));
    let asked = daemon.next_request();
    assert_eq!(asked.code, 21);
    daemon.settle();
    assert_eq!(daemon.server.clients.len(), CLIENTS_MAX);
    daemon.server.write(asked.client, b"text");
    daemon.server.finish(asked.client);
    daemon.settle();
    assert_eq!(rest(operator), "text");
}

#[test]
fn clients_that_say_nothing_give_their_places_to_others() {
    let (mut daemon, streams, _) = crowded("mute", None);
    is_served_after_the_grace(&mut daemon);
    assert_eq!(daemon.server.read_failed(), 1);
    // The first one had been waited for longest.
    assert_eq!(rest(streams.into_iter().next().unwrap()), "");
    // There is room for one more at once.
    let mut next = daemon.connect();
    ask(&mut next, 29);
    assert_eq!(daemon.next_request().code, 29);
}

#[test]
fn clients_that_never_read_give_their_places_to_others() {
    let (mut daemon, _streams, asked) = crowded("deaf", Some(16));
    for Asked { client, .. } in asked {
        while daemon.server.room(client) > 0 {
            daemon.server.write(client, &[b'x'; 8192]);
            daemon.settle();
        }
    }
    is_served_after_the_grace(&mut daemon);
    // All others have had their time: each gives way at once.
    let mut streams: Vec<UnixStream> = (0..CLIENTS_MAX).map(|_| daemon.connect()).collect();
    for stream in &mut streams {
        ask(stream, 46);
        assert_eq!(daemon.next_request().code, 46);
        daemon.settle();
    }
    assert_eq!(daemon.server.clients.len(), CLIENTS_MAX);
    assert_eq!(daemon.server.read_failed(), 0);
}

#[test]
fn clients_that_say_nothing_give_way_before_one_that_does_not_read() {
    let mut daemon = Daemon::new("order");
    let mut slow = daemon.connect();
    ask(&mut slow, 16);
    let asked = daemon.next_request();
    while daemon.server.room(asked.client) > 0 {
        daemon.server.write(asked.client, &[b'x'; 8192]);
        daemon.settle();
    }
    daemon.pass(GRACE);
    let _mute: Vec<UnixStream> = (1..CLIENTS_MAX)
        .map(|_| {
            let stream = daemon.connect();
            daemon.turn();
            stream
        })
        .collect();
    assert_eq!(daemon.server.clients.len(), CLIENTS_MAX);
    is_served_after_the_grace(&mut daemon);
    assert!(daemon.server.is_waiting(asked.client));
    assert_eq!((daemon.server.read_failed(), daemon.server.take_given_up()), (1, 0));
}

#[test]
fn the_client_of_this_program_says_that_an_answer_is_not_whole() {
    for ends_in_order in [false, true] {
        let mut daemon = Daemon::new("part");
        let path = daemon.path();
        let asking = thread::spawn(move || {
            let mut answer = Vec::new();
            (client::ask(&path, Request::DumpInternal, &mut answer), answer)
        });
        let asked = daemon.next_request();
        daemon.server.write(asked.client, b"a line\n");
        daemon.settle();
        if ends_in_order {
            let poller = Poller::new().unwrap();
            let other = Server::open(&daemon.folder.join("other"), &poller).unwrap();
            std::mem::replace(&mut daemon.server, other).close();
        } else {
            daemon.server.refuse(asked.client);
            daemon.settle();
        }
        let (ended, answer) = asking.join().unwrap();
        assert!(matches!(ended, Err(client::AskError::Part)), "{ended:?}");
        assert_eq!(answer, b"a line\n");
    }
}

#[test]
fn the_end_of_the_daemon_is_the_end_of_an_answer_of_which_nothing_was_sent() {
    let mut daemon = Daemon::new("kill");
    let mut stream = daemon.connect();
    ask(&mut stream, 46);
    daemon.next_request();
    daemon.settle();
    let poller = Poller::new().unwrap();
    let other = Server::open(&daemon.folder.join("other"), &poller).unwrap();
    std::mem::replace(&mut daemon.server, other).close();
    assert_eq!(rest(stream), "");
}

#[test]
fn clients_that_are_waiting_for_their_answers_keep_their_places() {
    let (mut daemon, _streams, asked) = crowded("waiting", Some(46));
    let mut other = daemon.connect();
    ask(&mut other, 21);
    assert_eq!(daemon.turn(), []);
    assert_eq!(daemon.server.next_deadline(), None);
    daemon.pass(Duration::from_secs(100));
    assert_eq!(daemon.turn(), []);
    assert!(asked.iter().all(|asked| daemon.server.is_waiting(asked.client)));
    daemon.server.finish(asked[7].client);
    daemon.settle();
    assert_eq!(daemon.next_request().code, 21);
}

#[test]
fn a_living_daemon_keeps_its_socket_and_a_dead_one_does_not() {
    let daemon = Daemon::new("taken");
    let poller = Poller::new().unwrap();
    let error = Server::open(&daemon.path(), &poller).unwrap_err();
    assert_eq!(error.to_string(), "can't open unix socket!");
    let hint = error.hint(&daemon.path());
    assert!(hint.starts_with("another daemon answers at `/"), "{hint}");
    let stale = daemon.folder.join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    Server::open(&stale, &poller).unwrap().close();
    assert!(!stale.exists());
    fs::write(&stale, "").unwrap();
    let hint = Server::open(&stale, &poller).unwrap_err().hint(&stale);
    assert!(hint.ends_with("' is no socket: it is not overwritten"), "{hint}");
    let absent = daemon.folder.join("absent/ctl");
    let hint = Server::open(&absent, &poller).unwrap_err().hint(&absent);
    assert!(hint.ends_with("/absent/ctl': No such file or directory"), "{hint}");
}

#[test]
fn numbers_of_clients_are_not_used_twice_at_a_time() {
    let mut daemon = Daemon::new("numbers");
    daemon.server.last_id = u32::MAX - 1;
    let mut streams: Vec<UnixStream> = (0..3).map(|_| daemon.connect()).collect();
    daemon.turn();
    let numbers = |daemon: &Daemon| -> Vec<u32> {
        daemon.server.clients.iter().map(|client| client.id.0).collect()
    };
    assert_eq!(numbers(&daemon), [u32::MAX, 0, 1]);
    drop(streams.remove(1));
    daemon.turn();
    daemon.server.last_id = u32::MAX - 1;
    streams.push(daemon.connect());
    daemon.turn();
    assert_eq!(numbers(&daemon), [u32::MAX, 1, 0]);
}
