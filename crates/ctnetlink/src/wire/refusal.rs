//! `NLMSG_ERROR`: the errno, the echoed request, and the extended attributes behind it.
//!
//! | bytes of the body | field |
//! |---|---|
//! | 0-3 | negative errno, host order; 0 acknowledges |
//! | 4-19 | header of the request |
//! | 20- | rest of the request, unless `CAPPED`, padded to 4 |
//! | then | `NLMSGERR_ATTR_*`, if `ACK_TLVS` |

use super::{Attributes, MessageFlags, Messages, RawMessage};
use crate::{DecodeError, KernelError};

const CODE_LEN: usize = 4;
const HEADER_LEN: usize = 16;
const MESSAGE: u16 = 1;
const OFFSET: u16 = 2;

/// An error or acknowledgement message.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Negative errno, 0 for an acknowledgement.
    pub code: i32,
    /// The echoed request: the whole of it, or only its header if the kernel capped it.
    pub request: &'a [u8],
    tlvs: &'a [u8],
}

impl<'a> Refusal<'a> {
    /// Reads the body of an error message.
    pub fn parse(message: &RawMessage<'a>) -> Result<Self, DecodeError> {
        let short = || DecodeError::Body {
            len: message.body.len(),
            expected: "an error code and the request's header",
        };
        let (code, echoed) = message.body.split_first_chunk::<CODE_LEN>().ok_or_else(short)?;
        let request_len = if message.header.flags.contains(MessageFlags::CAPPED) {
            HEADER_LEN
        } else {
            let len = echoed.first_chunk::<4>().map(|len| u32::from_ne_bytes(*len));
            usize::try_from(len.ok_or_else(short)?).unwrap_or(usize::MAX)
        };
        let request = echoed.get(..request_len).ok_or_else(short)?;
        let tlvs = if message.header.flags.contains(MessageFlags::ACK_TLVS) {
            echoed.get(request_len.next_multiple_of(4)..).unwrap_or_default()
        } else {
            &[]
        };
        Ok(Self { code: i32::from_ne_bytes(*code), request, tlvs })
    }

    /// The echoed request as a message, if all of it is there.
    pub fn echoed(&self) -> Option<RawMessage<'a>> {
        Messages::new(self.request).next()?.ok()
    }

    /// The extended attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.tlvs, 0)
    }

    /// `None` for an acknowledgement.
    pub fn error(&self) -> Option<KernelError> {
        if self.code == 0 {
            return None;
        }
        let mut error = KernelError {
            errno: self.code.checked_abs().unwrap_or(i32::MAX),
            message: None,
            offset: None,
        };
        // The extended attributes only explain: a damaged one must not hide the errno.
        for attribute in self.attributes().map_while(Result::ok) {
            match attribute.kind {
                MESSAGE => {
                    let text = String::from_utf8_lossy(attribute.payload);
                    error.message = Some(text.trim_end_matches('\0').to_owned());
                }
                OFFSET => {
                    error.offset =
                        attribute.payload.first_chunk().map(|offset| u32::from_ne_bytes(*offset));
                }
                _ => {}
            }
        }
        Some(error)
    }
}
