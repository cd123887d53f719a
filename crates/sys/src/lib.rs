//! System calls behind safe faces: the one crate that may contain `unsafe`. Where nix has such a face, it is used.

pub mod allocations;
pub mod append_file;
pub mod console;
pub mod datagram;
pub mod epoll;
pub mod error_text;
mod inet;
pub mod interface;
pub mod lock_file;
pub mod netlink;
pub mod process;
pub mod signal;
pub mod socket_filter;
pub mod stream;
pub mod unix_socket;
pub mod wait;
