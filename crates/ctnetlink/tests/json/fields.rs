//! Both forms as a flat list: the name of a field and its value as text.
//!
//! The names are those of XML. It prints 0 for ports and keys that the kernel did not send, has no place for an ICMP
//! key, NAT, most status bits and what trackers keep beside the state, and writes GRE keys in hexadecimal.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};
use serde_json::Value;

type FieldList = BTreeMap<String, String>;

pub(crate) fn of_flow_json(text: &str) -> FieldList {
    let flow: Value = serde_json::from_str(text).unwrap();
    let mut fields = FieldList::new();
    for direction in ["original", "reply"] {
        protocols_of_json(&mut fields, &format!("{direction}."), &flow);
        tuple_of_json(&mut fields, direction, &flow, &flow[direction]);
        for name in ["zone", "packets", "bytes"] {
            put(&mut fields, &format!("{direction}.{name}"), &flow[direction][name]);
        }
    }
    for (name, key) in [
        ("state", "state"),
        ("timeout", "timeout_s"),
        ("mark", "mark"),
        ("secmark", "secmark"),
        ("secctx", "secctx"),
        ("zone", "zone"),
        ("use", "use"),
        ("id", "id"),
        ("start", "start_ns"),
        ("stop", "stop_ns"),
        ("deltatime", "delta_time_s"),
        ("helper", "helper"),
    ] {
        put(&mut fields, name, &flow[key]);
    }
    if let Some(labels) = flow["labels"].as_array() {
        let names: Vec<&str> = labels.iter().filter_map(|label| label["name"].as_str()).collect();
        fields.insert("labels".into(), names.join(","));
    }
    if let Some(status) = flow["status"].as_array() {
        let has = |name: &str| status.iter().any(|bit| bit == name);
        if has("ASSURED") {
            fields.insert("assured".into(), String::new());
        }
        if !has("SEEN_REPLY") {
            fields.insert("unreplied".into(), String::new());
        }
    }
    fields
}

pub(crate) fn of_flow_xml(text: &str) -> FieldList {
    let document = Document::parse(text).unwrap();
    let mut fields = FieldList::new();
    for part in document.root_element().children() {
        match part.attribute("direction") {
            // The helper.
            None => insert(&mut fields, part.tag_name().name(), part),
            Some("independent") => {
                for child in part.children() {
                    independent(&mut fields, child);
                }
            }
            Some(direction) => {
                for child in part.children() {
                    direction_of_xml(&mut fields, direction, child);
                }
            }
        }
    }
    fields
}

fn independent(fields: &mut FieldList, node: Node<'_, '_>) {
    match node.tag_name().name() {
        "labels" => {
            let names: Vec<&str> = node.children().filter_map(|label| label.text()).collect();
            fields.insert("labels".into(), names.join(","));
        }
        "timestamp" => {
            node.children().for_each(|time| insert(fields, time.tag_name().name(), time));
        }
        name => insert(fields, name, node),
    }
}

fn direction_of_xml(fields: &mut FieldList, direction: &str, node: Node<'_, '_>) {
    match node.tag_name().name() {
        layer @ ("layer3" | "layer4") => {
            attributes(fields, &format!("{direction}.{layer}"), node);
            for child in node.children() {
                insert(fields, &format!("{direction}.{}", child.tag_name().name()), child);
            }
        }
        "counters" => {
            for child in node.children() {
                insert(fields, &format!("{direction}.{}", child.tag_name().name()), child);
            }
        }
        name => insert(fields, &format!("{direction}.{name}"), node),
    }
}

pub(crate) fn of_expectation_json(text: &str) -> FieldList {
    let expectation: Value = serde_json::from_str(text).unwrap();
    let mut fields = FieldList::new();
    protocols_of_json(&mut fields, "", &expectation);
    for (name, key) in [("expected", "tuple"), ("mask", "mask"), ("master", "master")] {
        tuple_of_json(&mut fields, name, &expectation, &expectation[key]);
    }
    for (name, key) in
        [("helper-name", "helper"), ("timeout", "timeout_s"), ("class", "class"), ("zone", "zone")]
    {
        put(&mut fields, name, &expectation[key]);
    }
    for flag in expectation["flags"].as_array().into_iter().flatten() {
        let name = flag.as_str().unwrap().to_lowercase();
        if ["permanent", "inactive", "userspace"].contains(&name.as_str()) {
            fields.insert(name, String::new());
        }
    }
    fields
}

pub(crate) fn of_expectation_xml(text: &str) -> FieldList {
    let document = Document::parse(text).unwrap();
    let mut fields = FieldList::new();
    for part in document.root_element().children() {
        match part.tag_name().name() {
            layer @ ("layer3" | "layer4") => {
                attributes(&mut fields, layer, part);
                for tuple in part.children() {
                    let owner = tuple.tag_name().name();
                    for child in tuple.children() {
                        let name = format!("{owner}.{}", child.tag_name().name());
                        insert(&mut fields, &name, child);
                    }
                }
            }
            _ => part.children().for_each(|child| {
                insert(&mut fields, child.tag_name().name(), child);
            }),
        }
    }
    fields
}

fn protocols_of_json(fields: &mut FieldList, prefix: &str, entry: &Value) {
    let family = entry["family"].as_str().unwrap();
    let number = if family == "ipv4" { "2" } else { "10" };
    let protocol = &entry["protocol"];
    for (name, value) in [
        ("layer3.protonum", number.to_owned()),
        ("layer3.protoname", family.to_owned()),
        ("layer4.protonum", protocol["number"].to_string()),
        ("layer4.protoname", protocol["name"].as_str().unwrap_or("unknown").to_owned()),
    ] {
        fields.insert(format!("{prefix}{name}"), value);
    }
}

fn tuple_of_json(fields: &mut FieldList, owner: &str, entry: &Value, tuple: &Value) {
    for name in ["src", "dst"] {
        put(fields, &format!("{owner}.{name}"), &tuple[name]);
    }
    let key = |name: &str| tuple[name].as_u64().unwrap_or_default();
    match entry["protocol"]["name"].as_str() {
        Some("tcp" | "udp" | "udplite" | "sctp" | "dccp") => {
            for name in ["sport", "dport"] {
                fields.insert(format!("{owner}.{name}"), key(name).to_string());
            }
        }
        Some("gre") => {
            for name in ["srckey", "dstkey"] {
                fields.insert(format!("{owner}.{name}"), format!("{:#x}", key(name)));
            }
        }
        _ => {}
    }
}

fn attributes(fields: &mut FieldList, prefix: &str, node: Node<'_, '_>) {
    for attribute in node.attributes() {
        fields.insert(format!("{prefix}.{}", attribute.name()), attribute.value().to_owned());
    }
}

fn insert(fields: &mut FieldList, name: &str, node: Node<'_, '_>) {
    let before = fields.insert(name.to_owned(), node.text().unwrap_or_default().to_owned());
    assert_eq!(before, None, "{name} stands twice");
}

/// What is null or absent is no field.
fn put(fields: &mut FieldList, name: &str, value: &Value) {
    let text = match value {
        Value::Null => return,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    fields.insert(name.to_owned(), text);
}
