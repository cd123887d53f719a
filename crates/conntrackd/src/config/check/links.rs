//! The dedicated links of `Sync`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use super::address::{ipv4, ipv6};
use super::{Notes, OuterName, default_of};
use crate::config::ast::{self, Address, Block, LinkKind as Kind, Number, Preference};
use crate::config::diagnostic::{Problem, Version};
use crate::config::keyword::Keyword;
use crate::config::model::{Ends, Group, InterfaceName, LINKS_MAX, Link, LinkKind, Links};
use crate::config::source::{At, Span};

const ERROR_QUEUE_LENGTH: NonZeroU32 = default_of(128);

#[derive(Default)]
pub(super) struct LinksDraft {
    links: Vec<LinkDraft>,
    first: usize,
    error_queue_length: Option<NonZeroU32>,
}

impl LinksDraft {
    pub(super) fn add(
        &mut self,
        kind: Kind,
        preference: Preference,
        block: &Block<ast::Link>,
        notes: &mut Notes,
    ) {
        let (keyword, head) = (keyword(kind), block.head);
        let mut link = LinkDraft::new(kind, head, block.is_damaged);
        for statement in &block.statements {
            if let ast::Link::ErrorQueueLength(number) = &statement.value {
                self.error_queue_length = notes.nonzero(number);
            }
            link.add(&statement.value, notes);
        }
        if self.links.len() == LINKS_MAX {
            let first = block.statements.first().map_or(block.close, |statement| statement.span);
            notes.note_later(Problem::LinksMany, head, first.end);
            return;
        }
        if self.links.first().is_some_and(|first| first.kind != kind) {
            notes.note_later(Problem::LinksMixed(keyword.text()), head, block.close.end);
            return;
        }
        if preference == Preference::Default {
            self.first = self.links.len();
        }
        self.links.push(link);
    }

    pub(super) fn finish(
        self,
        section: Span,
        is_damaged: bool,
        notes: &mut Notes,
    ) -> Option<Links> {
        let Some(kind) = self.links.first().map(|link| link.kind) else {
            if !is_damaged {
                notes.note_at_end(Problem::LinkMissing, section);
            }
            return None;
        };
        let kind = match kind {
            Kind::Multicast => LinkKind::Multicast(self.finish_each(notes, LinkDraft::group)?),
            Kind::Udp => LinkKind::Udp(self.finish_each(notes, LinkDraft::ends)?),
            Kind::Tcp => LinkKind::Tcp {
                error_queue_length: self.error_queue_length.unwrap_or(ERROR_QUEUE_LENGTH),
                links: self.finish_each(notes, LinkDraft::ends)?,
            },
        };
        Some(Links { first: self.first, kind })
    }

    /// All links, or `None` if one is not complete. What is missing is said of all.
    fn finish_each<A>(
        &self,
        notes: &mut Notes,
        addresses: fn(&LinkDraft, &mut Notes) -> Option<A>,
    ) -> Option<Vec<Link<A>>> {
        let links: Vec<_> =
            self.links.iter().map(|link| link.finish(addresses(link, notes), notes)).collect();
        links.into_iter().collect()
    }
}

fn keyword(kind: Kind) -> Keyword {
    match kind {
        Kind::Multicast => Keyword::Multicast,
        Kind::Udp => Keyword::Udp,
        Kind::Tcp => Keyword::Tcp,
    }
}

struct LinkDraft {
    kind: Kind,
    /// The keyword that opens it.
    head: Span,
    is_damaged: bool,
    interface: Option<String>,
    port: Option<u16>,
    send_buffer_bytes: Option<NonZeroU32>,
    receive_buffer_bytes: Option<NonZeroU32>,
    checksum: bool,
    /// The family of a group or of the device that joins it. With two ends: that of the last valid address.
    version: Option<Version>,
    /// The group, or the own end.
    v4: Option<At<Ipv4Addr>>,
    v6: Option<At<Ipv6Addr>>,
    peer_v4: Option<Ipv4Addr>,
    peer_v6: Option<Ipv6Addr>,
    joins_by: Option<Ipv4Addr>,
}

impl LinkDraft {
    fn new(kind: Kind, head: Span, is_damaged: bool) -> Self {
        Self {
            kind,
            head,
            is_damaged,
            interface: None,
            port: None,
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
            checksum: true,
            version: None,
            v4: None,
            v6: None,
            peer_v4: None,
            peer_v6: None,
            joins_by: None,
        }
    }

    fn add(&mut self, statement: &ast::Link, notes: &mut Notes) {
        let is_multicast = self.kind == Kind::Multicast;
        match statement {
            ast::Link::Checksum(switch) => self.checksum = switch.value,
            // Of all links together.
            ast::Link::ErrorQueueLength(_) => {}
            ast::Link::Group(number) | ast::Link::Port(number) => self.port = port(number, notes),
            ast::Link::Interface(word) => {
                notes.name(OuterName::Interface(word.value.clone()), word.span);
                self.interface = Some(word.value.clone());
            }
            ast::Link::Ipv4Address(text) if is_multicast => self.add_group_v4(text, notes),
            ast::Link::Ipv6Address(text) if is_multicast => self.add_group_v6(text, notes),
            ast::Link::Ipv4Address(text) => {
                let address = self.end(text, ipv4, Version::V4, notes);
                self.v4 = address.map(|value| At { value, span: text.span }).or(self.v4);
            }
            ast::Link::Ipv6Address(text) => {
                let address = self.end(text, ipv6, Version::V6, notes);
                self.v6 = address.map(|value| At { value, span: text.span }).or(self.v6);
            }
            ast::Link::Ipv4DestinationAddress(text) => {
                self.peer_v4 = self.end(text, ipv4, Version::V4, notes).or(self.peer_v4);
            }
            ast::Link::Ipv6DestinationAddress(text) => {
                self.peer_v6 = self.end(text, ipv6, Version::V6, notes).or(self.peer_v6);
            }
            ast::Link::Ipv4Interface(text) => self.add_joining_address(text, notes),
            ast::Link::Ipv6Interface(text) => notes.note(Problem::Ipv6Interface, text.span),
            ast::Link::RcvSocketBuffer(number) => {
                self.receive_buffer_bytes = notes.nonzero(number);
            }
            ast::Link::SndSocketBuffer(number) => self.send_buffer_bytes = notes.nonzero(number),
        }
    }

