//! Writes the seeds of every target into its corpus folder, where cargo-fuzz begins.

use std::io;

use conntrack_fuzz::{TARGETS, seed};

fn main() -> io::Result<()> {
    for (name, _) in TARGETS {
        let (folder, count) = seed::write_corpus(name)?;
        println!("{}: {count} files", folder.display());
    }
    Ok(())
}
