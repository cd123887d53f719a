//! `-R`: a file of command lines.

use flow::Mark;

use crate::fake::{Ask, EEXIST, EPERM, Part, Stage, Step, said, udp, udp_line};

const TRY: &str = "Try `conntrack -h' or 'conntrack --help' for more information.\n";
const NOT_ROOT: &str =
    "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this";

fn insert(port: u16) -> String {
    format!("-I -s 192.0.2.1 -d 198.51.100.1 -p udp --sport {port} --dport 53 -t 60\n")
}

/// These flows, and this text in the file `batch`.
fn stage_with(flows: impl IntoIterator<Item = flow::Flow>, text: &str) -> Stage {
    let mut stage = Stage::new(flows);
    stage.system.put_file("batch", text);
    stage
}

#[test]
fn lines_run_in_order_and_say_no_count() {
    let text = insert(1) + "# a comment\n\n-U -p udp -m 5\n" + &insert(2) + "-D -p udp --sport 1\n";
    let mut stage = stage_with([], &text);
    let ended = stage.run("-R batch");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let flows = stage.kernel.flows();
    assert_eq!(flows.len(), 1);
    assert_eq!((flows[0].tuples.original.key.ports().unwrap().src, flows[0].mark), (2, None));
    let asked = stage.kernel.asked();
    let put = Ask::PutFlow;
    let changes = [put, Ask::TableStatistics, Ask::DumpFlows, put, Ask::GetFlow, put];
    assert!(asked.starts_with(&changes), "{asked:?}");
}

#[test]
fn changed_and_deleted_flows_are_shown() {
    let mut stage = stage_with([udp(1), udp(2)], "-D -p udp --sport 1\n-U -m 3\n");
    let lines = udp_line(1) + &udp_line(2).replace("mark=0", "mark=3");
    stage.run("-R batch").is(0, &lines, "");
}

#[test]
fn nothing_is_done_if_any_line_is_wrong() {
    for (line, text) in [
        ("-I -p nonsense", "`nonsense' unsupported protocol"),
        ("-D -z", "Illegal option `--zero' with this command"),
        ("-C", "Cannot use command `-C' with --load-file"),
        ("conntrack", "Cannot use command `unknown' with --load-file"),
    ] {
        let mut stage = stage_with([udp(1)], &(insert(2) + "-D\n-F\n" + line + "\n"));
        stage.run("-R batch").is(2, "", &(said(text) + TRY));
        assert_eq!(stage.kernel.asked(), [], "{line}");
    }
}

#[test]
fn the_line_of_an_error_is_told_to_a_person_only() {
    for (is_terminal, line) in [(false, ""), (true, "in line 3\n")] {
        let mut stage = stage_with([], &(insert(2) + "\n-L\n"));
        stage.stderr_is_terminal = is_terminal;
        let stderr = said("Cannot use command `-L' with --load-file") + TRY + line;
        stage.run("-R batch").is(2, "", &stderr);
    }
}

#[test]
fn the_line_that_the_kernel_refuses_is_told_to_a_person_only() {
    for (is_terminal, line) in [(false, ""), (true, "in line 2\n")] {
        let mut stage = stage_with([], &(insert(1) + "-F\n" + &insert(2)));
        stage.stderr_is_terminal = is_terminal;
        stage.kernel.refuse(Ask::FlushFlows, EPERM);
        stage.run("-R batch").is(1, "", &(said(NOT_ROOT) + line));
    }
}

#[test]
fn the_first_refusal_ends_it_and_what_was_done_stays() {
    let mut stage = stage_with([], &(insert(1) + "-F\n" + &insert(2)));
    stage.kernel.refuse(Ask::FlushFlows, EPERM);
    stage.run("-R batch").is(1, "", &said(NOT_ROOT));
    assert_eq!(stage.kernel.asked(), [Ask::PutFlow, Ask::FlushFlows]);
    assert_eq!(stage.kernel.flows().len(), 1);
}

#[test]
fn a_flow_that_exists_ends_it_with_the_words_of_its_line() {
    let mut stage = stage_with([], &(insert(1).repeat(2) + &insert(2)));
    let stderr = said("Operation failed: Such conntrack exists, try -U to update");
    stage.run("-R batch").is(1, "", &stderr);
    assert_eq!(stage.kernel.flows().len(), 1);
}

