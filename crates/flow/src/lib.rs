//! What connection tracking speaks of: flows, tuples, marks, zones, labels, expectations, events.
//!
//! Values and their text only. Nothing here does I/O, reads a clock or knows a byte of netlink, so that the tools,
//! the daemon and the tests share one vocabulary. Names follow the kernel's; the C constant stands in the docs.
//!
//! ```
//! use flow::{AddressPair, L4Key, Ports, Protocol, Tuple};
//!
//! let original = Tuple {
//!     addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
//!     protocol: Protocol::Tcp,
//!     key: L4Key::Ports(Ports { src: 40000, dst: 443 }),
//! };
//! assert_eq!(original.inverted().key, L4Key::Ports(Ports { src: 443, dst: 40000 }));
//! ```
#![forbid(unsafe_code)]

mod address;
mod direction;
mod event;
mod expectation;
pub mod filter;
mod flow;
mod label;
mod mark;
mod nat;
mod partial;
mod protocol;
pub mod protocols_file;
mod protoinfo;
mod status;
pub mod text;
mod tuple;
mod zone;

pub use address::{AddressPair, Family};
pub use direction::{Direction, PerDirection};
pub use event::EventKind;
pub use expectation::{Expectation, ExpectationFlags, ExpectationId, ExpectationNat};
pub use flow::{
    Counters, Flow, FlowId, FlowRead, HelperInfo, HelperName, SequenceAdjustment, Synproxy, TimeNs,
};
pub use label::{LabelMap, Labels};
pub use mark::{Mark, MaskedMark};
pub use nat::{Endpoint, Translation};
pub use partial::PartialTuple;
pub use protocol::Protocol;
pub use protoinfo::{
    DccpInfo, DccpRole, DccpState, ProtoInfo, SctpInfo, SctpState, TcpFlags, TcpFlagsMasked,
    TcpInfo, TcpState,
};
pub use status::Status;
pub use tuple::{IcmpKey, L4Key, Ports, Tuple};
pub use zone::Zone;
