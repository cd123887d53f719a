//! Bytes that upstream's `nfct` 1.4.7 and kernel 6.1 exchanged, but for the padding of the tuple, which upstream leaves
//! as it finds it.

use flow::{Family, Protocol};

use super::{
    ExpectPolicy, HelperAttributes, HelperObject, HelperRequest, HelperSelection, HelperStatus,
};
use crate::Request;
use crate::wire::{Messages, Sequence};

const SEQUENCE: Sequence = Sequence(0x6b03_19a6);

const POLICIES: [ExpectPolicy<'_>; 1] =
    [ExpectPolicy { name: b"rpc", expect_max: 1, expect_timeout_s: 300 }];

const RPC: HelperObject<'_> = HelperObject {
    name: b"rpc",
    family: Family::Ipv4,
    protocol: Protocol::Tcp,
    queue: None,
    private_data_len: None,
    policies: &[],
    status: None,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn encoded(request: HelperRequest<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Request::Helpers(request).encode(SEQUENCE, &mut out);
    out
}

#[test]
fn a_registration_has_all_parts() {
    let helper = HelperObject { private_data_len: Some(16), policies: &POLICIES, ..RPC };
    let captured = "60000000000905 04a619036b00000000 00000000 0800010072706300 0800050000000010
        14000280 0600010000020000 0500020006000000 28000480 1c000280 0800010072706300
        0800020000000001 080003000000012c 0800010000000001";
    assert_eq!(encoded(HelperRequest::Put(&helper)), bytes(captured));
}

#[test]
fn a_change_has_only_what_changes() {
    let helper = HelperObject { status: Some(HelperStatus::Disabled), ..RPC };
    let captured = "380000000009 0504a619036b00000000 00000000 0800010072706300
        14000280 0600010000020000 0500020006000000 0800060000000000";
    assert_eq!(encoded(HelperRequest::Put(&helper)), bytes(captured));
}

#[test]
fn a_selection_is_a_name_and_perhaps_a_tuple() {
    let by_tuple = HelperSelection { name: b"rpc", tuple: Some((Family::Ipv4, 6)) };
    let captured = "3000000001090500a619036b00000000 00000000 0800010072706300
        14000280 0600010000020000 0500020006000000";
    assert_eq!(encoded(HelperRequest::Get(by_tuple)), bytes(captured));
    let by_name = HelperSelection { name: b"rpc", tuple: None };
    let captured = "1c00000002090500a619036b00000000 00000000 0800010072706300";
    assert_eq!(encoded(HelperRequest::Delete(by_name)), bytes(captured));
}

#[test]
fn a_list_and_a_flush_have_no_attributes() {
    let list = bytes("1400000001090103a619036b00000000 00000000");
    assert_eq!(encoded(HelperRequest::List), list);
    let flush = bytes("1400000002090500a619036b00000000 00000000");
    assert_eq!(encoded(HelperRequest::Flush), flush);
}

#[test]
fn an_answer_is_read_whole() {
    let datagram = bytes(
        "7000000000090200a719036bb0000000 00000000 0800010072706300 0800030000000000
        14000280 0600010000020000 0500020006000000 28000480 0800010000000001
        1c000280 0800010072706300 0800020000000001 080003000000012c
        0800050000000010 0800060000000000",
    );
    let message = Messages::new(&datagram).next().unwrap().unwrap();
    let helper = HelperAttributes::parse(message.body).unwrap();
    assert_eq!(helper.name(), Some(&b"rpc"[..]));
    assert_eq!((helper.layer3(), helper.protocol()), (Some(2), Some(Protocol::Tcp)));
    assert_eq!((helper.queue(), helper.private_data_len()), (Some(0), Some(16)));
    assert_eq!(helper.status(), Some(HelperStatus::Disabled));
    assert_eq!(helper.policies().collect::<Vec<_>>(), POLICIES);
}

#[test]
fn policies_that_were_written_are_read() {
    let policies = [b"a", b"b", b"c", b"d", b"e"].map(|name| ExpectPolicy {
        name,
        expect_max: u32::from(name[0]),
        expect_timeout_s: 7,
    });
    let helper = HelperObject {
        queue: Some(9),
        status: Some(HelperStatus::Other(3)),
        policies: &policies,
        ..RPC
    };
    let datagram = encoded(HelperRequest::Put(&helper));
    let message = Messages::new(&datagram).next().unwrap().unwrap();
    let read = HelperAttributes::parse(message.body).unwrap();
    // There is room for four.
    assert_eq!(read.policies().collect::<Vec<_>>(), policies[..4]);
    assert_eq!((read.queue(), read.status()), (Some(9), Some(HelperStatus::Other(3))));
    assert_eq!(read.private_data_len(), None);
}

#[test]
fn a_policy_that_lacks_a_part_is_passed_over() {
    // SET2 with a name alone.
    let datagram = bytes("00000000 10000480 0c000380 0800010072706300");
    let helper = HelperAttributes::parse(&datagram).unwrap();
    assert_eq!(helper.policies().count(), 0);
}
