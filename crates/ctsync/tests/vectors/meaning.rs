//! From the tree of a message to the value that it means: the way opposite to decoding.
//!
//! Every key is used or the test fails. Of attributes that are there twice the last one counts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use arrayvec::ArrayString;
use ctsync::wire::{Control, ExpectationNatRecord, ExpectationRecord, Record, Translated};
use ctsync::{Sequence, SequenceRange};
use flow::{
    AddressPair, DccpInfo, DccpRole, DccpState, Direction, ExpectationFlags, IcmpKey, L4Key,
    Labels, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo, SctpState,
    SequenceAdjustment, Status, Synproxy, TcpInfo, TcpState, Tuple, Zone,
};
use serde_json::Value;

/// The attributes of a message by name.
struct Tree<'a>(BTreeMap<&'a str, &'a Value>);

impl<'a> Tree<'a> {
    fn of(message: &'a Value) -> Self {
        let attributes = message["attrs"].as_array().unwrap();
        let known = attributes.iter().filter(|attribute| attribute["name"] != "UNKNOWN");
        Self(known.map(|attribute| (attribute["name"].as_str().unwrap(), attribute)).collect())
    }

    fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.0.remove(name)
    }

    fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        self.take(name).map(|attribute| number(attribute, "value"))
    }

    fn text<const N: usize>(&mut self, name: &str) -> Option<ArrayString<N>> {
        let text = self.take(name)?["text"].as_str().unwrap();
        Some(ArrayString::from(text).unwrap())
    }

    /// A state, whose name must be ours too.
    fn state(&mut self, name: &str, ours: fn(u8) -> Option<&'static str>) -> Option<u8> {
        let attribute = self.take(name)?;
        let value = number(attribute, "value");
        assert_eq!(attribute["text"].as_str(), ours(value));
        Some(value)
    }

    fn ports(&mut self, name: &str) -> Option<Ports> {
        let attribute = self.take(name)?;
        Some(Ports { src: number(attribute, "sport"), dst: number(attribute, "dport") })
    }

    fn addresses(&mut self, prefix: &str) -> Option<AddressPair> {
        let ipv4 = self.take(&format!("{prefix}IPV4")).map(|attribute| AddressPair::V4 {
            src: address(attribute, "src"),
            dst: address(attribute, "dst"),
        });
        let ipv6 = self.take(&format!("{prefix}IPV6")).map(|attribute| AddressPair::V6 {
            src: address(attribute, "src"),
            dst: address(attribute, "dst"),
        });
        ipv4.xor(ipv6)
    }

    fn address(&mut self, prefix: &str) -> Option<IpAddr> {
        let ipv4 = self.take(&format!("{prefix}_IPV4"));
        let ipv6 = self.take(&format!("{prefix}_IPV6"));
        let ipv4 = ipv4.map(|attribute| address::<Ipv4Addr>(attribute, "addr").into());
        ipv4.xor(ipv6.map(|attribute| address::<Ipv6Addr>(attribute, "addr").into()))
    }

    /// A tuple with ports or without.
    fn tuple(&mut self, prefix: &str) -> Option<Tuple> {
        let addresses = self.addresses(prefix)?;
        let protocol = Protocol::from(self.number::<u8>(&format!("{prefix}L4PROTO")).unwrap());
        let ports = self.ports(&format!("{prefix}PORT"));
        Some(Tuple { addresses, protocol, key: ports.map_or(L4Key::None, L4Key::Ports) })
    }

    fn done(self) {
        assert!(self.0.is_empty(), "not used: {:?}", self.0);
    }
}

