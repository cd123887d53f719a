//! Links the compiler's unwinding library into the program instead of loading it: a command that takes a millisecond
//! spends a tenth of it on loading that one.
//!
//! The standard library asks the linker for `gcc_s`. What is found first under that name is a linker script here, which
//! names the static library of the same compiler. Where that is not found, nothing changes.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a build script is told everything by its environment"
)]

use std::env::var;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_native = var("HOST").is_ok_and(|host| var("TARGET").is_ok_and(|target| host == target));
    let is_gnu = var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "gnu");
    if !is_native || !is_gnu || !has_static_library() {
        return;
    }
    let Ok(directory) = var("OUT_DIR") else { return };
    let script = Path::new(&directory).join("libgcc_s.so");
    if std::fs::write(script, "GROUP ( -lgcc_eh -lgcc )\n").is_ok() {
        println!("cargo:rustc-link-search=native={directory}");
    }
}

/// Whether the compiler that links has `libgcc_eh.a`: then it knows its whole path.
fn has_static_library() -> bool {
    let output = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    output.is_ok_and(|output| {
        let path = String::from_utf8_lossy(&output.stdout);
        output.status.success() && Path::new(path.trim()).is_absolute()
    })
}
