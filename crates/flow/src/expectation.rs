//! Expectations: flows that a helper foretold.

use crate::flow::HelperName;
use crate::{Direction, Tuple, Zone};

bitflags::bitflags! {
    /// Flags of an expectation (`NF_CT_EXPECT_*`).
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
    pub struct ExpectationFlags: u32 {
        /// It stays after the first flow that meets it.
        const PERMANENT = 1;
        /// It is not matched.
        const INACTIVE = 2;
        /// A user-space helper made it.
        const USERSPACE = 4;

        const _ = !0;
    }
}

/// Id of an expectation (`CTA_EXPECT_ID`): opaque, valid until the kernel restarts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct ExpectationId(pub u32);

/// How the expected flow is to be translated (`CTA_EXPECT_NAT`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct ExpectationNat {
    /// The direction of the master that the expected flow has.
    pub direction: Direction,
    /// Its source holds the address and port to restore.
    pub tuple: Tuple,
}

/// An entry of the expectation table (`struct nf_conntrack_expect`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expectation {
    /// The expected original tuple.
    pub tuple: Tuple,
    /// Which bits of it count.
    pub mask: Tuple,
    /// Original tuple of the flow that it belongs to.
    pub master: Tuple,
    /// Translation of the expected flow.
    pub nat: Option<ExpectationNat>,
    /// Rest of its life in seconds.
    pub timeout_s: Option<u32>,
    /// Its id.
    pub id: Option<ExpectationId>,
    /// Zone, in requests only: the kernel never sends it.
    pub zone: Option<Zone>,
    /// Flags.
    pub flags: Option<ExpectationFlags>,
    /// Class of the helper's policy.
    pub class: Option<u32>,
    /// Name of the helper.
    pub helper: Option<HelperName>,
    /// Name of the function that prepares the expected flow (`CTA_EXPECT_FN`).
    pub function: Option<String>,
}
