//! The whole program against a kernel made of values: every answer, refusal and fault that a real one gives rarely or
//! never, with the exact bytes on both streams, the exit code, and what the requests said.
#![forbid(unsafe_code)]

#[cfg(test)]
mod batches;
#[cfg(test)]
mod creates;
#[cfg(test)]
mod deletes;
#[cfg(test)]
mod events;
#[cfg(test)]
mod expectations;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod lookups;
#[cfg(test)]
mod updates;
