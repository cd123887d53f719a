//! The real surroundings.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Zoned;

use crate::control::{Request, client};
use crate::surroundings::System;

/// The largest file that is read. A configuration has some kilobytes.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// The system that runs.
#[derive(Debug)]
pub struct RealSystem;

impl System for RealSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut content)?;
        if content.len() as u64 > FILE_MAX_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content)
    }

    fn has_interface(&self, name: &str) -> bool {
        sys::interface::exists(name)
    }

    fn ask(&self, socket: &Path, request: Request, answer: &mut dyn Write) -> io::Result<()> {
        client::ask(socket, request, answer)
    }

    fn local_time(&self) -> String {
        Zoned::now().strftime("%a %b %e %H:%M:%S %Y").to_string()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }
}
