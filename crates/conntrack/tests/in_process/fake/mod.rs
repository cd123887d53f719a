//! Doubles of everything that a run touches, and the stage that they stand on.

mod kernel;
mod message;
mod streams;
mod system;
mod table;

use std::ffi::OsString;
use std::rc::Rc;

use conntrack::surroundings::Surroundings;
use flow::{
    AddressPair, Flow, FlowId, L4Key, Mark, PerDirection, Ports, Protocol, Status, TcpFlags,
    TcpFlagsMasked, TcpInfo, TcpState, Tuple,
};

pub(crate) use kernel::{FakeKernel, Happening};
pub(crate) use message::{Ask, Part, Step, event, flow_content, flow_content_with, request};
pub(crate) use streams::Sink;
pub(crate) use system::FakeSystem;

pub(crate) const EPERM: i32 = 1;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const EOPNOTSUPP: i32 = 95;
pub(crate) const ENOBUFS: i32 = 105;

/// Surroundings of one run after another, all on the same kernel.
pub(crate) struct Stage {
    pub(crate) kernel: FakeKernel,
    pub(crate) system: FakeSystem,
    pub(crate) stdin: Vec<u8>,
    pub(crate) stdout: Sink,
    pub(crate) stdout_is_terminal: bool,
    pub(crate) stderr_is_terminal: bool,
}

/// How a run ended and what it said.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Stage {
    /// A kernel with these flows, streams that are no terminals, no files.
    pub(crate) fn new(flows: impl IntoIterator<Item = Flow>) -> Self {
        let stdout = Sink::default();
        Self {
            kernel: FakeKernel::new(flows, stdout.bytes()),
            system: FakeSystem::default(),
            stdin: Vec::new(),
            stdout,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        }
    }

    /// Runs the words of `line` behind `conntrack`.
    pub(crate) fn run(&mut self, line: &str) -> Ended {
        let args = std::iter::once("conntrack").chain(line.split_whitespace());
        let mut stderr = Vec::new();
        let exit = conntrack::run::run(&mut Surroundings {
            args: args.map(OsString::from).collect(),
            stdin: &mut self.stdin.as_slice(),
            stdout: &mut self.stdout,
            stdout_is_terminal: self.stdout_is_terminal,
            stderr: &mut stderr,
            stderr_is_terminal: self.stderr_is_terminal,
            kernel: &self.kernel,
            system: &self.system,
        });
        let stdout = Rc::clone(&self.stdout.bytes()).take();
        Ended {
            code: exit as u8,
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn is(&self, code: u8, stdout: &str, stderr: &str) {
        assert_eq!(self.stdout, stdout, "standard output");
        assert_eq!(self.stderr, stderr, "standard error");
        assert_eq!(self.code, code, "exit code");
    }
}

/// A line of the program on standard error.
pub(crate) fn said(text: &str) -> String {
    format!("conntrack v1.4.9 (conntrack-tools): {text}\n")
}

/// `N flow entries have been shown.` and the like.
pub(crate) fn closing(count: usize, what: &str) -> String {
    said(&format!("{count} flow entries have been {what}."))
}

/// The tuple 192.0.2.1:PORT -> 198.51.100.1:53.
pub(crate) fn tuple(protocol: Protocol, port: u16) -> Tuple {
    Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [198, 51, 100, 1].into() },
        protocol,
        key: L4Key::Ports(Ports { src: port, dst: 53 }),
    }
}

/// A UDP flow from this port. Its id is the port too.
pub(crate) fn udp(port: u16) -> Flow {
    let original = tuple(Protocol::Udp, port);
    Flow {
        status: Some(Status::SEEN_REPLY | Status::CONFIRMED),
        timeout_s: Some(29),
        mark: Some(Mark(0)),
        use_count: Some(1),
        id: Some(FlowId(u32::from(port))),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

/// The line of [`udp`], with its end.
pub(crate) fn udp_line(port: u16) -> String {
    format!(
        "udp      17 29 src=192.0.2.1 dst=198.51.100.1 sport={port} dport=53 \
         src=198.51.100.1 dst=192.0.2.1 sport=53 dport={port} mark=0 use=1\n"
    )
}

/// [`udp`] between other hosts.
pub(crate) fn udp_v6(port: u16) -> Flow {
    let host = |last| std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
    let flow = udp(port);
    let mut tuples = flow.tuples;
    tuples.original.addresses = AddressPair::V6 { src: host(1), dst: host(2) };
    tuples.reply.addresses = AddressPair::V6 { src: host(2), dst: host(1) };
    Flow { tuples, ..flow }
}

/// The line of [`udp_v6`].
pub(crate) fn udp_v6_line(port: u16) -> String {
    udp_line(port).replace("192.0.2.1", "fd00::1").replace("198.51.100.1", "fd00::2")
}

/// The element of [`udp`], with its line end.
pub(crate) fn udp_element(port: u16) -> String {
    let tuple = |name, src, dst, sport, dport| {
        format!(
            "<meta direction=\"{name}\"><layer3 protonum=\"2\" protoname=\"ipv4\"><src>{src}</src>\
             <dst>{dst}</dst></layer3><layer4 protonum=\"17\" protoname=\"udp\"><sport>{sport}</sport>\
             <dport>{dport}</dport></layer4></meta>"
        )
    };
    format!(
        "<flow>{}{}<meta direction=\"independent\"><timeout>29</timeout><mark>0</mark><use>1</use>\
         <id>{port}</id></meta></flow>\n",
        tuple("original", "192.0.2.1", "198.51.100.1", port, 53),
        tuple("reply", "198.51.100.1", "192.0.2.1", 53, port),
    )
}

/// The protocol state of a TCP flow made by hand, both directions with these flags.
pub(crate) fn tcp_info(state: Option<TcpState>, flags: u8) -> TcpInfo {
    let flags = TcpFlags::from_bits_retain(flags);
    let flags = Some(TcpFlagsMasked { flags, mask: flags });
    TcpInfo {
        state,
        window_scale: PerDirection::default(),
        flags: PerDirection { original: flags, reply: flags },
    }
}
