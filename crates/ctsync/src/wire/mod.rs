//! The format on the link: datagrams and streams, messages, and what they carry.
//!
//! Reading goes in steps, because a receiver acts between them:
//!
//! ```text
//! datagram ── Frames ──────┐
//!                          ├─► Frame ─ version ─► Message ─ mode ─► Content ─► Record, ExpectationRecord, Control
//! stream ── StreamBuffer ──┘
//! ```
//!
//! An error of the first step ends the datagram, or the connection. Any other one costs a single message. Each error
//! knows the counter that it adds to ([`DecodeError::counter`]).

mod attribute;
mod error;
mod expect;
mod frame;
mod header;
mod message;
mod packing;
mod record;
mod stream;
mod writer;

pub use attribute::{Attribute, Attributes};
pub use error::{Counter, DecodeError};
pub use expect::{ExpectationNatRecord, ExpectationRecord, FunctionName};
pub use frame::{Frame, Frames};
pub use header::{Flags, Header, Kind, VERSION};
pub use message::{Content, Control, Message, Mode, Stamp};
pub use packing::{Carrier, DatagramLimit, Room, TooLong};
pub use record::{Record, RecordName, RestoreOptions, Restored, SentParts, Translated};
pub use stream::StreamBuffer;
pub use writer::MessageWriter;

/// Length of the longest message that is ever sent: everything that a flow over IPv6 can have.
pub const MAX_SENT_LEN: usize = 304;
