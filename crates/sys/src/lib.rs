//! System calls behind safe faces: the one crate that may contain `unsafe`. So far nix offers all that is needed.

pub mod epoll;
pub mod error_text;
pub mod interface;
pub mod netlink;
pub mod signal;
pub mod wait;
