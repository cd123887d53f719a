//! Statements to text, one a line. Reading it again gives the same statements.

use std::fmt::Display;

use flow::TcpState;

use super::ast::{
    Block, File, Filter, FilterAddress, FilterPlace, General, Helper, HelperPolicy,
    HelperStatement, Link, LinkKind, ModeName, Options, Path, Policy, Preference, ProtocolWord,
    Scheduler, Section, Setting, Stats, SwitchOr, Sync, Unix,
};
use super::keyword::Keyword;

/// The text of a file.
pub(super) fn render(file: &File) -> Vec<u8> {
    let mut page = Page::default();
    for section in &file.sections {
        match section {
            Section::General(block) => page.block("General", block, general),
            Section::Sync(block) => page.block("Sync", block, sync),
            Section::Stats(block) => page.block("Stats", block, stats),
            Section::Helper(block) => page.block("Helper", block, helper),
        }
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: Vec<u8>,
    depth: usize,
}

impl Page {
    fn line(&mut self, bytes: &[u8]) {
        self.text.extend(std::iter::repeat_n(b'\t', self.depth));
        self.text.extend_from_slice(bytes);
        self.text.push(b'\n');
    }

    fn value(&mut self, keyword: Keyword, value: impl Display) {
        self.line(format!("{} {value}", keyword.text()).as_bytes());
    }

    fn switch(&mut self, keyword: Keyword, on: bool) {
        self.value(keyword, if on { "on" } else { "off" });
    }

    fn path(&mut self, keyword: Keyword, path: &Path) {
        self.line(&[keyword.text().as_bytes(), b" ", &path.value].concat());
    }

    fn switch_or<T>(
        &mut self,
        keyword: Keyword,
        value: &SwitchOr<T>,
        other: fn(&mut Self, Keyword, &T),
    ) {
        match value {
            SwitchOr::Switch(on) => self.switch(keyword, *on),
            SwitchOr::Value(value) => other(self, keyword, value),
        }
    }

    fn block<S>(&mut self, head: &str, block: &Block<S>, statement: fn(&mut Self, &S)) {
        self.line(format!("{head} {{").as_bytes());
        self.depth += 1;
        for one in &block.statements {
            statement(self, &one.value);
        }
        self.depth -= 1;
        self.line(b"}");
    }
}

fn general(page: &mut Page, statement: &General) {
    match statement {
        General::EventIterationLimit(n) => page.value(Keyword::EventIterationLimit, n.value),
        General::Filter(place, block) => {
            let head = match place {
                FilterPlace::Unsaid => "Filter",
                FilterPlace::Userspace => "Filter From Userspace",
                FilterPlace::Kernelspace => "Filter From Kernelspace",
            };
            page.block(head, block, filter);
        }
        General::HashLimit(n) => page.value(Keyword::HashLimit, n.value),
        General::HashSize(n) => page.value(Keyword::HashSize, n.value),
        General::LockFile(path) => page.path(Keyword::LockFile, path),
        General::LogFile(file) => page.switch_or(Keyword::LogFile, file, Page::path),
        General::NetlinkBufferSize(n) => page.value(Keyword::NetlinkBufferSize, n.value),
        General::NetlinkBufferSizeMaxGrowth(n) => {
            page.value(Keyword::NetlinkBufferSizeMaxGrowth, n.value);
        }
        General::NetlinkEventsReliable(on) => {
            page.switch(Keyword::NetlinkEventsReliable, on.value);
        }
        General::NetlinkOverrunResync(time) => {
            page.switch_or(Keyword::NetlinkOverrunResync, time, |page, keyword, n| {
                page.value(keyword, n.value);
            });
        }
        General::Nice(n) => page.value(Keyword::Nice, format_args!("{:+}", n.value)),
        General::PollSecs(n) => page.value(Keyword::PollSecs, n.value),
        General::Scheduler(block) => {
            page.block("Scheduler", block, |page, statement| match statement {
                Scheduler::Type(name) => page.value(Keyword::Type, &name.value),
                Scheduler::Priority(n) => page.value(Keyword::Priority, n.value),
            });
        }
        General::Syslog(facility) => {
            page.switch_or(Keyword::Syslog, facility, |page, keyword, name| {
                page.value(keyword, &name.value);
            });
        }
        General::Systemd(on) => page.switch(Keyword::Systemd, on.value),
        General::Unix(block) => page.block("UNIX", block, |page, statement| match statement {
            Unix::Path(path) => page.path(Keyword::Path, path),
            Unix::Backlog(n) => page.value(Keyword::Backlog, n.value),
        }),
    }
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "Accept",
        Policy::Ignore => "Ignore",
    }
}

fn filter(page: &mut Page, statement: &Filter) {
    match statement {
        Filter::Protocol(kind, protocols) => {
            let mut line = format!("Protocol {} {{", policy(*kind));
            for protocol in protocols {
                line.push(' ');
                line.push_str(match &protocol.value {
                    ProtocolWord::Tcp => "TCP",
                    ProtocolWord::Udp => "UDP",
                    ProtocolWord::Name(name) => name,
                });
            }
            page.line(format!("{line} }}").as_bytes());
        }
        Filter::Address(kind, block) => {
            let head = format!("Address {}", policy(*kind));
            page.block(&head, block, |page, statement| match statement {
                FilterAddress::V4(text) => page.value(Keyword::Ipv4Address, &text.value),
                FilterAddress::V6(text) => page.value(Keyword::Ipv6Address, &text.value),
            });
        }
        Filter::State(kind, states) => {
            let mut line = format!("State {} {{", policy(*kind));
            for state in states {
                line.push(' ');
                line.push_str(match state.value {
                    TcpState::SYN_SENT2 => "LISTEN",
                    other => other.name().unwrap_or_default(),
                });
            }
            page.line(format!("{line} for TCP }}").as_bytes());
        }
    }
}

