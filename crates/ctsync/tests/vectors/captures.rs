//! Whole conversations: every datagram in the captures is taken, and written again to the byte.

use std::fs;

use ctsync::wire::{Content, ExpectationRecord, Flags, Frames, Mode, Record, Stamp};

use crate::case::{files, folder, hex};

/// Payloads of the UDP packets of a classic capture file with link type SLL2.
fn datagrams(file: &[u8]) -> Vec<Vec<u8>> {
    const FILE_HEADER: usize = 24;
    const LINK_HEADER: usize = 20;
    const UDP: u8 = 17;
    assert_eq!(file[20..24], 276u32.to_le_bytes(), "link type");
    let mut found = Vec::new();
    let mut rest = &file[FILE_HEADER..];
    while let Some((header, after)) = rest.split_first_chunk::<16>() {
        let len = u32::from_le_bytes(header[8..12].try_into().unwrap());
        let (packet, after) = after.split_at(usize::try_from(len).unwrap());
        rest = after;
        let packet = &packet[LINK_HEADER..];
        let (protocol, ip_header) = match packet[0] >> 4 {
            4 => (packet[9], usize::from(packet[0] & 0xf) * 4),
            6 => (packet[6], 40),
            other => panic!("IP version {other}"),
        };
        if protocol == UDP {
            found.push(packet[ip_header + 8..].to_vec());
        }
    }
    found
}

#[test]
fn whole_conversations_come_back_to_the_byte() {
    let (mut captures, mut sent, mut messages) = (0, 0, 0);
    for file in files(&folder().join("pcap"), "pcap") {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let mode = match name.split('-').next() {
            Some("ftfw") => Mode::Ftfw,
            Some("notrack") => Mode::Notrack,
            Some("alarm") => Mode::Alarm,
            other => panic!("{other:?}"),
        };
        for datagram in datagrams(&fs::read(&file).unwrap()) {
            let mut written = Vec::new();
            for frame in Frames::new(&datagram) {
                let message = frame.unwrap().message().unwrap();
                let stamp =
                    Stamp { greeting: message.flags & Flags::GREETING, sequence: message.sequence };
                match message.content(mode).unwrap() {
                    Content::Flow(event, body) => {
                        Record::decode(body).unwrap().encode(event, stamp, &mut written);
                    }
                    Content::Expectation(event, body) => {
                        ExpectationRecord::decode(body).unwrap().encode(event, stamp, &mut written);
                    }
                    Content::Control(control) => control.encode(stamp, &mut written),
                    Content::Ignored => panic!("{name}: {message:?}"),
                }
                messages += 1;
            }
            assert_eq!(hex(&written), hex(&datagram), "{name}");
            sent += 1;
        }
        captures += 1;
    }
    assert_eq!((captures, sent, messages), (12, 861, 1003));
}
