//! Dedicated links on the kernel that runs: two nodes in two network namespaces, joined by pairs of `veth` devices.
//!
//! Only root can make these. Others are told so, and the tests count as skipped. Needed: `ip` (iproute2), `nsenter`.
#![forbid(unsafe_code)]
#![cfg(test)]

mod bench;
mod datagrams;
mod failover;
mod failures;
mod net;
mod streams;
