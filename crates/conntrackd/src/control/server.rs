//! The answering side of the control socket.
//!
//! Nothing here blocks, and no client can stall the daemon or another client: at most [`CLIENTS_MAX`] are served at a
//! time, the others wait in the backlog; each has the bounds of a [`Conversation`]. When all places are taken, the
//! client that has been waited for longest gives its place to the next one, but not before [`GRACE`]; one that does
//! not ask does so before any that does not read. Who hangs up is forgotten.
//!
//! A client that is given up learns that its answer is not whole: the last byte of a request stays unread until all of
//! the answer is sent, and who closes a stream with unread bytes resets it. The other end reads what was sent, and then
//! `ECONNRESET` in the place of the end. The same is seen when the daemon dies.
//!
//! In each turn of the loop: [`Server::on_ready`] for what is ready, which gives requests; the answers are written
//! while clients are [`Server::hungry`]; then [`Server::settle`] sends. While a client is hungry and its answer is
//! not complete, the loop must not wait: no descriptor tells of room in a buffer of ours.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ctsync::time::{Duration, Instant};
use sys::epoll::{Interest, Poller, Ready};
use sys::unix_socket::{ListenError, OwnedListener, peek};

use super::conversation::{Conversation, Received};
use crate::wake::{ClientId, Wake};

/// Clients that are served at a time.
pub const CLIENTS_MAX: usize = 64;

/// A client that neither reads nor asks keeps its place so long, whoever else wants it.
pub const GRACE: Duration = Duration::from_secs(1);

/// Clients that are accepted in one turn.
const ACCEPTED_A_TURN: usize = 16;

/// When clients cannot be accepted (too many open files), it is tried again after this time.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A request that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// Who is to be answered.
    pub client: ClientId,
    /// What was asked; see [`Request::from_code`](super::Request::from_code).
    pub code: i32,
}

/// The socket could not be opened. Upstream's words are in the text, ours in [`OpenError::hint`].
#[derive(Debug, thiserror::Error)]
#[error("can't open unix socket!")]
pub struct OpenError(ListenError);

impl OpenError {
    /// What is the matter, and perhaps what to do.
    pub fn hint(&self, path: &Path) -> String {
        let path = path.display();
        match &self.0 {
            ListenError::Taken => format!(
                "another daemon answers at `{path}': stop it, or give this one another Path in \
                 the clause UNIX"
            ),
            ListenError::NoSocket => format!("`{path}' is no socket: it is not overwritten"),
            ListenError::Io(error) => format!("`{path}': {}", sys::error_text::error_text(error)),
        }
    }
}

/// A client and its stream.
#[derive(Debug)]
struct Client {
    id: ClientId,
    stream: UnixStream,
    conversation: Conversation,
    /// What the poller waits for on its stream.
    interest: Interest,
    /// Its stream takes nothing until the poller says so.
    is_blocked: bool,
    /// Gone, or to be given up: removed when the turn is settled.
    is_gone: bool,
    /// It was sent something of its answer.
    has_part: bool,
}

/// The control socket and its clients.
#[derive(Debug)]
pub struct Server {
    socket: OwnedListener,
    clients: Vec<Client>,
    last_id: u32,
    /// Whether the poller waits for new clients.
    accepts: bool,
    /// Set while clients cannot be accepted.
    paused_until: Option<Instant>,
    read_failed: u64,
    given_up: u64,
}

impl Server {
    /// Listens. A file that a dead daemon left is replaced, a living daemon is not.
    pub fn open(path: &Path, poller: &Poller) -> Result<Self, OpenError> {
        let socket = OwnedListener::open(path).map_err(OpenError)?;
        if let Err(error) = poller.add(socket.listener(), Wake::Control.token(), Interest::Read) {
            socket.close();
            return Err(OpenError(ListenError::Io(error)));
        }
        Ok(Self {
            socket,
            clients: Vec::with_capacity(CLIENTS_MAX),
            last_id: 0,
            accepts: true,
            paused_until: None,
            read_failed: 0,
            given_up: 0,
        })
    }

    /// The orderly end: who waits and has got nothing reads the end of the stream, who has got a part is told so; the
    /// file is removed if it is still ours. To be called in the process that goes on, which is why dropping does not
    /// do it.
    pub fn close(mut self) {
        for client in &mut self.clients {
            if !client.has_part && client.conversation.pending().is_empty() {
                client.end();
            }
        }
        self.socket.close();
    }

    /// Clients that sent no request: `local read failed`.
    pub fn read_failed(&self) -> u64 {
        self.read_failed
    }

