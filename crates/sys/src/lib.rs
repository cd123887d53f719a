//! System calls behind safe faces: the one crate that may contain `unsafe`.

#![expect(unsafe_code, reason = "this is where it belongs")]

pub mod datagram;
pub mod epoll;
pub mod error_text;
mod inet;
pub mod interface;
pub mod lock_file;
pub mod netlink;
pub mod process;
pub mod signal;
pub mod stream;
pub mod wait;
