//! `-E`: what happens, as it happens, until something ends it.

use ctnetlink::bpf::FlowConditions;
use ctnetlink::wire::MessageFlags;
use flow::{Family, Flow, Mark, MaskedMark, PartialTuple, PerDirection, Protocol, TimeNs, Zone};
use sys::netlink::OpenError;

use crate::fake::{
    ENOSPC, EPERM, EPIPE, Happening, Stage, event, flow_content, flow_content_with, said, udp,
    udp_element, udp_line,
};

const OVERRUN: &str = "WARNING: We have hit ENOBUFS! We are losing events.\n\
    This message means that the current netlink socket buffer size is too small.\n\
    Please, check --buffer-size in conntrack(8) manpage.\n";
const XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n";
const XML_END: &str = "</conntrack>\n";

fn shown(count: usize) -> String {
    said(&format!("{count} flow events have been shown."))
}

fn new(flow: &Flow) -> Happening {
    new_by(flow, 0)
}

fn new_by(flow: &Flow, port_id: u32) -> Happening {
    let created = MessageFlags::CREATE | MessageFlags::EXCL;
    Happening::Datagram(event(0x0100, created, port_id, &flow_content(flow)))
}

fn update(flow: &Flow) -> Happening {
    Happening::Datagram(event(0x0100, MessageFlags::empty(), 0, &flow_content(flow)))
}

fn destroy(flow: &Flow) -> Happening {
    Happening::Datagram(event(0x0102, MessageFlags::empty(), 0, &flow_content(flow)))
}

fn new_line(port: u16) -> String {
    format!("    [NEW] {}", udp_line(port))
}

fn new_element(port: u16) -> String {
    udp_element(port).replace("<flow>", "<flow type=\"new\">")
}

/// Runs `line` while this happens.
#[track_caller]
fn watch(
    line: &str,
    happenings: impl IntoIterator<Item = Happening>,
    code: u8,
    stdout: &str,
    stderr: &str,
) {
    let mut stage = Stage::new([]);
    stage.kernel.happen(happenings);
    stage.run(line).is(code, stdout, stderr);
}

#[test]
fn type_and_flags_of_the_message_tell_the_kind() {
    let lines =
        [new_line(1), format!(" [UPDATE] {}", udp_line(2)), format!("[DESTROY] {}", udp_line(3))];
    let happenings = [new(&udp(1)), update(&udp(2)), destroy(&udp(3)), Happening::Stop];
    watch("-E", happenings, 0, &lines.concat(), &shown(3));
}

#[test]
fn what_is_queued_when_the_signal_comes_is_shown() {
    let happenings = [new(&udp(1)), Happening::Pause, Happening::Stop, new(&udp(2))];
    watch("-E", happenings, 0, &format!("{}{}", new_line(1), new_line(2)), &shown(2));
}

#[test]
fn groups_are_those_of_the_wanted_kinds() {
    for (line, groups) in [
        ("-E", 0b111),
        ("-E -e ALL", 0b111),
        ("-E -e NEW", 0b001),
        ("-E -e UPDATES", 0b010),
        ("-E -e NEW,DESTROY", 0b101),
        ("-E -e NEW -e DESTROY", 0b101),
    ] {
        let mut stage = Stage::new([]);
        stage.kernel.happen([Happening::Stop]);
        stage.run(line).is(0, "", &shown(0));
        assert_eq!(stage.kernel.groups(), [groups], "{line}");
        assert_eq!(stage.kernel.asked(), [], "{line}: no list before the events");
    }
}

#[test]
fn only_selected_flows_are_shown_and_counted() {
    let happenings = [new(&udp(1)), new(&udp(2)), Happening::Stop];
    watch("-E -p udp --sport 2", happenings, 0, &new_line(2), &shown(1));
}

#[test]
fn messages_of_other_subsystems_and_of_netlink_are_passed_over() {
    let flow = flow_content(&udp(9));
    let mut datagram = event(0x0200, MessageFlags::CREATE, 0, &flow);
    datagram.extend(event(2, MessageFlags::empty(), 0, &[0; 20]));
    datagram.extend(event(0x0100, MessageFlags::CREATE, 0, &flow_content(&udp(1))));
    watch("-E", [Happening::Datagram(datagram), Happening::Stop], 0, &new_line(1), &shown(1));
}