    /// Clients that did not read their answers and were given up since this was asked for the last time. Each of them
    /// is to be said.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// Something is ready. Requests that are complete are added to `asked`, answers that were blocked go on.
    ///
    /// Names that are none of this server's do nothing, so all may be passed here.
    pub fn on_ready(
        &mut self,
        wake: Wake,
        ready: Ready,
        now: Instant,
        poller: &Poller,
        asked: &mut Vec<Asked>,
    ) {
        match wake {
            Wake::Control => self.accept(now, poller, asked),
            Wake::Client(id) => {
                let Some(client) = self.find(id) else { return };
                client.is_blocked &= !ready.writable;
                let failed = ready.readable && client.read(asked).is_err();
                self.read_failed += u64::from(failed);
            }
            _ => {}
        }
    }

    /// The end of a client's answer, to write text to. `None` when the client is gone, when its buffer is full, and
    /// when its answer is finished.
    pub fn writer(&mut self, client: ClientId) -> Option<&mut Vec<u8>> {
        self.find(client)?.conversation.writer()
    }

    /// Appends to an answer. Nothing happens if there is no [`Self::room`], or the client is gone.
    pub fn write(&mut self, client: ClientId, text: &[u8]) {
        if let Some(writer) = self.writer(client) {
            writer.extend_from_slice(text);
        }
    }

    /// How many bytes can be written. A text that begins within them is taken whole. 0 if the client is gone.
    pub fn room(&self, client: ClientId) -> usize {
        let found = self.clients.iter().find(|found| found.id == client && !found.is_gone);
        found.map_or(0, |client| client.conversation.room())
    }

    /// Whether a client still waits for more of its answer. A long answer to one that does not can be given up.
    pub fn is_waiting(&self, client: ClientId) -> bool {
        self.clients.iter().any(|found| found.id == client && !found.is_gone)
    }

    /// Others wait for the end of this client's answer: it is given up soon if it does not read.
    pub fn hurry(&mut self, client: ClientId) {
        if let Some(client) = self.find(client) {
            client.conversation.hurry();
        }
    }

    /// There is no answer, or not all of it: the client is told so.
    pub fn refuse(&mut self, client: ClientId) {
        if let Some(client) = self.find(client) {
            client.is_gone = true;
        }
    }

    /// The answer is complete. The stream is closed when it is sent.
    pub fn finish(&mut self, client: ClientId) {
        if let Some(client) = self.find(client) {
            client.conversation.finish();
        }
    }

    /// Clients whose answers are not finished and can take much more text now.
    pub fn hungry(&self) -> impl Iterator<Item = ClientId> + '_ {
        let hungry = |client: &&Client| client.conversation.is_hungry() && !client.is_gone;
        self.clients.iter().filter(hungry).map(|client| client.id)
    }

    /// Ends a turn: sends what was written, forgets who is done or gone, and sets what to wait for.
    pub fn settle(&mut self, now: Instant, poller: &Poller) {
        for client in &mut self.clients {
            client.settle(now, poller);
        }
        // A stream that is closed leaves the poller by itself.
        self.clients.retain(|client| !client.is_gone);
        self.wait_for_clients(now, poller);
    }

    /// When [`Self::on_deadline`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let of_clients = self.clients.iter().filter_map(|client| client.conversation.deadline());
        // Until then nobody looks whether others want to come in.
        let is_full = !self.accepts && self.paused_until.is_none();
        let place = self.most_idle().filter(|_| is_full).map(|(_, since)| since.after(GRACE));
        of_clients.chain(self.paused_until).chain(place).min()
    }

    /// Time has passed: gives up the clients that do not send a request, or do not read. [`Self::settle`] removes them.
    pub fn on_deadline(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        for client in &mut self.clients {
            if client.conversation.deadline().is_some_and(|deadline| deadline <= now)
                && !client.is_gone
            {
                client.is_gone = true;
                let is_asking = client.conversation.is_asking();
                self.read_failed += u64::from(is_asking);
                self.given_up += u64::from(!is_asking);
            }
        }
    }

    fn find(&mut self, id: ClientId) -> Option<&mut Client> {
        self.clients.iter_mut().find(|client| client.id == id && !client.is_gone)
    }

    fn accept(&mut self, now: Instant, poller: &Poller, asked: &mut Vec<Asked>) {
        for _ in 0..ACCEPTED_A_TURN {
            if !self.has_place(now) {
                return;
            }
            match self.socket.listener().accept() {
                Ok((stream, _)) => self.welcome(stream, now, poller, asked),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The client is gone already, or a signal came.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(_) => {
                    self.paused_until = Some(now.after(ACCEPT_PAUSE));
                    return;
                }
            }
        }
    }

    /// Takes a client in. Its request is mostly there already.
    fn welcome(
        &mut self,
        stream: UnixStream,
        now: Instant,
        poller: &Poller,
        asked: &mut Vec<Asked>,
    ) {
        let id = self.next_id();
        let interest = Interest::Read;
        let is_ready = stream.set_nonblocking(true).is_ok()
            && poller.add(&stream, Wake::Client(id).token(), interest).is_ok();
        if !is_ready {
            self.read_failed += 1;
            return;
        }
        let conversation = Conversation::new(now);
        let mut client = Client {
            id,
            stream,
            conversation,
            interest,
            is_blocked: false,
            is_gone: false,
            has_part: false,
        };
        self.read_failed += u64::from(client.read(asked).is_err());
        self.make_place();
        self.clients.push(client);
    }

    /// Whether one more client can be taken in, perhaps in the place of another.
    fn has_place(&self, now: Instant) -> bool {
        let is_idle = |(_, since): (usize, Instant)| since.after(GRACE) <= now;
        self.clients.len() < CLIENTS_MAX || self.most_idle().is_some_and(is_idle)
    }

    /// If all places are taken, the client that [`Self::most_idle`] finds gives up its own.
    fn make_place(&mut self) {
        if self.clients.len() >= CLIENTS_MAX
            && let Some((place, _)) = self.most_idle()
        {
            let client = self.clients.swap_remove(place);
            let is_asking = client.conversation.is_asking();
            self.read_failed += u64::from(is_asking && !client.is_gone);
            self.given_up += u64::from(!is_asking && !client.is_gone);
        }
    }

    /// The place of the client that has been waited for longest, and since when. One that does not ask loses nothing,
    /// so it comes before those that do not read.
    fn most_idle(&self) -> Option<(usize, Instant)> {
        let idle = |(place, client): (usize, &Client)| {
            // One that is gone has left its place already.
            let since = if client.is_gone {
                Some(Instant::default())
            } else {
                client.conversation.idle_since()
            };
            let is_answered = !client.conversation.is_asking() && !client.is_gone;
            Some((is_answered, since?, place))
        };
        let found = self.clients.iter().enumerate().filter_map(idle).min()?;
        let (_, since, place) = found;
        Some((place, since))
    }

    /// A number that no client has.
    fn next_id(&mut self) -> ClientId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = ClientId(self.last_id);
            if self.clients.iter().all(|client| client.id != id) {
                return id;
            }
        }
    }

    /// New clients are waited for while they can be taken.
    fn wait_for_clients(&mut self, now: Instant, poller: &Poller) {
        let accepts = self.has_place(now) && self.paused_until.is_none();
        if accepts == self.accepts {
            return;
        }
        let interest = if accepts { Interest::Read } else { Interest::Hangup };
        if poller.change(self.socket.listener(), Wake::Control.token(), interest).is_ok() {
            self.accepts = accepts;
        }
    }
}

