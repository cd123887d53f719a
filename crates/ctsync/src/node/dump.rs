//! A dump of the kernel's table while events go on.

use super::Which;
use crate::dump_memory::DumpMemory;

/// State of a dump.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// Number of the dump that began last; entries have that of the last one in which they were seen.
    pub(super) number: u8,
    /// What events spoke of meanwhile.
    pub(super) memory: DumpMemory,
    /// What the dump in progress is of.
    of: Option<Which>,
}

impl Dump {
    pub(super) fn begin(&mut self, which: Which) {
        self.number = self.number.wrapping_add(1).max(1);
        self.memory.begin();
        self.of = Some(which);
    }

    /// What the dump that ends was of.
    pub(super) fn end(&mut self) -> Option<Which> {
        self.memory.end();
        self.of.take()
    }
}
