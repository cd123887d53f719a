//! The comparison of the two forms, and the check against the schema.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ctnetlink::{ExpectationAttributes, FlowView};
use flow::text::{json, xml};
use flow::{EventKind, Expectation, Flow, FlowRead, HelperName, LabelMap, TimeNs, Tuple};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use crate::case::{self, Class};
use crate::{fields, strategies};

const NOW_S: u64 = 1_800_000_000;

fn labels() -> LabelMap {
    LabelMap::parse(b"0 zero\n1 eth0-in\n33 word two\n64 sixty-four\n127 last\n")
}

fn flow_json(flow: &impl FlowRead) -> String {
    let labels = labels();
    let mut out = Vec::new();
    json::write_flow(&mut out, flow, &json::Format { labels: Some(&labels), now_s: &|| NOW_S });
    String::from_utf8(out).unwrap()
}

fn flow_xml(flow: &impl FlowRead) -> String {
    let labels = labels();
    let format =
        xml::Format { timestamps: true, when: None, labels: Some(&labels), now_s: &|| NOW_S };
    let mut out = Vec::new();
    xml::write_flow(&mut out, flow, None, &format);
    String::from_utf8(out).unwrap()
}

fn expectation_json(expectation: &Expectation) -> String {
    let mut out = Vec::new();
    json::write_expectation(&mut out, expectation);
    String::from_utf8(out).unwrap()
}

fn expectation_xml(expectation: &Expectation) -> String {
    let mut out = Vec::new();
    xml::write_expectation(&mut out, expectation, None, None);
    String::from_utf8(out).unwrap()
}

/// What the vectors hold, with their names.
#[derive(Default)]
struct Captured {
    flows: Vec<(String, Flow)>,
    expectations: Vec<(String, Expectation)>,
}

/// Flows and expectations of all vectors that hold a whole one.
fn captured() -> Captured {
    let Captured { mut flows, mut expectations } = Captured::default();
    for case in case::all() {
        let body = case.message().body;
        match case.class {
            Class::Flow if case.kind != "request" => {
                flows.push((case.name.clone(), FlowView::parse(body).unwrap().to_flow()));
            }
            Class::Expectation => {
                let attributes = ExpectationAttributes::parse(body).unwrap();
                expectations.push((case.name.clone(), attributes.to_expectation().unwrap()));
            }
            _ => {}
        }
    }
    Captured { flows, expectations }
}

#[test]
fn json_says_what_xml_says_of_every_vector() {
    let Captured { flows, expectations } = captured();
    for (name, flow) in &flows {
        let of_json = fields::of_flow_json(&flow_json(flow));
        assert_eq!(of_json, fields::of_flow_xml(&flow_xml(flow)), "{name}");
    }
    for (name, expectation) in &expectations {
        let of_json = fields::of_expectation_json(&expectation_json(expectation));
        assert_eq!(of_json, fields::of_expectation_xml(&expectation_xml(expectation)), "{name}");
    }
    assert_eq!((flows.len(), expectations.len()), (131, 16));
}

/// What the strategies make more free than a kernel does: both directions of a flow have one protocol. XML has no form
/// for control characters, nor for two of Unicode's other characters.
fn like_one_of_a_kernel(flow: Flow) -> Flow {
    let printable = |byte: &u8| matches!(byte, b' '..=b'~');
    let helper = flow.helper.as_deref().map(|name| {
        let name: String = name.chars().filter(|c| c.is_ascii() && !c.is_control()).collect();
        HelperName::from(&name).unwrap()
    });
    let secctx =
        flow.secctx.as_deref().map(|text| text.iter().copied().filter(printable).collect());
    let addresses = flow.tuples.reply.addresses;
    let mut flow = Flow { helper, secctx, ..flow };
    flow.tuples.reply = Tuple { addresses, ..flow.tuples.original.inverted() };
    flow
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn json_says_what_xml_says_of_any_flow(flow in strategies::flow()) {
        let flow = like_one_of_a_kernel(flow);
        let of_json = fields::of_flow_json(&flow_json(&flow));
        prop_assert_eq!(of_json, fields::of_flow_xml(&flow_xml(&flow)));
    }

    #[test]
    fn any_flow_is_json_on_one_line(flow in strategies::flow()) {
        let text = flow_json(&flow);
        prop_assert!(text.bytes().all(|byte| byte >= b' '));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(value["id"].as_u64(), flow.id.map(|id| id.0.into()));
        prop_assert_eq!(value["status_bits"].as_u64(), flow.status.map(|status| status.bits().into()));
        prop_assert_eq!(value["start_ns"].as_u64(), flow.start.map(|start| start.0));
    }
}

#[test]
fn every_vector_is_what_the_schema_describes() {
    let Captured { flows, expectations } = captured();
    let event = json::Event { kind: EventKind::New, time: TimeNs(1), program: None };
    let format = json::Format { labels: None, now_s: &|| NOW_S };
    let mut of_flows = String::new();
    let mut events = Vec::new();
    for (_, flow) in &flows {
        of_flows += &flow_json(flow);
        json::write_flow_event(&mut events, flow, &event, &format);
    }
    let of_expectations: String =
        expectations.iter().map(|(_, expectation)| expectation_json(expectation)).collect();
    let mut lost = Vec::new();
    json::write_lost_events(&mut lost, u64::MAX, TimeNs(1));
    for (name, text, count) in [
        ("lostEvents", &*lost, 1),
        ("flow", of_flows.as_bytes(), flows.len()),
        ("flowEvent", &events, flows.len()),
        ("expectation", of_expectations.as_bytes(), expectations.len()),
    ] {
        validate(name, text, count);
    }
}

/// Asks the validator, a program of its own, whether all values of the text are what the schema calls `name`.
fn validate(name: &str, text: &[u8], count: usize) {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/conntrack/lib/validate.py");
    let mut child = Command::new(script)
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Without its module the script ends before it reads; then its message says so below.
    let _ = child.stdin.take().unwrap().write_all(text);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("is not installed") {
        eprintln!("{name}: not validated: {errors}");
        return;
    }
    assert!(output.status.success(), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}: {count} valid\n"));
}
