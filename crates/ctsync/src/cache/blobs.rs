//! Byte strings of a few dozen bytes, without a heap allocation each.
//!
//! Strings of similar length lie side by side in one vector; a freed place is used again before the vector grows. At most
//! [`MAX_LEN`] bytes a string. Memory is not given back: a cache that was full once may be full again.

/// Step between the sizes of places.
const STEP: usize = 16;
const CLASSES: usize = 32;
/// Longest string.
pub(super) const MAX_LEN: usize = STEP * CLASSES;

/// The store.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    classes: [Class; CLASSES],
}

#[derive(Debug, Default)]
struct Class {
    bytes: Vec<u8>,
    free: Vec<u32>,
}

fn class_of(len: usize) -> usize {
    len.saturating_sub(1) / STEP
}

fn stride(class: usize) -> usize {
    class.saturating_add(1).saturating_mul(STEP)
}

impl Blobs {
    /// Keeps the bytes. `None` if they are too long.
    pub(super) fn insert(&mut self, bytes: &[u8]) -> Option<u32> {
        let class = class_of(bytes.len());
        let stride = stride(class);
        let store = self.classes.get_mut(class)?;
        let place = if let Some(place) = store.free.pop() {
            place
        } else {
            let place = u32::try_from(store.bytes.len() / stride).ok()?;
            store.bytes.resize(store.bytes.len().saturating_add(stride), 0);
            place
        };
        let start = usize::try_from(place).ok()?.saturating_mul(stride);
        let end = start.saturating_add(bytes.len());
        store.bytes.get_mut(start..end)?.copy_from_slice(bytes);
        Some(place)
    }

    /// The bytes of a place.
    pub(super) fn at(&self, place: u32, len: usize) -> &[u8] {
        let class = class_of(len);
        let start = usize::try_from(place).unwrap_or(usize::MAX).saturating_mul(stride(class));
        self.classes
            .get(class)
            .and_then(|store| store.bytes.get(start..start.saturating_add(len)))
            .unwrap_or_default()
    }

    /// Replaces the bytes of a place, which may move.
    pub(super) fn replace(&mut self, place: u32, old_len: usize, bytes: &[u8]) -> Option<u32> {
        let class = class_of(old_len);
        if class != class_of(bytes.len()) {
            let new = self.insert(bytes)?;
            self.remove(place, old_len);
            return Some(new);
        }
        let start = usize::try_from(place).ok()?.saturating_mul(stride(class));
        let end = start.saturating_add(bytes.len());
        self.classes.get_mut(class)?.bytes.get_mut(start..end)?.copy_from_slice(bytes);
        Some(place)
    }

    /// Frees a place.
    pub(super) fn remove(&mut self, place: u32, len: usize) {
        if let Some(store) = self.classes.get_mut(class_of(len)) {
            store.free.push(place);
        }
    }

    /// Bytes that the vectors take.
    pub(super) fn capacity(&self) -> usize {
        self.classes.iter().map(|c| c.bytes.len() + c.free.capacity() * size_of::<u32>()).sum()
    }
}
