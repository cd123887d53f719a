//! Subsystem 1: flows.

mod dump_filter;
mod encode;
pub(crate) mod number;
mod statistics;
mod table;
pub(crate) mod tuple;
mod view;

pub use dump_filter::{DumpFilter, StatusFilter, TupleFields};
pub use encode::{FlowRequest, NatRange, encode_flow};
pub use statistics::{CpuStatistics, TableStatistics};
pub use view::{FlowAttributes, FlowView};

pub(crate) use dump_filter::write as write_filter;
pub(crate) use encode::write_request;
