//! Kinds of change that the kernel reports.

/// What happened to a flow or an expectation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum EventKind {
    /// It was made (`NFNLGRP_CONNTRACK_NEW`).
    New,
    /// It changed (`NFNLGRP_CONNTRACK_UPDATE`).
    Update,
    /// It ended (`NFNLGRP_CONNTRACK_DESTROY`).
    Destroy,
}
