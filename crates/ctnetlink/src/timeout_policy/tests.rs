//! Requests as docs/ctnetlink.md gives them. That of a new policy is a captured vector.

use flow::{Family, Protocol};

use super::{TimeoutPolicyAttributes, TimeoutRequest, TimeoutValues};
use crate::Request;
use crate::wire::{Messages, Sequence};

fn encoded(request: TimeoutRequest<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Request::Timeouts(request).encode(Sequence(7), &mut out);
    out
}

/// Type, flags and what follows the netfilter header.
fn parts(request: TimeoutRequest<'_>) -> (u16, u16, Vec<u8>) {
    let datagram = encoded(request);
    let message = Messages::new(&datagram).next().unwrap().unwrap();
    assert_eq!(message.body[..4], [0; 4]);
    (message.header.kind, message.header.flags.bits(), message.body[4..].to_vec())
}

fn values(timeouts_s: &[(u16, u32)]) -> TimeoutValues {
    TimeoutValues { family: Family::Ipv6, protocol: Protocol::Udp, timeouts_s: timeouts_s.to_vec() }
}

const SCOPE: [u8; 16] = [6, 0, 2, 0, 0, 10, 0, 0, 5, 0, 3, 0, 17, 0, 0, 0];

#[test]
fn what_is_about_a_name_has_it_and_its_nul() {
    let name = [6, 0, 1, 0, b't', 0, 0, 0].to_vec();
    assert_eq!(parts(TimeoutRequest::Get(b"t")), (0x0801, 5, name.clone()));
    assert_eq!(parts(TimeoutRequest::Delete(b"t")), (0x0802, 5, name));
}

#[test]
fn what_is_about_all_has_no_attributes() {
    assert_eq!(parts(TimeoutRequest::List), (0x0801, 0x301, Vec::new()));
    assert_eq!(parts(TimeoutRequest::Flush), (0x0802, 5, Vec::new()));
}

#[test]
fn defaults_have_a_family_and_a_protocol() {
    let request = TimeoutRequest::Defaults(Family::Ipv6, Protocol::Udp);
    assert_eq!(parts(request), (0x0804, 5, SCOPE.to_vec()));
    let data = [12, 0, 4, 0x80, 8, 0, 2, 0, 0, 0, 1, 0];
    let set = [SCOPE.as_slice(), &data].concat();
    assert_eq!(parts(TimeoutRequest::SetDefaults(&values(&[(2, 256)]))), (0x0803, 5, set));
}

#[test]
fn without_timeouts_there_is_no_nest() {
    let name = [5, 0, 1, 0, 0, 0, 0, 0];
    let values = &values(&[]);
    let wanted = [name.as_slice(), &SCOPE].concat();
    assert_eq!(parts(TimeoutRequest::Add { name: b"", values }), (0x0800, 0x405, wanted));
}

#[test]
fn a_name_of_any_bytes_is_read() {
    let name = b"\xff\"\t";
    let datagram = encoded(TimeoutRequest::Add { name, values: &values(&[(1, 2), (9, 3)]) });
    let message = Messages::new(&datagram).next().unwrap().unwrap();
    let policy = TimeoutPolicyAttributes::parse(message.body).unwrap();
    assert_eq!(policy.name(), Some(&name[..]));
    assert_eq!((policy.layer3(), policy.protocol()), (Some(10), Some(Protocol::Udp)));
    assert_eq!(policy.timeouts_s().collect::<Vec<_>>(), [(1, 2), (9, 3)]);
    assert_eq!(policy.use_count(), None);
}