    fn add_group_v4(&mut self, text: &Address, notes: &mut Notes) {
        let Some(value) = valid(text, ipv4, Version::V4, notes) else { return };
        if self.version == Some(Version::V6) {
            notes.note(Problem::GroupV4AfterV6, text.span);
            return;
        }
        self.version = Some(Version::V4);
        self.v4 = Some(At { value, span: text.span });
    }

    fn add_group_v6(&mut self, text: &Address, notes: &mut Notes) {
        let Some(value) = valid(text, ipv6, Version::V6, notes) else { return };
        if self.version == Some(Version::V4) {
            notes.note(Problem::GroupV6AfterV4, text.span);
            return;
        }
        self.version = Some(Version::V6);
        self.v6 = Some(At { value, span: text.span });
    }

    fn add_joining_address(&mut self, text: &Address, notes: &mut Notes) {
        let Some(value) = valid(text, ipv4, Version::V4, notes) else { return };
        if self.version == Some(Version::V6) {
            notes.note(Problem::InterfaceV4AfterV6, text.span);
            return;
        }
        self.version = Some(Version::V4);
        self.joins_by = Some(value);
    }

    fn end<A>(
        &mut self,
        text: &Address,
        parse: fn(&str) -> Option<A>,
        version: Version,
        notes: &mut Notes,
    ) -> Option<A> {
        let address = valid(text, parse, version, notes)?;
        self.version = Some(version);
        Some(address)
    }

    fn group(&self, notes: &mut Notes) -> Option<Group> {
        if let Some(group) = self.v6 {
            check_group(group.value.is_multicast(), &group, notes)?;
            return Some(Group::V6(group.value));
        }
        let Some(group) = self.v4 else {
            self.note_incomplete(Problem::LinkIncomplete(Keyword::Ipv4Address), notes);
            return None;
        };
        check_group(group.value.is_multicast(), &group, notes)?;
        Some(Group::V4 { group: group.value, own: self.joins_by })
    }

    /// Of two families the one that was named last counts, as with upstream.
    fn ends(&self, notes: &mut Notes) -> Option<Ends> {
        let has_v4 = self.v4.is_some() || self.peer_v4.is_some();
        let has_v6 = self.v6.is_some() || self.peer_v6.is_some();
        if let Some(version) = self.version
            && has_v4
            && has_v6
        {
            notes.note(Problem::FamiliesMixed(version), self.head);
        }
        let ends = match self.version {
            Some(Version::V4) => self.peer_v4.map(|peer| Ends::V4 {
                own: self.v4.map_or(Ipv4Addr::UNSPECIFIED, |own| own.value),
                peer,
            }),
            Some(Version::V6) => self.peer_v6.map(|peer| Ends::V6 {
                own: self.v6.map_or(Ipv6Addr::UNSPECIFIED, |own| own.value),
                peer,
            }),
            None => None,
        };
        if ends.is_none() {
            self.note_incomplete(Problem::PeerMissing, notes);
        }
        ends
    }

    fn finish<A>(&self, addresses: Option<A>, notes: &mut Notes) -> Option<Link<A>> {
        let port_keyword =
            if self.kind == Kind::Multicast { Keyword::Group } else { Keyword::Port };
        let port = self.port.filter(|&port| port != 0);
        if port.is_none() {
            self.note_incomplete(Problem::LinkIncomplete(port_keyword), notes);
        }
        if self.interface.is_none() {
            self.note_incomplete(Problem::LinkIncomplete(Keyword::Interface), notes);
        }
        Some(Link {
            interface: InterfaceName(self.interface.clone()?),
            addresses: addresses?,
            port: port?,
            send_buffer_bytes: self.send_buffer_bytes,
            receive_buffer_bytes: self.receive_buffer_bytes,
            checksum: self.checksum,
        })
    }

    fn note_incomplete(&self, problem: Problem, notes: &mut Notes) {
        if !self.is_damaged {
            notes.note_at_end(problem, self.head);
        }
    }
}

/// Upstream uses the lower 16 bits of a port, and so would the other node.
fn port(number: &Number, notes: &mut Notes) -> Option<u16> {
    let low = u16::try_from(number.value & 0xffff).ok()?;
    if number.value != u64::from(low) {
        notes.note(Problem::PortWraps { used: low }, number.span);
    }
    Some(low)
}

/// An address without a prefix. One that is none is ignored.
fn valid<A>(
    text: &Address,
    parse: fn(&str) -> Option<A>,
    version: Version,
    notes: &mut Notes,
) -> Option<A> {
    let address = parse(&text.value);
    if address.is_none() {
        let text_value = text.value.clone();
        notes.note(Problem::LinkAddress { text: text_value, version }, text.span);
    }
    address
}

fn check_group<A: ToString>(is_multicast: bool, group: &At<A>, notes: &mut Notes) -> Option<()> {
    if !is_multicast {
        notes.note(Problem::NotMulticast(group.value.to_string()), group.span);
    }
    is_multicast.then_some(())
}
