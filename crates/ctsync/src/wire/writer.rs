//! Builder of messages. Everything is big endian, values are padded to 4 bytes with zeros.

use super::Header;

const ATTRIBUTE_HEADER_LEN: usize = 4;

/// Appends one message to a buffer; several may follow each other in one datagram.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    header: Header,
}

impl<'a> MessageWriter<'a> {
    /// Begins a message.
    pub fn begin(out: &'a mut Vec<u8>, header: Header) -> Self {
        let start = out.len();
        out.extend_from_slice(&header.to_bytes(0));
        Self { out, start, header }
    }

    /// Ends the message. No message comes near to 64 KiB.
    pub fn finish(self) {
        let len = u16::try_from(self.out.len().saturating_sub(self.start)).unwrap_or(u16::MAX);
        if let Some(field) = self.out.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut) {
            *field = self.header.to_bytes(len);
        }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends an attribute with this value.
    pub fn attribute(&mut self, number: u16, value: &[u8]) {
        self.begin_attribute(number, value.len());
        self.out.extend_from_slice(value);
        self.pad(value.len());
    }

    /// Appends an attribute of two values that follow each other.
    pub(super) fn pair(&mut self, number: u16, first: &[u8], second: &[u8]) {
        let len = first.len().saturating_add(second.len());
        self.begin_attribute(number, len);
        self.out.extend_from_slice(first);
        self.out.extend_from_slice(second);
        self.pad(len);
    }

    pub(super) fn u8(&mut self, number: u16, value: u8) {
        self.attribute(number, &[value]);
    }

    pub(super) fn be16(&mut self, number: u16, value: u16) {
        self.attribute(number, &value.to_be_bytes());
    }

    /// Appends a number that upstream writes in the order of its machine.
    pub(super) fn host16(&mut self, number: u16, value: u16) {
        self.attribute(number, &value.to_ne_bytes());
    }

    pub(super) fn be32(&mut self, number: u16, value: u32) {
        self.attribute(number, &value.to_be_bytes());
    }

    /// Appends 32 bit numbers.
    pub(super) fn words(&mut self, number: u16, words: &[u32]) {
        self.begin_attribute(number, words.len().saturating_mul(4));
        for word in words {
            self.out.extend_from_slice(&word.to_be_bytes());
        }
    }

    /// Appends a text and its NUL.
    pub(super) fn text(&mut self, number: u16, text: &str) {
        self.pair(number, text.as_bytes(), &[0]);
    }

    fn begin_attribute(&mut self, number: u16, value_len: usize) {
        let len = value_len.saturating_add(ATTRIBUTE_HEADER_LEN);
        let [len_high, len_low] = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        let [number_high, number_low] = number.to_be_bytes();
        self.out.extend_from_slice(&[len_high, len_low, number_high, number_low]);
    }

    fn pad(&mut self, value_len: usize) {
        let padding = value_len.next_multiple_of(4).saturating_sub(value_len);
        self.out.resize(self.out.len().saturating_add(padding), 0);
    }
}