fn sync(page: &mut Page, statement: &Sync) {
    match statement {
        Sync::Mode(mode, block) => {
            let same = |(name, _): &&(ModeName, &str)| *name == mode.value;
            let name = ModeName::ALL.iter().find(same).map_or("", |(_, name)| name);
            page.block(&format!("Mode {}", name.to_ascii_uppercase()), block, setting);
        }
        Sync::Setting(statement) => setting(page, statement),
        Sync::Link(kind, preference, block) => {
            let kind = match kind {
                LinkKind::Multicast => "Multicast",
                LinkKind::Udp => "UDP",
                LinkKind::Tcp => "TCP",
            };
            let default = match preference {
                Preference::Default => " Default",
                Preference::None => "",
            };
            page.block(&format!("{kind}{default}"), block, link);
        }
        Sync::Options(block) => page.block("Options", block, |page, statement| match statement {
            Options::TcpWindowTracking(on) => page.switch(Keyword::TcpWindowTracking, on.value),
            Options::ExpectationSync(list) => {
                page.switch_or(Keyword::ExpectationSync, list, |page, keyword, names| {
                    let names: Vec<_> = names.iter().map(|name| name.value.as_str()).collect();
                    page.value(keyword, format_args!("{{ {} }}", names.join(" ")));
                });
            }
        }),
    }
}

fn setting(page: &mut Page, statement: &Setting) {
    match statement {
        Setting::AckWindowSize(n) => page.value(Keyword::AckWindowSize, n.value),
        Setting::CacheTimeout(n) => page.value(Keyword::CacheTimeout, n.value),
        Setting::CommitTimeout(n) => page.value(Keyword::CommitTimeout, n.value),
        Setting::DisableExternalCache(on) => page.switch(Keyword::DisableExternalCache, on.value),
        Setting::DisableInternalCache(on) => page.switch(Keyword::DisableInternalCache, on.value),
        Setting::PurgeTimeout(n) => page.value(Keyword::PurgeTimeout, n.value),
        Setting::RefreshTime(n) => page.value(Keyword::RefreshTime, n.value),
        Setting::ResendQueueSize(n) => page.value(Keyword::ResendQueueSize, n.value),
        Setting::StartupResync(on) => page.switch(Keyword::StartupResync, on.value),
    }
}

fn link(page: &mut Page, statement: &Link) {
    match statement {
        Link::Checksum(on) => page.switch(Keyword::Checksum, on.value),
        Link::ErrorQueueLength(n) => page.value(Keyword::ErrorQueueLength, n.value),
        Link::Group(n) => page.value(Keyword::Group, n.value),
        Link::Interface(name) => page.value(Keyword::Interface, &name.value),
        Link::Ipv4Address(text) => page.value(Keyword::Ipv4Address, &text.value),
        Link::Ipv4DestinationAddress(text) => {
            page.value(Keyword::Ipv4DestinationAddress, &text.value);
        }
        Link::Ipv4Interface(text) => page.value(Keyword::Ipv4Interface, &text.value),
        Link::Ipv6Address(text) => page.value(Keyword::Ipv6Address, &text.value),
        Link::Ipv6DestinationAddress(text) => {
            page.value(Keyword::Ipv6DestinationAddress, &text.value);
        }
        Link::Ipv6Interface(text) => page.value(Keyword::Ipv6Interface, &text.value),
        Link::Port(n) => page.value(Keyword::Port, n.value),
        Link::RcvSocketBuffer(n) => page.value(Keyword::RcvSocketBuffer, n.value),
        Link::SndSocketBuffer(n) => page.value(Keyword::SndSocketBuffer, n.value),
    }
}

fn stats(page: &mut Page, statement: &Stats) {
    match statement {
        Stats::LogFile(file) => page.switch_or(Keyword::LogFile, file, Page::path),
        Stats::Syslog(facility) => {
            page.switch_or(Keyword::Syslog, facility, |page, keyword, name| {
                page.value(keyword, &name.value);
            });
        }
    }
}

fn helper(page: &mut Page, statement: &Helper) {
    match statement {
        Helper::Setup(on) => page.switch(Keyword::Setup, on.value),
        Helper::Type(helper) => {
            let words = [&helper.name, &helper.layer3, &helper.layer4];
            let [name, layer3, layer4] = words.map(|word| word.value.as_str());
            let head = format!("Type {name} {layer3} {layer4}");
            page.block(&head, &helper.block, |page, statement| match statement {
                HelperStatement::QueueNum(n) => page.value(Keyword::QueueNum, n.value),
                HelperStatement::QueueLen(n) => page.value(Keyword::QueueLen, n.value),
                HelperStatement::Policy(name, block) => {
                    let head = format!("Policy {}", name.value);
                    page.block(&head, block, |page, statement| match statement {
                        HelperPolicy::ExpectMax(n) => page.value(Keyword::ExpectMax, n.value),
                        HelperPolicy::ExpectTimeout(n) => {
                            page.value(Keyword::ExpectTimeout, n.value);
                        }
                    });
                }
            });
        }
    }
}
