//! What stands around and between the entries of a list: nothing but line ends, or what makes a document of them.

use ctnetlink::client::DumpOutcome;
use flow::text::{json, xml};

use crate::values::OutputFlags;

/// Texts around entries. The caller counts the entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame {
    begin: &'static str,
    between: &'static str,
    after_each: &'static str,
    end: &'static str,
    /// All there is if there is no entry.
    empty: &'static str,
    /// The same two for a list that is not whole.
    cut: &'static str,
    empty_cut: &'static str,
}

impl Frame {
    /// One entry a line.
    const LINES: Self = Self {
        begin: "",
        between: "",
        after_each: "\n",
        end: "",
        empty: "",
        cut: "",
        empty_cut: "",
    };

    const XML_FLOWS: Self = Self::of_xml(xml::FLOWS_HEADER, xml::FLOWS_FOOTER);

    const XML_EXPECTATIONS: Self = Self::of_xml(xml::EXPECTATIONS_HEADER, xml::EXPECTATIONS_FOOTER);

    const fn of_xml(begin: &'static str, end: &'static str) -> Self {
        Self { begin, end, cut: end, ..Self::LINES }
    }

    const fn of_json(document: &json::Document) -> Self {
        Self {
            begin: document.begin,
            between: document.between,
            after_each: "",
            end: document.end,
            empty: document.empty,
            cut: document.cut,
            empty_cut: document.empty_cut,
        }
    }

    /// Around the flows of a list.
    pub fn of_flows(flags: OutputFlags) -> Self {
        Self::chosen(flags, Self::XML_FLOWS, &json::Document::FLOWS)
    }

    /// Around the expectations of a list.
    pub fn of_expectations(flags: OutputFlags) -> Self {
        Self::chosen(flags, Self::XML_EXPECTATIONS, &json::Document::EXPECTATIONS)
    }

    /// Around flows that were changed or deleted. Upstream makes no XML document of these.
    pub fn of_changed_flows(flags: OutputFlags) -> Self {
        Self::chosen(flags, Self::LINES, &json::Document::FLOWS)
    }

    /// Around the counters of the CPUs.
    pub fn of_cpus(flags: OutputFlags) -> Self {
        Self::chosen(flags, Self::LINES, &json::Document::CPUS)
    }

    /// Around events about flows. Nobody knows the end of these, so JSON is lines.
    pub fn of_flow_events(flags: OutputFlags) -> Self {
        Self::of_flows(flags - OutputFlags::JSON)
    }

    /// Around events about expectations.
    pub fn of_expectation_events(flags: OutputFlags) -> Self {
        Self::of_expectations(flags - OutputFlags::JSON)
    }

    fn chosen(flags: OutputFlags, xml: Self, json: &json::Document) -> Self {
        if flags.contains(OutputFlags::XML) {
            xml
        } else if flags.contains(OutputFlags::JSON) {
            Self::of_json(json)
        } else {
            Self::LINES
        }
    }

    /// Appends what stands before an entry that follows `count` others.
    pub fn before_entry(&self, out: &mut Vec<u8>, count: u64) {
        let text = if count == 0 { self.begin } else { self.between };
        out.extend_from_slice(text.as_bytes());
    }

    /// What stands behind each entry.
    pub fn after_entry(&self) -> &'static str {
        self.after_each
    }

    /// Appends what stands behind the last of `count` entries. JSON says it if the kernel says that some may be missing.
    pub fn end(&self, out: &mut Vec<u8>, count: u64, outcome: DumpOutcome) {
        let text = match (outcome, count) {
            (DumpOutcome::Complete, 0) => self.empty,
            (DumpOutcome::Complete, _) => self.end,
            (DumpOutcome::Interrupted, 0) => self.empty_cut,
            (DumpOutcome::Interrupted, _) => self.cut,
        };
        out.extend_from_slice(text.as_bytes());
    }

    /// The same where the list broke off. What did not begin stays away, lest a failure look like an empty list.
    pub fn break_off(&self, out: &mut Vec<u8>, count: u64) {
        if count > 0 {
            self.end(out, count, DumpOutcome::Interrupted);
        }
    }
}

#[cfg(test)]
mod tests {
    use ctnetlink::client::DumpOutcome;

    use super::Frame;
    use crate::values::OutputFlags;

    fn framed(frame: Frame, count: u64) -> String {
        let mut out = Vec::new();
        for before in 0..count {
            frame.before_entry(&mut out, before);
            out.push(b'x');
            out.extend_from_slice(frame.after_entry().as_bytes());
        }
        frame.end(&mut out, count, DumpOutcome::Complete);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_document_is_whole_with_any_number_of_entries() {
        let json = Frame::of_flows(OutputFlags::JSON | OutputFlags::ID);
        assert_eq!(framed(json, 0), "{\"version\":1,\"flows\":[]}\n");
        assert_eq!(framed(json, 1), "{\"version\":1,\"flows\":[\nx\n]}\n");
        assert_eq!(framed(json, 2), "{\"version\":1,\"flows\":[\nx,\nx\n]}\n");
        for frame in [
            Frame::of_flows(OutputFlags::NDJSON),
            Frame::of_flow_events(OutputFlags::JSON),
            Frame::of_changed_flows(OutputFlags::XML),
            Frame::of_cpus(OutputFlags::empty()),
        ] {
            assert_eq!(framed(frame, 0), "");
            assert_eq!(framed(frame, 2), "x\nx\n");
        }
        assert!(
            framed(Frame::of_expectation_events(OutputFlags::XML), 1).contains("<expect>\nx\n")
        );
        assert_eq!(framed(Frame::of_expectations(OutputFlags::XML), 0), "");
    }

    #[test]
    fn what_did_not_begin_is_not_ended() {
        let frame = Frame::of_expectations(OutputFlags::JSON);
        for (count, text) in [(0, ""), (1, "\n],\"complete\":false}\n")] {
            let mut out = Vec::new();
            frame.break_off(&mut out, count);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
