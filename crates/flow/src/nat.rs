//! Translation of addresses, as the two tuples of a flow show it.
//!
//! The reply tuple is the original one turned round but for what is translated: answers go to the translated source and
//! come from the translated destination.

use std::net::IpAddr;

use crate::{L4Key, Status, Tuple};

/// One end of a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// What may be translated beside the address: the port, the GRE key or the ICMP id.
    pub key: Option<u16>,
}

/// How one end of a flow is translated: what it was and what it became.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Translation {
    /// The kernel has decided (`IPS_SRC_NAT_DONE`, `IPS_DST_NAT_DONE`), perhaps for no translation.
    pub decided: bool,
    /// The end as its host knows it.
    pub before: Endpoint,
    /// The end as the other host knows it.
    pub after: Endpoint,
    /// Whether a new key is the work of this translation and not of that of the other end.
    owns_key: bool,
}

impl Translation {
    /// That of the source.
    pub fn of_source(status: Status, original: &Tuple, reply: &Tuple) -> Self {
        Self {
            decided: status.contains(Status::SRC_NAT_DONE),
            before: Endpoint { address: original.addresses.src(), key: src_key(original.key) },
            after: Endpoint { address: reply.addresses.dst(), key: dst_key(reply.key) },
            owns_key: owns_key(original.key, status, Status::SRC_NAT),
        }
    }

    /// That of the destination.
    pub fn of_destination(status: Status, original: &Tuple, reply: &Tuple) -> Self {
        Self {
            decided: status.contains(Status::DST_NAT_DONE),
            before: Endpoint { address: original.addresses.dst(), key: dst_key(original.key) },
            after: Endpoint { address: reply.addresses.src(), key: src_key(reply.key) },
            owns_key: owns_key(original.key, status, Status::DST_NAT),
        }
    }

    /// Whether the address is another one.
    pub fn changes_address(&self) -> bool {
        self.after.address != self.before.address
    }

    /// Whether the port, key or ICMP id is another one. Both ends have the same ICMP id.
    pub fn changes_key(&self) -> bool {
        self.after.key != self.before.key
    }

    /// What the end became; `None` if it is not translated.
    pub fn result(&self) -> Option<Endpoint> {
        let changed = self.changes_address() || (self.changes_key() && self.owns_key);
        (self.decided && changed).then_some(self.after)
    }
}

/// An ICMP id is that of both ends, so only the status tells which translation changed it.
fn owns_key(key: L4Key, status: Status, translated: Status) -> bool {
    key.icmp().is_none() || status.contains(translated)
}

fn src_key(key: L4Key) -> Option<u16> {
    match key {
        L4Key::Ports(ports) => Some(ports.src),
        L4Key::Icmp(icmp) | L4Key::Icmpv6(icmp) => Some(icmp.id),
        L4Key::None => None,
    }
}

fn dst_key(key: L4Key) -> Option<u16> {
    match key {
        L4Key::Ports(ports) => Some(ports.dst),
        L4Key::Icmp(icmp) | L4Key::Icmpv6(icmp) => Some(icmp.id),
        L4Key::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Translation;
    use crate::{AddressPair, IcmpKey, L4Key, Ports, Protocol, Status, Tuple};

    const DECIDED: Status = Status::SRC_NAT_DONE.union(Status::DST_NAT_DONE);

    fn original(protocol: Protocol, key: L4Key) -> Tuple {
        let addresses = AddressPair::V4 { src: [10, 0, 0, 1].into(), dst: [192, 0, 2, 1].into() };
        Tuple { addresses, protocol, key }
    }

    #[test]
    fn only_a_decided_change_is_a_translation() {
        let original = original(Protocol::Tcp, L4Key::Ports(Ports { src: 1001, dst: 80 }));
        let same = original.inverted();
        let reply = Tuple { key: L4Key::Ports(Ports { src: 8080, dst: 1001 }), ..same };
        let source = |status, reply| Translation::of_source(status, &original, reply).result();
        let destination =
            |status, reply| Translation::of_destination(status, &original, reply).result();
        assert_eq!(source(DECIDED, &same), None);
        assert_eq!(destination(DECIDED, &same), None);
        assert_eq!(source(DECIDED, &reply), None);
        assert_eq!(destination(Status::SRC_NAT_DONE, &reply), None);
        let became = destination(DECIDED, &reply).unwrap();
        assert_eq!(became.address, original.addresses.dst());
        assert_eq!(became.key, Some(8080));
    }

    #[test]
    fn a_new_icmp_id_belongs_to_the_end_that_the_status_names() {
        let echo = |kind, id| L4Key::Icmp(IcmpKey { kind, code: 0, id });
        let original = original(Protocol::Icmp, echo(8, 77));
        let reply = Tuple { key: echo(0, 78), ..original.inverted() };
        let status = DECIDED | Status::SRC_NAT;
        let source = Translation::of_source(status, &original, &reply);
        assert_eq!(source.result().and_then(|end| end.key), Some(78));
        let destination = Translation::of_destination(status, &original, &reply);
        assert!(destination.changes_key());
        assert_eq!(destination.result(), None);
    }
}