#[test]
fn a_change_by_a_program_names_its_port_and_the_program_if_it_is_there() {
    let mut stage = Stage::new([]);
    stage.system.put_program(77, "conntrackd");
    stage.kernel.happen([new_by(&udp(1), 77), new_by(&udp(2), 78), Happening::Stop]);
    let lines = new_line(1).replace('\n', " [USERSPACE] portid=77 progname=conntrackd\n")
        + &new_line(2).replace('\n', " [USERSPACE] portid=78\n");
    stage.run("-E").is(0, &lines, &shown(2));
}

#[test]
fn a_cause_has_no_place_in_documents_and_saved_lines() {
    for form in ["xml", "save"] {
        let mut stage = Stage::new([]);
        stage.system.put_program(77, "conntrackd");
        stage.kernel.happen([new_by(&udp(1), 77), Happening::Stop]);
        let ended = stage.run(&format!("-E -o {form}"));
        assert_eq!(ended.code, 0);
        assert!(!ended.stdout.is_empty());
        assert!(!ended.stdout.contains("USERSPACE"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("progname"), "{}", ended.stdout);
    }
}

#[test]
fn the_time_of_an_event_is_the_kernels_or_else_that_of_the_clock() {
    let known = Flow { event_time: Some(TimeNs(5_000_001_999)), ..udp(1) };
    let happenings = [new(&known), new(&udp(2)), Happening::Stop];
    let lines = format!("[5       .000001]\t{}[1700000000.123456]\t{}", new_line(1), new_line(2));
    watch("-E -o timestamp", happenings, 0, &lines, &shown(2));
}

#[test]
fn the_time_in_a_document_is_local() {
    let known = Flow { event_time: Some(TimeNs(1_700_000_000_000_000_000)), ..udp(1) };
    let when = "<when><hour>22</hour><min>13</min><sec>20</sec><wday>3</wday><day>14</day>\
        <month>11</month><year>2023</year></when></flow>";
    let element = new_element(1).replace("</flow>", when);
    let document = [XML, &element, XML_END].concat();
    watch("-E -o xml,timestamp,id", [new(&known), Happening::Stop], 0, &document, &shown(1));
}

/// How the events were is said in the end, at least if some were lost.
fn report(received: usize, lost: u32) -> String {
    said(&format!("{received} events received, {lost} lost."))
}

#[test]
fn lost_events_are_said_and_counted_and_the_rest_is_shown() {
    let overrun = Happening::Overrun { behind: 0, lost: 7 };
    let happenings = [new(&udp(1)), overrun, new(&udp(2)), Happening::Stop];
    let stderr = OVERRUN.to_owned() + &shown(2) + &report(2, 7);
    watch("-E", happenings, 0, &(new_line(1) + &new_line(2)), &stderr);
}

#[test]
fn all_that_was_lost_is_counted_also_beyond_the_selected_and_the_wrap() {
    let overrun = |lost| Happening::Overrun { behind: 1, lost };
    let happenings = [
        overrun(u32::MAX),
        new(&udp(1)),
        new(&udp(2)),
        Happening::Pause,
        overrun(3),
        new(&udp(2)),
        Happening::Stop,
    ];
    let stderr = OVERRUN.repeat(2) + &shown(1) + &report(3, 2);
    let stderr = stderr.replace(", 2 lost", &format!(", {} lost", u64::from(u32::MAX) + 3));
    watch("-E -p udp --sport 1", happenings, 0, &new_line(1), &stderr);
}

#[test]
fn json_has_a_record_where_events_are_missing() {
    for behind in [0, 1, 2, 3, 60, 63, 64, 65, 127, 500, 1000] {
        let after = 200;
        let mut happenings = vec![Happening::Overrun { behind, lost: 5 }];
        happenings.extend((0..behind + after).map(|_| new(&udp(1))));
        happenings.push(Happening::Stop);
        let mut stage = Stage::new([]);
        stage.kernel.happen(happenings);
        let ended = stage.run("-E -o json");
        let lines: Vec<_> = ended.stdout.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("{\"event\":\"lost\""));
        assert_eq!((at, lines.len()), (Some(behind), behind + after + 1), "{behind}");
        assert_eq!(
            lines[behind],
            "{\"event\":\"lost\",\"time\":\"2023-11-14T22:13:20.123456000Z\",\
             \"time_ns\":1700000000123456000,\"count\":5}"
        );
        assert_eq!(
            ended.stderr,
            OVERRUN.to_owned() + &shown(behind + after) + &report(behind + after, 5)
        );
    }
}

