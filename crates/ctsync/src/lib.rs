//! Replication of the connection tracking table between firewalls.
//!
//! Pure: no I/O, no clock, no environment. What goes over the link is in [`wire`]; its format is told in
//! docs/sync-protocol.md.
//!
//! ```
//! use ctsync::Sequence;
//! use ctsync::wire::{Content, Control, Frames, Mode, Stamp};
//!
//! let mut datagram = Vec::new();
//! Control::Alive.encode(Stamp::plain(Sequence(7)), &mut datagram);
//! let message = Frames::new(&datagram).next().unwrap()?.message()?;
//! assert_eq!(message.content(Mode::Ftfw)?, Content::Control(Control::Alive));
//! # Ok::<(), ctsync::wire::DecodeError>(())
//! ```
#![forbid(unsafe_code)]

mod alarm;
mod cache;
mod dump_memory;
mod ftfw;
mod node;
mod notrack;
mod outbound;
mod queue;
mod sequence;
pub mod time;
mod timers;
pub mod wire;

pub use cache::CacheCounters;
pub use dump_memory::{DumpMemory, Told};
pub use node::{
    CacheCursor, CacheFigures, CacheName, CachedExpectation, CachedFlow, Config, Event,
    ExternalCache, InternalCache, KernelRequest, KnownFlow, LinkId, ModeConfig, Node, Notice,
    Origin, Output, Request, ResendCursor, Sending, Statistics, Subject, Which,
};
pub use sequence::{Sequence, SequenceRange};
