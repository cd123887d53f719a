//! The whole program against a kernel made of values: every answer, refusal and fault that a real one gives rarely or
//! never, with the exact bytes on both streams, the exit code, and what was asked.
#![forbid(unsafe_code)]

#[cfg(test)]
mod documents;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod lists;