#[test]
fn a_gap_at_the_end_has_its_record_too() {
    let happenings = [Happening::Overrun { behind: 1, lost: 5 }, new(&udp(1)), Happening::Stop];
    let mut stage = Stage::new([]);
    stage.kernel.happen(happenings);
    let ended = stage.run("-E -o ndjson");
    assert!(ended.stdout.lines().nth(1).unwrap().contains("\"count\":5"), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 2);
}

#[test]
fn how_it_goes_is_said_when_a_signal_asks() {
    let overrun = Happening::Overrun { behind: 0, lost: 4 };
    let happenings = [
        new(&udp(1)),
        Happening::Report,
        overrun,
        new(&udp(2)),
        Happening::Report,
        Happening::Stop,
    ];
    let stderr = [report(1, 0), OVERRUN.into(), report(2, 4), shown(2), report(2, 4)].concat();
    watch("-E", happenings, 0, &(new_line(1) + &new_line(2)), &stderr);
}

#[test]
fn a_person_is_told_that_nothing_was_lost() {
    let mut stage = Stage::new([]);
    stage.stderr_is_terminal = true;
    stage.kernel.happen([new(&udp(1)), Happening::Stop]);
    stage.run("-E -p tcp").is(0, "", &(shown(0) + &report(1, 0)));
}

#[test]
fn the_kernel_is_asked_to_hold_back_what_is_not_wanted() {
    let conditions = |line: &str| {
        let mut stage = Stage::new([]);
        stage.kernel.happen([Happening::Stop]);
        assert_eq!(stage.run(line).code, 0);
        stage.kernel.conditions().remove(0)
    };
    assert!(conditions("-E").is_empty());
    assert!(conditions("-E expect").is_empty());
    let found = conditions("-E -s 192.0.2.0/24 -d 198.51.100.1 -p udp --dport 53 -m 1/3 -w 5");
    let expected = FlowConditions {
        family: Some(Family::Ipv4),
        tuples: PerDirection {
            original: PartialTuple {
                dst: Some([198, 51, 100, 1].into()),
                protocol: Some(Protocol::Udp),
                dst_port: Some(53),
                ..PartialTuple::default()
            },
            reply: PartialTuple::default(),
        },
        networks: [Some(([192, 0, 2, 0].into(), [255, 255, 255, 0].into())), None],
        mark: Some(MaskedMark { value: Mark(1), mask: 3 }),
        zone: Some(Zone(5)),
    };
    assert_eq!(found, expected);
}

#[test]
fn what_was_read_is_written_before_the_next_wait() {
    let mut stage = Stage::new([]);
    stage.kernel.happen([new(&udp(1)), Happening::Pause, new(&udp(2)), Happening::Stop]);
    assert_eq!(stage.run("-E").code, 0);
    let line = new_line(1).len();
    assert_eq!(stage.kernel.written_at_wait(), [0, line, 2 * line]);
}

#[test]
fn a_flood_of_events_does_not_keep_a_stop_waiting() {
    let mut stage = Stage::new([]);
    stage.kernel.happen((0..1000).map(|_| new(&udp(1))));
    stage.kernel.happen([Happening::Stop]);
    assert_eq!(stage.run("-E").code, 0);
    let most = stage.kernel.written_at_wait().windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(most, Some(256 * new_line(1).len()), "a batch between two looks at the signals");
}

#[test]
fn a_wake_without_events_changes_nothing() {
    watch("-E", [Happening::Pause, Happening::Pause, Happening::Stop], 0, "", &shown(0));
}

#[test]
fn a_stop_closes_the_document() {
    let document = [XML, &new_element(1), &new_element(2), XML_END].concat();
    let happenings = [new(&udp(1)), Happening::Pause, new(&udp(2)), Happening::Stop];
    watch("-E -o xml,id", happenings, 0, &document, &shown(2));
}

#[test]
fn a_stop_before_any_event_begins_no_document() {
    watch("-E -o xml", [Happening::Stop], 0, "", &shown(0));
    watch("-E -o xml -p tcp", [new(&udp(1)), Happening::Stop], 0, "", &shown(0));
}

#[test]
fn a_reader_that_went_away_ends_it_quietly() {
    watch("-E", [new(&udp(1)), Happening::Pause, Happening::OutputClosed], 141, &new_line(1), "");
    let mut stage = Stage::new([]);
    stage.stdout.fail_after(0, EPIPE);
    stage.kernel.happen([new(&udp(1)), Happening::Pause, Happening::Stop]);
    stage.run("-E").is(141, "", "");
}