#[test]
fn nothing_to_delete_or_to_update_is_no_failure() {
    let mut stage = stage_with([], "-D -p tcp\n-U -p tcp -m 1\n");
    stage.run("-R batch").is(0, "", "");
}

#[test]
fn marks_and_output_forms_of_a_line_are_its_own() {
    let text = "-U -p udp --sport 1 -m 3 -o id\n-U -p udp --sport 2 -m 4\n-D -p udp --sport 2\n";
    let mut stage = stage_with([udp(1), udp(2)], text);
    let second = udp_line(2).replace("mark=0", "mark=4");
    let lines = udp_line(1).replace("mark=0 use=1", "mark=3 use=1 id=1") + &second + &second;
    stage.run("-R batch").is(0, &lines, "");
    assert_eq!(stage.kernel.flows()[0].mark, Some(Mark(3)));
}

#[test]
fn labels_of_a_line_are_its_own() {
    let text = "-U -p udp --sport 1 --label-add one\n-U -p udp --sport 2 -m 4\n";
    let mut stage = stage_with([udp(1), udp(2)], text);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n");
    assert_eq!(stage.run("-R batch").code, 0);
    let sent = stage.kernel.sent(Ask::PutFlow);
    assert!(sent[0].flow_request().labels.is_some());
    assert_eq!(sent[1].flow_request().labels, None);
}

#[test]
fn a_dash_is_standard_input() {
    let mut stage = Stage::new([]);
    stage.stdin = insert(1).into_bytes();
    stage.run("-R -").is(0, "", "");
    assert_eq!(stage.kernel.flows().len(), 1);
}

#[test]
fn words_behind_the_file_are_ignored() {
    let mut stage = stage_with([], &insert(1));
    stage.run("--load-file batch -L --nonsense").is(0, "", "");
    assert_eq!(stage.kernel.flows().len(), 1);
}

#[test]
fn a_missing_file_is_said_and_a_person_is_told_why() {
    let stderr = said("Failed to open file none for reading") + TRY;
    Stage::new([]).run("-R none").is(2, "", &stderr);
    let mut stage = Stage::new([]);
    stage.stderr_is_terminal = true;
    stage.run("-R none").is(2, "", &(stderr + "No such file or directory\n"));
}

#[test]
fn a_flush_says_so() {
    let mut stage = stage_with([udp(1)], "-F\n");
    stage.run("-R batch").is(0, "", &said("connection tracking table has been emptied."));
    assert!(stage.kernel.flows().is_empty());
}

/// The source ports of the flows that are there.
fn ports(stage: &Stage) -> Vec<u16> {
    let flows = stage.kernel.flows();
    flows.iter().map(|flow| flow.tuples.original.key.ports().unwrap().src).collect()
}

fn inserts(ports: std::ops::RangeInclusive<u16>) -> String {
    ports.map(insert).collect()
}

#[test]
fn creations_in_a_row_travel_together() {
    let text = inserts(1..=300)
        + "-F
" + &inserts(301..=310).replace("-I", "-A");
    let mut stage = stage_with([], &text);
    stage.run("-R batch").is(0, "", &said("connection tracking table has been emptied."));
    assert_eq!(stage.kernel.datagrams(), [256, 44, 1, 10]);
    assert_eq!(ports(&stage), (301..=310).collect::<Vec<_>>());
}

