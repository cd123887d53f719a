use flow::{AddressPair, L4Key, Ports, Protocol, Tuple};

use super::{Cache, Entry, Key, Life};
use crate::time::Instant;
use crate::wire::Record;

fn key(number: u16) -> Key {
    Key::of_record(&Record::new(Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: number, dst: 53 }),
    }))
}

#[test]
fn an_entry_is_small() {
    assert_eq!(size_of::<Entry>(), 28);
}

#[test]
fn entries_come_change_and_go() {
    let mut cache = Cache::new(2, 7);
    let first = cache.insert(Instant(0), &key(1), b"body", b"tail").unwrap();
    let second = cache.insert(Instant(0), &key(2), &[9; 200], b"").unwrap();
    assert_eq!(cache.insert(Instant(0), &key(3), b"body", b""), None);
    assert_eq!((cache.counters.no_space, cache.counters.create_failed), (1, 1));
    assert_eq!((cache.body(first), cache.tail(first)), (&b"body"[..], &b"tail"[..]));
    cache.replace(Instant(0), first, Life::Updated, &[8; 100], b"t");
    assert_eq!((cache.body(first), cache.tail(first)), (&[8; 100][..], &b"t"[..]));
    assert_eq!(cache.find(&key(1)), Some(first));
    cache.kill(first);
    assert_eq!((cache.len(), cache.alive()), (2, 1));
    cache.remove(first);
    assert_eq!(cache.find(&key(1)), None);
    let third = cache.insert(Instant(0), &key(3), b"x", b"").unwrap();
    assert_eq!(third, first, "a vacant place is used again");
    assert_eq!((cache.body(second).len(), cache.body(third)), (200, &b"x"[..]));
    assert_eq!(cache.slots().count(), 2);
}
