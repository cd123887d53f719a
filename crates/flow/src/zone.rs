//! Connection tracking zones.

/// A zone id (`CTA_ZONE`, `CTA_TUPLE_ZONE`). Zone 0 is the default one and is never sent by the kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Zone(pub u16);
