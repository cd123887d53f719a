//! Values of options: text to type, each with upstream's idea of what is valid.
//!
//! The functions say only that a text is not valid; the error that names the option is made where the option is known.

mod address;
mod list;
mod nat;
mod number;

pub use address::{Network, PrefixLen, parse_address, split_prefix};
pub use list::{EventMask, OutputFlags, StatusList};
pub use nat::NatFilter;

pub(crate) use address::plain_address;
pub(crate) use list::{parse_events, parse_output, parse_status};
pub(crate) use nat::split_nat;
pub(crate) use number::{decimal, decimal_or_hex, few_digits, masked_mark, strtoul};
