//! One request and its replies, without I/O: datagrams in, messages out.
//!
//! Rules of the kernel that this rests on (docs/ctnetlink.md): replies carry the sequence number of the request;
//! a dump ends with `NLMSG_DONE`, whose code tells whether it failed half way; a change is acknowledged by an error
//! message with code 0; an answer to a get carries `MULTI` although nothing follows it; a flag on any message of a dump
//! says that it was disturbed.

use crate::wire::{MessageFlags, Messages, RawMessage, Refusal, Sequence, control};
use crate::{DecodeError, KernelError};

/// What ends the exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expects {
    /// An acknowledgement.
    Acknowledgement,
    /// One message.
    Message,
    /// Any number of messages and the end of a dump.
    Dump,
}

/// A step of the exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply<'a> {
    /// A message of the answer.
    Message(RawMessage<'a>),
    /// Nothing more follows.
    End {
        /// The kernel says that entries may be missing or doubled (`NLM_F_DUMP_INTR`).
        interrupted: bool,
    },
}

/// Why an exchange failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The kernel refused the request, or gave up in the middle of a dump.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A reply is malformed.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Replies were lost (`NLMSG_OVERRUN`).
    #[error("replies of the kernel were lost")]
    Overrun,
}

/// State of one exchange.
///
/// Feed each datagram to [`Exchange::replies`] until it yields [`Reply::End`] or an error.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    sequence: Sequence,
    expects: Expects,
    interrupted: bool,
    ended: bool,
}

impl Exchange {
    /// The exchange that a request with this sequence number begins.
    pub fn new(sequence: Sequence, expects: Expects) -> Self {
        Self { sequence, expects, interrupted: false, ended: false }
    }

    /// The steps that a datagram makes. Messages of other exchanges are passed over.
    pub fn replies<'x, 'a>(&'x mut self, datagram: &'a [u8]) -> Replies<'x, 'a> {
        Replies { exchange: self, messages: Messages::new(datagram) }
    }

    fn step<'a>(&mut self, message: RawMessage<'a>) -> Result<Option<Reply<'a>>, ExchangeError> {
        if message.header.sequence != self.sequence {
            return Ok(None);
        }
        match message.header.kind {
            control::NOOP => Ok(None),
            control::OVERRUN => Err(ExchangeError::Overrun),
            control::ERROR => match Refusal::parse(&message)?.error() {
                Some(error) => Err(error.into()),
                None => Ok(Some(self.end())),
            },
            control::DONE => {
                self.note_interruption(&message);
                let code = message.body.first_chunk().ok_or(DecodeError::Body {
                    len: message.body.len(),
                    expected: "the code of a dump's end",
                })?;
                let code = i32::from_ne_bytes(*code);
                if code < 0 {
                    let errno = code.checked_neg().unwrap_or(i32::MAX);
                    return Err(KernelError { errno, message: None, offset: None }.into());
                }
                Ok(Some(self.end()))
            }
            _ => {
                self.note_interruption(&message);
                Ok(Some(Reply::Message(message)))
            }
        }
    }

    fn note_interruption(&mut self, message: &RawMessage<'_>) {
        // The same bit means something else outside of a dump.
        self.interrupted |=
            self.expects == Expects::Dump && message.header.flags.contains(MessageFlags::DUMP_INTR);
    }

    fn end<'a>(&mut self) -> Reply<'a> {
        self.ended = true;
        Reply::End { interrupted: self.interrupted }
    }
}

/// Iterator over the steps of a datagram. After an end or an error it yields nothing.
#[derive(Debug)]
pub struct Replies<'x, 'a> {
    exchange: &'x mut Exchange,
    messages: Messages<'a>,
}

impl<'a> Iterator for Replies<'_, 'a> {
    type Item = Result<Reply<'a>, ExchangeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.exchange.ended {
            let message = match self.messages.next() {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    self.exchange.ended = true;
                    return Some(Err(error.into()));
                }
                None => return None,
            };
            match self.exchange.step(message) {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(error) => {
                    self.exchange.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
