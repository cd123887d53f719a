//! The `conntrack` program: command line interface for the connection tracking system.
//!
//! Words become [`options::Options`] (grammar and values, left to right), which [`matrix::check`] then holds against the
//! table of what each command allows. Neither step opens a file or a socket.
#![forbid(unsafe_code)]

pub mod batch;
pub mod command;
pub mod frame;
pub mod getopt;
pub mod help;
pub mod labels;
pub mod matrix;
pub mod options;
pub mod output;
pub mod printer;
pub mod protocol;
pub mod real;
pub mod report;
pub mod run;
pub mod save;
pub mod select;
pub mod surroundings;
pub mod usage_error;
pub mod values;
