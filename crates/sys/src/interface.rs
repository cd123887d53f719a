//! Network devices.

/// Whether there is a device of this name.
pub fn exists(name: &str) -> bool {
    nix::net::if_::if_nametoindex(name).is_ok()
}
