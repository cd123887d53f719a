//! An allocator that counts: for tests which show that something warm allocates nothing.
//!
//! ```
//! #[global_allocator]
//! static COUNTING: sys::allocations::Counting = sys::allocations::Counting;
//! let before = sys::allocations::count();
//! drop(vec![1, 2, 3]);
//! assert_eq!(sys::allocations::count() - before, 1);
//! ```
#![expect(unsafe_code, reason = "an allocator has no safe face")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The allocator of the system, and a count of what is asked of it.
#[derive(Debug)]
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Allocations of the whole process so far, if [`Counting`] is its allocator. To grow a block counts as well.
pub fn count() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

// SAFETY: everything is passed on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise about the layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, hence from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}