#[test]
fn a_full_disk_ends_it_with_a_message() {
    let mut stage = Stage::new([]);
    stage.stdout.fail_after(0, ENOSPC);
    stage.kernel.happen([new(&udp(1)), Happening::Pause, Happening::Stop]);
    stage.run("-E").is(1, "", &said("cannot write the output: No space left on device"));
}

/// What is said of an event that cannot be understood, and then of those that were shown.
fn left_out(error: &str, count: usize) -> String {
    format!("WARNING: an event is left out: {error}\n{}", shown(count))
}

#[test]
fn a_malformed_event_is_said_and_left_out() {
    let at = flow_content(&udp(2)).len();
    let content = flow_content_with(&udp(2), |out| out.bytes(8, &[0; 3]));
    let bad = || Happening::Datagram(event(0x0100, MessageFlags::CREATE, 0, &content));
    let error = format!("attribute CTA_MARK at byte {at}: 3 bytes, 4 expected");
    let lines = new_line(1) + &new_line(3);
    let happenings = [new(&udp(1)), bad(), new(&udp(3)), Happening::Stop];
    watch("-E", happenings, 1, &lines, &left_out(&error, 2));
    let document = [XML, &new_element(1), XML_END].concat();
    let happenings = [bad(), new(&udp(1)), Happening::Stop];
    watch("-E -o xml,id", happenings, 1, &document, &left_out(&error, 1));
    watch("-E -o xml,id", [bad(), Happening::Stop], 1, "", &left_out(&error, 0));
}

#[test]
fn a_truncated_datagram_is_said_and_left_out() {
    let mut datagram = event(0x0100, MessageFlags::CREATE, 0, &flow_content(&udp(2)));
    let len = datagram.len();
    datagram.truncate(len - 4);
    let error = format!("message at byte 0: length {len}, of which {} bytes are there", len - 4);
    let happenings = [new(&udp(1)), Happening::Datagram(datagram), new(&udp(3)), Happening::Stop];
    watch("-E", happenings, 1, &(new_line(1) + &new_line(3)), &left_out(&error, 2));
}

#[test]
fn a_datagram_beyond_the_buffer_is_said_and_left_out() {
    let error = "message body of 4096 bytes, an event of less than 4 KiB expected";
    let happenings = [Happening::Long, new(&udp(1)), Happening::Stop];
    watch("-E", happenings, 1, &new_line(1), &left_out(error, 1));
}

#[test]
fn a_socket_that_fails_ends_it_behind_what_was_read() {
    let document = [XML, &new_element(1), XML_END].concat();
    for last in [Happening::Errno(12), Happening::WaitErrno(12)] {
        let stderr = said("failed to received netlink event: Cannot allocate memory");
        watch("-E", [new(&udp(1)), last.clone()], 1, &new_line(1), &stderr);
        let happenings = [new(&udp(1)), Happening::Pause, last];
        watch("-E -o xml,id", happenings, 1, &document, &stderr);
    }
}

#[test]
fn the_buffer_of_the_event_socket_is_set_and_its_size_said() {
    let mut stage = Stage::new([]);
    stage.kernel.happen([Happening::Stop]);
    let stderr = "NOTICE: Netlink socket buffer size has been set to 2000000 bytes.\n".to_owned()
        + &shown(0);
    stage.run("-E -b 1000000").is(0, "", &stderr);
    assert_eq!(stage.kernel.buffer_sizes(), [1_000_000]);
}

#[test]
fn labels_are_shown_by_name() {
    let labels = Some(flow::Labels::from_bits([1, 3]));
    let mut stage = Stage::new([]);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n3 three\n");
    stage.kernel.happen([new(&Flow { labels, ..udp(1) }), Happening::Stop]);
    let ended = stage.run("-E -o labels");
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.ends_with(" use=1 labels=one,three\n"), "{}", ended.stdout);
}

#[test]
fn groups_that_may_not_be_joined_are_said_with_that_step() {
    for line in ["-E", "-E expect"] {
        let mut stage = Stage::new([]);
        stage.kernel.refuse_sockets(|| OpenError::Bind(std::io::Error::from_raw_os_error(EPERM)));
        let stderr = "mnl_socket_bind: Operation not permitted\n".to_owned()
            + &said("Can't open netlink socket");
        stage.run(line).is(1, "", &stderr);
    }
}
