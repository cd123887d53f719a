//! System calls behind safe faces: the one crate that may contain `unsafe`.
//! System calls behind safe faces: the one crate that may contain `unsafe`. Where nix offers
//! a safe face, that is used.

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
pub mod socket_filter;
pub mod wait;
