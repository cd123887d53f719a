use flow::{AddressPair, IcmpKey, L4Key, Ports, Protocol, Tuple};

use super::{Cache, Entry, Key, Life, Slot, read_tuple, write_tuple};
use crate::time::Instant;
use crate::wire::Record;

fn key(number: u16) -> Key {
    Key::of_record(&Record::new(Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: number, dst: 53 }),
    }))
}

fn insert(cache: &mut Cache, number: u16, body: &[u8], tail: &[u8]) -> Option<Slot> {
    let key = key(number);
    let fingerprint = cache.find(&key).fingerprint;
    cache.insert(Instant(0), (&key, fingerprint), body, tail)
}

#[test]
fn a_tuple_comes_back_from_a_key() {
    let v4 = AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() };
    let v6 = AddressPair::V6 { src: [1; 16].into(), dst: [2; 16].into() };
    let icmp = IcmpKey { kind: 8, code: 1, id: 0x1234 };
    for addresses in [v4, v6] {
        for (protocol, key) in [
            (Protocol::Gre, L4Key::Ports(Ports { src: 0, dst: 0x88be })),
            (Protocol::Icmp, L4Key::Icmp(icmp)),
            (Protocol::Icmpv6, L4Key::Icmpv6(icmp)),
            (Protocol::Other(50), L4Key::None),
        ] {
            let tuple = Tuple { addresses, protocol, key };
            let mut bytes = Vec::new();
            write_tuple(&tuple, |part| bytes.extend_from_slice(part));
            for end in 0..bytes.len() {
                assert_eq!(read_tuple(&bytes[..end]), None);
            }
            bytes.push(7);
            assert_eq!(read_tuple(&bytes), Some((tuple, &[7][..])));
        }
    }
}

#[test]
fn an_entry_is_small() {
    assert_eq!(size_of::<Entry>(), 28);
}

#[test]
fn entries_come_change_and_go() {
    let mut cache = Cache::new(2, 7);
    let first = insert(&mut cache, 1, b"body", b"tail").unwrap();
    let second = insert(&mut cache, 2, &[9; 200], b"").unwrap();
    assert_eq!(insert(&mut cache, 3, b"body", b""), None);
    assert_eq!((cache.counters.no_space, cache.counters.create_failed), (1, 1));
    let content = cache.content(first).unwrap();
    assert_eq!((content.body, content.tail), (&b"body"[..], &b"tail"[..]));
    cache.replace(Instant(0), first, Life::Updated, &[8; 100], b"t");
    let content = cache.content(first).unwrap();
    assert_eq!((content.body, content.tail), (&[8; 100][..], &b"t"[..]));
    assert_eq!(cache.find(&key(1)).slot, Some(first));
    cache.kill(first);
    assert_eq!((cache.len(), cache.alive()), (2, 1));
    cache.remove(first);
    assert_eq!(cache.find(&key(1)).slot, None);
    let third = insert(&mut cache, 3, b"x", b"").unwrap();
    assert_eq!(third, first, "a vacant place is used again");
    assert_eq!((cache.body(second).len(), cache.body(third)), (200, &b"x"[..]));
    assert_eq!(cache.next_slot(second.0 + 1), None);
}
