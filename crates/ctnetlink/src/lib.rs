//! The kernel's connection tracking over netlink: bytes to values and back, requests and their replies.
//!
//! Everything but [`client`] is pure: bytes in, values out. A received message is read through a view that checks every
//! length once ([`FlowView`]); what is kept is copied out of it into a [`flow::Flow`]. Facts: docs/ctnetlink.md.
//!
//! ```
//! use ctnetlink::{DumpFilter, Request, wire::Sequence};
//!
//! let mut message = Vec::new();
//! Request::DumpFlows { filter: &DumpFilter::default(), zero: false }
//!     .encode(Sequence(7), &mut message);
//! assert_eq!(message.len(), 20);
//! ```
#![forbid(unsafe_code)]

mod batch;
pub mod bpf;
pub mod client;
mod conntrack;
mod error;
mod event;
mod exchange;
mod expect;
mod fields;
mod helper_object;
mod request;
mod timeout_policy;
pub mod wire;

pub use batch::{Answer, Batch, WrittenRequest};
pub use conntrack::{
    CpuStatistics, DumpFilter, FlowAttributes, FlowRequest, FlowView, NatRange, StatusFilter,
    TableStatistics, TupleFields, encode_flow,
};
pub use error::{DecodeError, KernelError};
pub use event::{EventMessage, Table, group};
pub use exchange::{Exchange, ExchangeError, Expects, Reply};
pub use expect::{
    ExpectationAttributes, ExpectationRequest, ExpectationStatistics, encode_expectation,
};
pub use helper_object::{
    ExpectPolicy, HelperAttributes, HelperObject, HelperRequest, HelperSelection, HelperStatus,
};
pub use request::{CreateMode, Request};
pub use timeout_policy::{TimeoutPolicyAttributes, TimeoutRequest, TimeoutValues};
