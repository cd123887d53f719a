//! The fuzz targets, one function each. They are driven by the given bytes alone, and panic when an invariant fails.
//!
//! `cargo xtask fuzz` runs them under cargo-fuzz; `cargo test --manifest-path fuzz/Cargo.toml` replays the seeds (captured
//! messages and datagrams; command lines and configuration files of the conformance cases) and some thousand changes of
//! them on any compiler.
//! `cargo run --manifest-path fuzz/Cargo.toml --example seed_corpus` writes the seeds into `fuzz/corpus`, where cargo-fuzz
//! begins and adds what it finds.
#![forbid(unsafe_code)]

mod batch_file;
mod command_line;
mod control_request;
mod daemon_config;
mod flow_message;
mod label_map;
mod netlink_datagram;
pub mod seed;
mod sync_datagram;
mod timeout_command_line;

pub use batch_file::batch_file;
pub use command_line::command_line;
pub use control_request::control_request;
pub use daemon_config::daemon_config;
pub use flow_message::flow_message;
pub use label_map::label_map;
pub use netlink_datagram::netlink_datagram;
pub use sync_datagram::sync_datagram;
pub use timeout_command_line::timeout_command_line;

/// A target by name: what cargo-fuzz and the replay call.
pub type Target = fn(&[u8]);

/// All targets with the names of their files in `fuzz_targets`.
pub const TARGETS: [(&str, Target); 9] = [
    ("batch_file", batch_file),
    ("command_line", command_line),
    ("control_request", control_request),
    ("daemon_config", daemon_config),
    ("flow_message", flow_message),
    ("label_map", label_map),
    ("netlink_datagram", netlink_datagram),
    ("sync_datagram", sync_datagram),
    ("timeout_command_line", timeout_command_line),
];
