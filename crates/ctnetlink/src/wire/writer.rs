//! Builder of messages. Lengths are filled in when a message or a nest ends.

use super::{MessageHeader, NetfilterHeader};

const NESTED: u16 = 0x8000;

/// Appends one message to a buffer; several may follow each other in one datagram.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> MessageWriter<'a> {
    /// Begins a message with both headers.
    pub fn begin(out: &'a mut Vec<u8>, header: MessageHeader, netfilter: NetfilterHeader) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&header.kind.to_ne_bytes());
        out.extend_from_slice(&header.flags.bits().to_ne_bytes());
        out.extend_from_slice(&header.sequence.0.to_ne_bytes());
        out.extend_from_slice(&header.port_id.to_ne_bytes());
        out.extend_from_slice(&[netfilter.family, netfilter.version]);
        out.extend_from_slice(&netfilter.resource_id.to_be_bytes());
        Self { out, start }
    }

    /// Ends the message. A message of these subsystems is far below 4 GiB.
    pub fn finish(self) {
        let len = u32::try_from(self.out.len().saturating_sub(self.start)).unwrap_or(u32::MAX);
        if let Some(field) = self.out.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut) {
            *field = len.to_ne_bytes();
        }
    }

    /// Appends an attribute with this payload.
    pub fn bytes(&mut self, kind: u16, payload: &[u8]) {
        self.attribute(kind, |out| out.extend_from_slice(payload));
    }

    /// Appends an 8 bit number.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.short(kind, 5, [value, 0, 0, 0]);
    }

    /// Appends a 16 bit number, big endian.
    pub fn be16(&mut self, kind: u16, value: u16) {
        let [high, low] = value.to_be_bytes();
        self.short(kind, 6, [high, low, 0, 0]);
    }

    /// Appends a 32 bit number, big endian.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.word(kind, value.to_be_bytes());
    }

    /// Appends four bytes.
    pub fn word(&mut self, kind: u16, payload: [u8; 4]) {
        self.short(kind, 8, payload);
    }

    /// Appends an attribute of this length, header included, with its padding: one write for most attributes.
    fn short(&mut self, kind: u16, len: u16, [a, b, c, d]: [u8; 4]) {
        let ([len_0, len_1], [kind_0, kind_1]) = (len.to_ne_bytes(), kind.to_ne_bytes());
        self.out.extend_from_slice(&[len_0, len_1, kind_0, kind_1, a, b, c, d]);
    }

    /// Appends a 64 bit number, big endian.
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Appends a 32 bit number in host order (`CTA_FILTER_*`).
    pub fn host32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// Appends a text with its NUL.
    pub fn text(&mut self, kind: u16, text: &str) {
        self.terminated(kind, text.as_bytes());
    }

    /// Appends a name of any bytes with its NUL.
    pub fn terminated(&mut self, kind: u16, name: &[u8]) {
        self.attribute(kind, |out| {
            out.extend_from_slice(name);
            out.push(0);
        });
    }

    /// Appends a nest whose attributes `content` writes.
    pub fn nest(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        let at = self.out.len();
        self.header(kind | NESTED);
        content(self);
        self.end_attribute(at);
    }

    fn attribute(&mut self, kind: u16, payload: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        self.header(kind);
        payload(self.out);
        self.end_attribute(at);
    }

    fn header(&mut self, kind: u16) {
        self.out.extend_from_slice(&[0; 2]);
        self.out.extend_from_slice(&kind.to_ne_bytes());
    }

    fn end_attribute(&mut self, at: usize) {
        let len = u16::try_from(self.out.len().saturating_sub(at)).unwrap_or(u16::MAX);
        if let Some(field) = self.out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *field = len.to_ne_bytes();
        }
        let padded = self.out.len().next_multiple_of(4);
        self.out.resize(padded, 0);
    }
}
