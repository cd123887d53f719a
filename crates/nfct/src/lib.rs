//! The `nfct` program: timeout policies, default timeouts, and the registry of helpers in user space.
//!
//! Words become a [`command::Call`] that needs no further check; nothing is opened before that. Its answer is written as
//! upstream writes it ([`text`]) or as JSON ([`json`]).
#![forbid(unsafe_code)]

pub mod command;
pub mod entries;
pub mod helper;
pub mod json;
pub mod real;
pub mod report;
pub mod run;
pub mod surroundings;
pub mod text;
pub mod timeout;
pub mod usage_error;
pub mod words;
