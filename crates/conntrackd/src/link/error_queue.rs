//! Buffers that wait for a connection: the error queue of upstream.
//!
//! At most `ErrorQueueLength` buffers; when there is no room the oldest is dropped and counted. The memory of buffers
//! that left is used again.

use std::collections::VecDeque;
use std::mem;

use super::values::ErrorQueueFigures;

/// Buffers that wait, oldest first.
#[derive(Debug)]
pub(super) struct ErrorQueue {
    buffers: VecDeque<Vec<u8>>,
    /// Empty ones whose memory is kept.
    spare: Vec<Vec<u8>>,
    maximum: usize,
    no_space: u64,
}

impl ErrorQueue {
    pub(super) fn new(maximum: usize) -> Self {
        Self { buffers: VecDeque::new(), spare: Vec::new(), maximum, no_space: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Adds a copy as the newest.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.buffers.len() >= self.maximum {
            self.no_space += 1;
            match self.buffers.pop_front() {
                Some(oldest) => self.release(oldest),
                None => return,
            }
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        self.buffers.push_back(buffer);
    }

    /// Puts one back that was the oldest, and leaves `buffer` empty.
    pub(super) fn put_back(&mut self, buffer: &mut Vec<u8>) {
        if self.buffers.len() >= self.maximum {
            self.no_space += 1;
            buffer.clear();
            return;
        }
        let empty = self.spare.pop().unwrap_or_default();
        self.buffers.push_front(mem::replace(buffer, empty));
    }

    /// Takes the oldest in place of `buffer`, whose memory it keeps. `false` if there is none.
    pub(super) fn take(&mut self, buffer: &mut Vec<u8>) -> bool {
        let Some(oldest) = self.buffers.pop_front() else { return false };
        let used = mem::replace(buffer, oldest);
        self.release(used);
        true
    }

    pub(super) fn figures(&self) -> ErrorQueueFigures {
        let (current, maximum, no_space) = (self.buffers.len(), self.maximum, self.no_space);
        ErrorQueueFigures { current, maximum, no_space }
    }

    fn release(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.spare.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorQueue;

    #[test]
    fn the_oldest_gives_way() {
        let mut queue = ErrorQueue::new(2);
        for byte in 1..=3 {
            queue.push(&[byte]);
        }
        assert_eq!(queue.figures().no_space, 1);
        let mut buffer = Vec::new();
        assert!(queue.take(&mut buffer));
        assert_eq!(buffer, [2]);
        queue.put_back(&mut buffer);
        assert!(buffer.is_empty());
        assert!(queue.take(&mut buffer));
        queue.push(&[4]);
        // No room any more for what is older than all that wait.
        queue.put_back(&mut buffer);
        assert_eq!((queue.figures().current, queue.figures().no_space), (2, 2));
        let mut rest = Vec::new();
        while queue.take(&mut buffer) {
            rest.push(buffer.clone());
        }
        assert_eq!(rest, [[3], [4]]);
        assert!(queue.is_empty());
    }
}
