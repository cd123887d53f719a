//! What can be wrong with a message, and what the kernel answers when it refuses one.

/// A message or an attribute that is not what it says to be.
///
/// Offsets count from the first byte of the datagram for headers, and from the first byte of the message's body (the
/// family byte of `struct nfgenmsg`) for attributes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The length in a message header does not fit into the datagram.
    #[error("message at byte {at}: length {len}, of which {available} bytes are there")]
    Message {
        /// Where the header begins.
        at: usize,
        /// The length that it claims.
        len: usize,
        /// How many bytes the datagram has from there on.
        available: usize,
    },
    /// A message is too short for the headers that its type must have, or longer than 64 KiB.
    #[error("message body of {len} bytes, {expected} expected")]
    Body {
        /// Length of the body.
        len: usize,
        /// What it must have.
        expected: &'static str,
    },
    /// The length in an attribute header is below 4 or beyond the end of what contains it.
    #[error("attribute {kind} at byte {at}: length {len}, of which {available} bytes are there")]
    Attribute {
        /// Attribute number without flags.
        kind: u16,
        /// Where its header begins.
        at: usize,
        /// The length that it claims, header included.
        len: usize,
        /// How many bytes there are from there on.
        available: usize,
    },
    /// Bytes after the last attribute that are too few to be one.
    #[error("{len} bytes left over at byte {at}")]
    Leftover {
        /// Where they begin.
        at: usize,
        /// How many.
        len: usize,
    },
    /// A payload of the wrong length.
    #[error("attribute {attribute} at byte {at}: {len} bytes, {expected} expected")]
    Length {
        /// Kernel name of the attribute.
        attribute: &'static str,
        /// Where its header begins.
        at: usize,
        /// Length of its payload.
        len: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A name that is not text.
    #[error("attribute {attribute} at byte {at}: not text")]
    Text {
        /// Kernel name of the attribute.
        attribute: &'static str,
        /// Where its header begins.
        at: usize,
    },
    /// A part that must be there is missing.
    #[error("{attribute} is incomplete: {missing} is missing")]
    Missing {
        /// Kernel name of what lacks a part.
        attribute: &'static str,
        /// Kernel name of the part.
        missing: &'static str,
    },
    /// The two tuples of a flow are of different address families.
    #[error("the two tuples are of different address families")]
    MixedFamilies,
}

/// The kernel's refusal of a request (`NLMSG_ERROR`).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the kernel refuses: errno {errno}")]
pub struct KernelError {
    /// Positive errno.
    pub errno: i32,
    /// Text of the kernel (`NLMSGERR_ATTR_MSG`), when it gives one.
    pub message: Option<String>,
    /// Offset of the refused attribute in the request (`NLMSGERR_ATTR_OFFS`).
    pub offset: Option<u32>,
}