#[test]
fn nothing_behind_the_line_that_is_refused_stays() {
    for refused in [1, 2, 100, 255, 256, 257, 299, 300] {
        let text = inserts(1..=300)
            + "-F
";
        let mut stage = stage_with([udp(refused)], &text);
        stage.stderr_is_terminal = true;
        let stderr = said("Operation failed: Such conntrack exists, try -U to update")
            + &format!("in line {refused}\n");
        stage.run("-R batch").is(1, "", &stderr);
        let mut left = ports(&stage);
        left.sort_unstable();
        assert_eq!(left, (1..=refused).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_to_be_added_is_changed_if_it_is_there() {
    let text = inserts(1..=3).replace("-I", "-A").replace("-t 60", "-t 60 -m 9");
    let mut stage = stage_with([udp(2)], &text);
    stage.run("-R batch").is(0, "", "");
    assert_eq!(ports(&stage), [2, 1, 3]);
    assert!(stage.kernel.flows().iter().all(|flow| flow.mark == Some(Mark(9))));
    assert_eq!(stage.kernel.datagrams(), [3, 1]);
}

#[test]
fn a_change_that_is_refused_ends_it_and_nothing_behind_it_stays() {
    let text = inserts(1..=4).replace("-I", "-A");
    let mut stage = stage_with([udp(2)], &text);
    for step in [None, Some(EEXIST), None, None, Some(EPERM)] {
        let part = step.map_or(Part::Acknowledgement, Part::Refusal);
        stage.kernel.script(Ask::PutFlow, [Step::Datagram(vec![part])]);
    }
    stage.run("-R batch").is(1, "", &said(NOT_ROOT));
    let deleted = stage.kernel.sent(Ask::DeleteFlow);
    let ports = deleted.iter().map(|sent| sent.flow_request().tuples.original.src_port.unwrap());
    assert_eq!(ports.collect::<Vec<_>>(), [4, 3]);
}

#[test]
fn a_table_that_has_the_flows_already_is_changed_one_by_one() {
    let text = inserts(1..=600).replace("-I", "-A").replace("-t 60", "-t 60 -m 9");
    let mut stage = stage_with((1..=600).map(udp), &text);
    stage.run("-R batch").is(0, "", "");
    assert!(stage.kernel.flows().iter().all(|flow| flow.mark == Some(Mark(9))));
    let datagrams = stage.kernel.datagrams();
    assert_eq!((datagrams[0], datagrams.len()), (256, 1 + 600), "one batch tells that they exist");
}

#[test]
fn a_signal_ends_it_between_two_batches() {
    let mut stage = stage_with(
        [],
        &(inserts(1..=5)
            + "-F
"),
    );
    stage.kernel.bound_batches(2);
    stage.kernel.end_after(3);
    stage.run("-R batch").is(130, "", "");
    assert_eq!(ports(&stage), [1, 2, 3, 4]);
}

/// So many `-I` lines: too many to be kept from the check until they run.
fn long_file() -> String {
    (1..=3600).map(insert).collect()
}

#[test]
fn a_long_file_runs_whole_and_in_order() {
    let mut stage = stage_with([], &(long_file() + "-D -p udp --sport 3600\n" + &insert(3601)));
    let ended = stage.run("-R batch");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert_eq!(ended.stdout.lines().count(), 1);
    let flows = stage.kernel.flows();
    let ports: Vec<u16> =
        flows.iter().map(|flow| flow.tuples.original.key.ports().unwrap().src).collect();
    let expected: Vec<u16> = (1..3600).chain([3601]).collect();
    assert_eq!(ports, expected);
}

#[test]
fn nothing_is_done_if_the_last_line_of_a_long_file_is_wrong() {
    for (is_terminal, line) in [(false, ""), (true, "in line 3602\n")] {
        let warned = insert(1).replace("-I", "-I -u SRC_NAT,SEEN_REPLY");
        let text = warned.clone() + &long_file() + "-C\n" + &warned;
        let mut stage = stage_with([], &text);
        stage.stderr_is_terminal = is_terminal;
        let stderr = "WARNING: ignoring SRC_NAT, use --src-nat instead\n".to_owned()
            + &said("Cannot use command `-C' with --load-file")
            + TRY
            + line;
        stage.run("-R batch").is(2, "", &stderr);
        assert_eq!(stage.kernel.asked(), []);
    }
}

#[test]
fn warnings_of_a_long_file_come_once_and_in_order() {
    let warned = |name| insert(1).replace("-I", &format!("-A -u {name},SEEN_REPLY"));
    let text = warned("SRC_NAT") + &long_file() + &warned("DST_NAT");
    let stderr = "WARNING: ignoring SRC_NAT, use --src-nat instead\n\
        WARNING: ignoring DST_NAT, use --dst-nat instead\n";
    let mut stage = stage_with([], &text.replacen(&insert(1), "", 1));
    stage.run("-R batch").is(0, "", stderr);
}

#[test]
fn the_line_of_a_long_file_that_the_kernel_refuses_is_told() {
    for at in [300, 3500] {
        let mut lines: Vec<String> = (1..=3600).map(insert).collect();
        lines[at] = insert(7);
        let mut stage = stage_with([], &lines.concat());
        stage.stderr_is_terminal = true;
        let stderr = said("Operation failed: Such conntrack exists, try -U to update")
            + &format!("in line {}\n", at + 1);
        stage.run("-R batch").is(1, "", &stderr);
        assert_eq!(stage.kernel.flows().len(), at);
    }
}
