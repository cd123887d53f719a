//! The `conntrackd` program: keeps the connection tracking tables of several firewalls alike.
//!
//! Words become a [`command_line::CommandLine`], the file becomes a [`config::Config`]. Neither step touches the kernel.
#![forbid(unsafe_code)]

pub mod command_line;
pub mod config;
pub mod control;
pub mod daemon;
pub mod filter;
pub mod help;
pub mod kernel;
pub mod lines;
pub mod link;
pub mod log;
pub mod real;
pub mod report;
pub mod run;
pub mod service;
pub mod statistics;
pub mod stats_mode;
pub mod surroundings;
pub mod wake;
