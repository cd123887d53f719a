//! Framing: messages in a datagram, attributes in a message, and the writer of both.

mod attribute;
mod header;
mod refusal;
mod writer;

pub use attribute::{Attribute, Attributes};
pub(crate) use attribute::{HEADER_LEN as ATTRIBUTE_HEADER_LEN, read_header};
pub use header::{
    MessageFlags, MessageHeader, MessageKind, Messages, NETFILTER_HEADER_LEN, NetfilterHeader,
    RawMessage, Sequence, Subsystem, control,
};
pub use refusal::Refusal;
pub use writer::MessageWriter;
