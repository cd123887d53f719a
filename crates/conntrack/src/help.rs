//! The help text: upstream's to the byte, and on a terminal what is new behind it.
//!
//! Scripts and tests compare the help of the program that they stand on, so a pipe gets upstream's alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use flow::Protocol;
use flow::protocols_file::name_of;

use crate::protocol::spec;

/// The version of upstream that this program stands in for, as messages give it.
pub const VERSION: &str = "1.4.9";

/// All after the two lines that vary.
const GENERAL: &str = include_str!("help/general.txt");

/// What upstream does not have.
const EXTENSIONS: &str = include_str!("help/extensions.txt");

/// Who reads the help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reader {
    /// A person at a terminal.
    Person,
    /// A program or a file, which expects upstream's text.
    Program,
}

/// Appends the general help, and that of a protocol if `-p` was given. `argv0` is how the program was called, and
/// `protocols` gives the text of `/etc/protocols`, where a protocol without options finds its name.
pub fn render(
    out: &mut Vec<u8>,
    reader: Reader,
    argv0: &OsStr,
    protocol: Option<Protocol>,
    protocols: &dyn Fn() -> Vec<u8>,
) {
    out.extend_from_slice(b"Command line interface for the connection tracking system. Version ");
    out.extend_from_slice(VERSION.as_bytes());
    out.extend_from_slice(b"\nUsage: ");
    out.extend_from_slice(argv0.as_bytes());
    out.extend_from_slice(b" [commands] [options]\n");
    out.extend_from_slice(GENERAL.as_bytes());
    if reader == Reader::Person {
        out.extend_from_slice(EXTENSIONS.as_bytes());
    }
    if let Some(protocol) = protocol {
        render_protocol(out, protocol, protocols);
    }
}

fn render_protocol(out: &mut Vec<u8>, protocol: Protocol, protocols: &dyn Fn() -> Vec<u8>) {
    let name = match protocol.name() {
        Some(name) => name.to_owned(),
        None => name_of(&protocols(), protocol.number()).unwrap_or_else(|| "unknown".into()),
    };
    out.extend_from_slice(format!("Proto `{name}' help:\n").as_bytes());
    let lines = spec(protocol).map_or(&["  no options (unsupported)\n"][..], |spec| spec.help);
    for line in lines {
        out.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, render};
    use flow::Protocol;

    fn help(protocol: Option<Protocol>) -> String {
        help_for(Reader::Program, protocol)
    }

    fn help_for(reader: Reader, protocol: Option<Protocol>) -> String {
        let mut out = Vec::new();
        let file = || b"esp 50 IPSEC-ESP\n".to_vec();
        render(&mut out, reader, "/x/conntrack".as_ref(), protocol, &file);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_person_reads_of_the_extensions_behind_the_same_lines() {
        let (program, person) = (help(None), help_for(Reader::Person, None));
        let more = person.strip_prefix(&program).unwrap();
        assert!(more.contains("  -o json\t"));
        assert!(more.contains("  -o ndjson\t"));
        assert!(more.ends_with("\n\n"));
        assert!(help_for(Reader::Person, Some(Protocol::Icmp)).ends_with("icmp id\n"));
    }

    #[test]
    fn general_help_names_the_program_and_ends_with_an_empty_line() {
        let help = help(None);
        assert!(help.contains("\nUsage: /x/conntrack [commands] [options]\n\nCommands:\n"));
        assert!(help.ends_with("Destination mask address\n\n"));
        assert_eq!(help.lines().count(), 52);
    }

    #[test]
    fn help_of_a_protocol_follows() {
        for (protocol, end) in [
            (
                Protocol::Icmp,
                "\n\nProto `icmp' help:\n  --icmp-type\t\t\ticmp type\n  --icmp-code\t\t\ticmp code\n  --icmp-id\t\t\ticmp id\n",
            ),
            (Protocol::Other(50), "\n\nProto `esp' help:\n  no options (unsupported)\n"),
            (Protocol::Other(200), "\n\nProto `unknown' help:\n  no options (unsupported)\n"),
            (Protocol::Dccp, "  --state\t\t\tDCCP state, fe. RESPOND\n"),
        ] {
            let help = help(Some(protocol));
            assert!(help.ends_with(end), "{help}");
        }
    }
}
