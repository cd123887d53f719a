//! The installed program as a service: what it tells its manager, how it starts and fails, what signals do, how it is
//! scheduled, how its logs are rotated. Each test has a folder and, through its thread, a network namespace of its own.
//!
//! Without root the tests say so and count as skipped.
#![forbid(unsafe_code)]
#![cfg(test)]

mod helper;
mod manager;
mod notify;
mod rotation;
mod schedule;
mod stage;
mod start;
mod unit;
