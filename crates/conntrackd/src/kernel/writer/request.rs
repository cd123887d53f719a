//! What is asked of the kernel for an entry.

use ctnetlink::{ExpectationRequest, FlowRequest, NatRange};
use ctsync::wire::{Restored, Translated};
use flow::{
    Direction, Expectation, FlowId, FlowRead, PartialTuple, PerDirection, Status, Tuple, Zone,
};

/// A flow to delete. With its id a later flow of the same tuple is not hit, unless the kernel put it in the same place: ids are
/// made of tuple and place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlowKey {
    /// Its original tuple.
    pub original: Tuple,
    /// Zone of both directions.
    pub zone: Option<Zone>,
    /// Zone of the original direction only.
    pub original_zone: Option<Zone>,
    /// Its id.
    pub id: Option<FlowId>,
}

impl FlowKey {
    /// That of a flow of the table.
    pub fn of(flow: &impl FlowRead) -> Self {
        Self {
            original: flow.tuple(Direction::Original),
            zone: flow.zone(),
            original_zone: flow.tuple_zone(Direction::Original),
            id: flow.id(),
        }
    }

    pub(super) fn request(&self) -> FlowRequest {
        FlowRequest {
            family: Some(self.original.addresses.family()),
            tuples: original_only(self.original),
            tuple_zones: PerDirection { original: self.original_zone, reply: None },
            zone: self.zone,
            id: self.id,
            ..FlowRequest::default()
        }
    }
}

bitflags::bitflags! {
    /// Parts that are left out because the kernel refused them.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub(super) struct Parts: u8 {
        const HELPER = 1;
        const MASTER = 1 << 1;
        const LABELS = 1 << 2;
    }
}

/// The request that makes a flow.
///
/// The reply tuple is that of an untranslated flow: the kernel translates it itself, and only then.
pub(super) fn creation(restored: &Restored, without: Parts) -> FlowRequest {
    let Restored { flow, nat_src, nat_dst } = restored;
    let has_helper = flow.helper.is_some() && !without.contains(Parts::HELPER);
    FlowRequest {
        family: Some(flow.tuples.original.addresses.family()),
        tuples: flow.tuples.map(PartialTuple::from),
        zone: flow.zone,
        status: flow.status.map(|status| {
            if flow.helper.is_some() && !has_helper { status - Status::HELPER } else { status }
        }),
        timeout_s: flow.timeout_s,
        mark: flow.mark,
        protoinfo: flow.protoinfo,
        helper: flow.helper.filter(|_| has_helper),
        master: flow.master.filter(|_| !without.contains(Parts::MASTER)).map(PartialTuple::from),
        nat_src: nat_src.map(range),
        nat_dst: nat_dst.map(range),
        labels: flow.labels.clone().filter(|_| !without.contains(Parts::LABELS)),
        sequence_adjustment: flow.sequence_adjustment,
        synproxy: flow.synproxy,
        ..FlowRequest::default()
    }
}

/// The request that changes a flow: without what the kernel refuses to change.
pub(super) fn update(restored: &Restored, without: Parts) -> FlowRequest {
    creation(&restored.clone().as_update(), without)
}

/// The request that deletes a flow.
pub(super) fn deletion(restored: &Restored) -> FlowRequest {
    FlowKey {
        original: restored.flow.tuples.original,
        zone: restored.flow.zone,
        original_zone: None,
        id: None,
    }
    .request()
}

/// The request that deletes an expectation.
pub(super) fn expectation_deletion(expectation: &Expectation) -> ExpectationRequest {
    ExpectationRequest {
        family: Some(expectation.tuple.addresses.family()),
        tuple: expectation.tuple.into(),
        zone: expectation.zone,
        ..ExpectationRequest::default()
    }
}

fn original_only(original: Tuple) -> PerDirection<PartialTuple> {
    PerDirection { original: original.into(), reply: PartialTuple::default() }
}

/// Exactly this address, this port.
fn range(translated: Translated) -> NatRange {
    NatRange {
        first: translated.address,
        last: translated.address,
        first_port: translated.port,
        last_port: translated.port,
    }
}

#[cfg(test)]
mod tests {
    use ctsync::wire::{Record, RestoreOptions, Translated};
    use flow::{
        AddressPair, HelperName, L4Key, Labels, PartialTuple, Ports, ProtoInfo, Protocol, Status,
        TcpFlags, TcpInfo, TcpState, Tuple, Zone,
    };

    use super::{Parts, creation, deletion, update};

    fn tuple(port: u16) -> Tuple {
        Tuple {
            addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
            protocol: Protocol::Tcp,
            key: L4Key::Ports(Ports { src: port, dst: 80 }),
        }
    }

    fn record() -> Record {
        Record {
            zone: Some(Zone(3)),
            status: Some(
                Status::EXPECTED | Status::ASSURED | Status::SRC_NAT_DONE | Status::HELPER,
            ),
            protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
                state: Some(TcpState::ESTABLISHED),
                ..TcpInfo::default()
            })),
            master: Some(tuple(1)),
            nat_src: Translated { address: Some([198, 51, 100, 7].into()), port: Some(9) },
            helper: Some("ftp".try_into().unwrap()),
            labels: Some(Labels::from_bits([5])),
            ..Record::new(tuple(2))
        }
    }

    fn restored() -> ctsync::wire::Restored {
        record().restore(RestoreOptions { timeout_s: Some(60), window_tracking: false })
    }

    #[test]
    fn a_creation_translates_and_shows_no_translation_in_its_reply() {
        let request = creation(&restored(), Parts::empty());
        assert_eq!(request.tuples.original, PartialTuple::from(tuple(2)));
        assert_eq!(request.tuples.reply, PartialTuple::from(tuple(2).inverted()));
        let nat = request.nat_src.unwrap();
        assert_eq!((nat.first, nat.last), (nat.last, Some([198, 51, 100, 7].into())));
        assert_eq!((nat.first_port, nat.last_port), (Some(9), Some(9)));
        assert_eq!((request.nat_dst, request.zone), (None, Some(Zone(3))));
        let status = request.status.unwrap();
        assert!(status.contains(Status::CONFIRMED | Status::ASSURED | Status::HELPER));
        assert!(!status.contains(Status::EXPECTED));
        assert_eq!(request.master, Some(tuple(1).into()));
        assert_eq!(request.helper, Some(HelperName::from("ftp").unwrap()));
        let Some(ProtoInfo::Tcp(tcp)) = request.protoinfo else { panic!() };
        assert_eq!(tcp.flags.reply.unwrap().mask, TcpFlags::BE_LIBERAL);
        assert_eq!(request.timeout_s, Some(60));
    }

    #[test]
    fn what_is_refused_is_left_out() {
        let request = creation(&restored(), Parts::all());
        assert_eq!((request.helper, request.master, request.labels), (None, None, None));
        assert!(!request.status.unwrap().contains(Status::HELPER));
    }

    #[test]
    fn an_update_names_nothing_that_cannot_be_changed() {
        let request = update(&restored(), Parts::empty());
        assert_eq!((request.nat_src, request.helper, request.master), (None, None, None));
        assert!(request.status.unwrap().contains(Status::CONFIRMED | Status::ASSURED));
        assert_eq!(request.labels, Some(Labels::from_bits([5])));
    }

    #[test]
    fn a_deletion_names_tuple_and_zone_alone() {
        let request = deletion(&restored());
        assert_eq!(request.tuples.original, PartialTuple::from(tuple(2)));
        assert!(request.tuples.reply.is_empty());
        assert_eq!((request.zone, request.status, request.timeout_s), (Some(Zone(3)), None, None));
    }
}