fn number<T: TryFrom<u64>>(tree: &Value, key: &str) -> T {
    let number = tree[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {tree}"));
    T::try_from(number).unwrap_or_else(|_| panic!("{key} too large in {tree}"))
}

fn address<T: FromStr>(tree: &Value, key: &str) -> T {
    let text = tree[key].as_str().unwrap();
    text.parse().unwrap_or_else(|_| panic!("no address: {text}"))
}

/// What the message says of a flow.
pub(crate) fn record(message: &Value) -> Record {
    let mut tree = Tree::of(message);
    let mut original = tree.tuple("").unwrap();
    original.key = match original.protocol {
        Protocol::Gre | Protocol::UdpLite => L4Key::Ports(Ports::default()),
        Protocol::Icmp => L4Key::Icmp(icmp(&mut tree)),
        Protocol::Icmpv6 => L4Key::Icmpv6(icmp(&mut tree)),
        _ => original.key,
    };
    let record = Record {
        original,
        zone: tree.number("ZONE").map(Zone),
        status: status(&mut tree),
        timeout_s: tree.number("TIMEOUT"),
        mark: tree.number("MARK").map(Mark),
        protoinfo: protoinfo(&mut tree),
        master: tree.tuple("MASTER_"),
        nat_src: Translated { address: tree.address("SNAT"), port: tree.number("SPAT_PORT") },
        nat_dst: Translated { address: tree.address("DNAT"), port: tree.number("DPAT_PORT") },
        sequence_adjustment: tree.take("NAT_SEQ_ADJ").map(|adjustments| {
            let part = |prefix, part| number::<u32>(adjustments, &format!("{prefix}_{part}"));
            let of = |prefix| SequenceAdjustment {
                correction_position: part(prefix, "correction_pos"),
                offset_before: part(prefix, "offset_before").cast_signed(),
                offset_after: part(prefix, "offset_after").cast_signed(),
            };
            PerDirection { original: of("orig"), reply: of("repl") }
        }),
        helper: tree.text("HELPER_NAME"),
        labels: labels(&mut tree),
        synproxy: tree.take("SYNPROXY").map(|synproxy| Synproxy {
            initial_sequence: number(synproxy, "isn"),
            initial_timestamp: number(synproxy, "its"),
            timestamp_offset: number(synproxy, "tsoff"),
        }),
    };
    tree.done();
    record
}

fn icmp(tree: &mut Tree<'_>) -> IcmpKey {
    IcmpKey {
        kind: tree.number("ICMP_TYPE").unwrap(),
        code: tree.number("ICMP_CODE").unwrap(),
        id: tree.number("ICMP_ID").unwrap(),
    }
}

fn status(tree: &mut Tree<'_>) -> Option<Status> {
    let attribute = tree.take("STATUS")?;
    let status = Status::from_bits_retain(number(attribute, "value"));
    let names: Vec<&str> = status.iter_names().map(|(name, _)| name).collect();
    let listed: Vec<&str> =
        attribute["bits"].as_array().unwrap().iter().map(|bit| bit.as_str().unwrap()).collect();
    assert_eq!(names, listed);
    Some(status)
}

fn protoinfo(tree: &mut Tree<'_>) -> Option<ProtoInfo> {
    let tcp = TcpInfo {
        state: tree.state("TCP_STATE", |value| TcpState(value).name()).map(TcpState),
        window_scale: PerDirection {
            original: tree.number("TCP_WSCALE_ORIG"),
            reply: tree.number("TCP_WSCALE_REPL"),
        },
        flags: PerDirection::default(),
    };
    let sctp = SctpInfo {
        state: tree.state("SCTP_STATE", |value| SctpState(value).name()).map(SctpState),
        vtags: PerDirection {
            original: tree.number("SCTP_VTAG_ORIG"),
            reply: tree.number("SCTP_VTAG_REPL"),
        },
    };
    let dccp = DccpInfo {
        state: tree.state("DCCP_STATE", |value| DccpState(value).name()).map(DccpState),
        role: tree.number("DCCP_ROLE").map(DccpRole),
        handshake_sequence: None,
    };
    let given = [
        (tcp != TcpInfo::default()).then_some(ProtoInfo::Tcp(tcp)),
        (sctp != SctpInfo::default()).then_some(ProtoInfo::Sctp(sctp)),
        (dccp != DccpInfo::default()).then_some(ProtoInfo::Dccp(dccp)),
    ];
    let mut given = given.into_iter().flatten();
    let first = given.next();
    assert_eq!(given.next(), None);
    first
}

/// Whole words of labels, of which a flow has at most four.
fn labels(tree: &mut Tree<'_>) -> Option<Labels> {
    let attribute = tree.take("LABELS")?;
    // Without words, or with a part of one, the attribute says nothing.
    let words: usize = attribute.get("words").map(|_| number(attribute, "words"))?;
    let bits = attribute["bits"].as_array().unwrap().iter();
    let bits = bits.map(|bit| u32::try_from(bit.as_u64().unwrap()).unwrap());
    let all = Labels::from_bits(bits);
    Labels::from_bytes(&all.as_bytes()[..4 * words.min(4)])
}

/// What the message says of an expectation.
pub(crate) fn expectation(message: &Value) -> ExpectationRecord {
    let mut tree = Tree::of(message);
    let nat = tree.number("NAT_DIR").map(|direction: u8| ExpectationNatRecord {
        addresses: tree.addresses("NAT_"),
        protocol: Protocol::from(tree.number::<u8>("NAT_L4PROTO").unwrap()),
        ports: tree.ports("NAT_PORT"),
        direction: Direction::BOTH[usize::from(direction)],
    });
    let record = ExpectationRecord {
        master: tree.tuple("MASTER_").unwrap(),
        tuple: tree.tuple("EXPECT_").unwrap(),
        mask: tree.tuple("MASK_").unwrap(),
        timeout_s: tree.number("TIMEOUT"),
        flags: tree.number("FLAGS").map(ExpectationFlags::from_bits_retain),
        class: tree.number("CLASS"),
        nat,
        helper: tree.text("HELPER_NAME"),
        function: tree.text("FN"),
    };
    tree.done();
    record
}

/// What a control message of a captured vector says.
pub(crate) fn control(message: &Value) -> Control {
    let range = || {
        let number = |key| Sequence(number(message, key));
        SequenceRange::new(number("from"), number("to")).unwrap()
    };
    let flags = message["flag_names"].as_array().unwrap().iter();
    let mut flags = flags.filter_map(Value::as_str).filter(|name| !name.starts_with("HELLO"));
    let control = match flags.next() {
        Some("ACK") => Control::Received(range()),
        Some("NACK") => Control::Missed(range()),
        Some("RESYNC") => {
            assert_eq!(range(), SequenceRange::of(Sequence(0)));
            Control::Resync
        }
        Some("ALIVE") => Control::Alive,
        other => panic!("{other:?}"),
    };
    assert_eq!(flags.next(), None);
    control
}