impl Client {
    /// Reads of the request what is there, and notices a hang-up. An error is one of the request.
    fn read(&mut self, asked: &mut Vec<Asked>) -> io::Result<()> {
        if !self.conversation.is_asking() {
            // Nothing is read behind the request, so it is the stream that ended.
            self.is_gone = true;
            return Ok(());
        }
        while self.conversation.is_asking() {
            match self.read_but_the_last() {
                Ok(0) => return self.lose(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    if let Received::Request(code) = self.conversation.received(count) {
                        asked.push(Asked { client: self.id, code });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.lose(error),
            }
        }
        Ok(())
    }

    /// Reads, but leaves the last byte of the request where it is: see [`Self::end`].
    fn read_but_the_last(&mut self) -> io::Result<usize> {
        let missing = self.conversation.missing();
        match missing {
            [byte] => peek(&self.stream, std::slice::from_mut(byte)),
            [most @ .., _] => self.stream.read(most),
            [] => Ok(0),
        }
    }

    /// All is said: without the byte that is left the stream ends in order.
    fn end(&mut self) {
        if !self.conversation.is_asking() {
            // Nothing depends on it but what a client is told that is gone itself.
            let _ = self.stream.read(&mut [0]);
        }
    }

    fn lose(&mut self, error: io::Error) -> io::Result<()> {
        self.is_gone = true;
        Err(error)
    }

    fn settle(&mut self, now: Instant, poller: &Poller) {
        self.send(now);
        if self.conversation.is_over() && !self.is_gone {
            self.end();
            self.is_gone = true;
        }
        let interest = match (self.conversation.is_asking(), self.is_blocked) {
            (true, _) => Interest::Read,
            (false, true) => Interest::Write,
            // Not even the end of what the client sends: it may read on behind it.
            (false, false) => Interest::Hangup,
        };
        if interest != self.interest && !self.is_gone {
            let token = Wake::Client(self.id).token();
            self.is_gone = poller.change(&self.stream, token, interest).is_err();
            self.interest = interest;
        }
    }

    fn send(&mut self, now: Instant) {
        while !self.is_gone && !self.is_blocked && !self.conversation.pending().is_empty() {
            match self.stream.write(self.conversation.pending()) {
                Ok(count @ 1..) => {
                    self.has_part = true;
                    self.conversation.sent(now, count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.is_gone = true,
                Ok(_) | Err(_) => {
                    self.conversation.sent(now, 0);
                    self.is_blocked = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
