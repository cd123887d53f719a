//! The statements of `Sync`.

use super::{Parsed, Parser};
use crate::config::ast::{Link, LinkKind, ModeName, Options, Preference, Setting, Sync, Word};
use crate::config::diagnostic::Problem;
use crate::config::keyword::Keyword;
use crate::config::lexer::TokenKind;

pub(super) const SYNC: &[Keyword] = &[
    Keyword::CacheTimeout,
    Keyword::CommitTimeout,
    Keyword::Mode,
    Keyword::Multicast,
    Keyword::Options,
    Keyword::PurgeTimeout,
    Keyword::RefreshTime,
    Keyword::Tcp,
    Keyword::Udp,
];

const ALARM: &[Keyword] =
    &[Keyword::CacheTimeout, Keyword::CommitTimeout, Keyword::PurgeTimeout, Keyword::RefreshTime];

const FTFW: &[Keyword] = &[
    Keyword::AckWindowSize,
    Keyword::CommitTimeout,
    Keyword::DisableExternalCache,
    Keyword::PurgeTimeout,
    Keyword::ResendQueueSize,
    Keyword::StartupResync,
];

const NOTRACK: &[Keyword] = &[
    Keyword::CommitTimeout,
    Keyword::DisableExternalCache,
    Keyword::DisableInternalCache,
    Keyword::PurgeTimeout,
    Keyword::StartupResync,
];

const MULTICAST: &[Keyword] = &[
    Keyword::Checksum,
    Keyword::Group,
    Keyword::Interface,
    Keyword::Ipv4Address,
    Keyword::Ipv4Interface,
    Keyword::Ipv6Address,
    Keyword::Ipv6Interface,
    Keyword::RcvSocketBuffer,
    Keyword::SndSocketBuffer,
];

const UDP: &[Keyword] = &[
    Keyword::Checksum,
    Keyword::Interface,
    Keyword::Ipv4Address,
    Keyword::Ipv4DestinationAddress,
    Keyword::Ipv6Address,
    Keyword::Ipv6DestinationAddress,
    Keyword::Port,
    Keyword::RcvSocketBuffer,
    Keyword::SndSocketBuffer,
];

const TCP: &[Keyword] = &[
    Keyword::Checksum,
    Keyword::ErrorQueueLength,
    Keyword::Interface,
    Keyword::Ipv4Address,
    Keyword::Ipv4DestinationAddress,
    Keyword::Ipv6Address,
    Keyword::Ipv6DestinationAddress,
    Keyword::Port,
    Keyword::RcvSocketBuffer,
    Keyword::SndSocketBuffer,
];

impl Parser<'_> {
    pub(super) fn sync(&mut self, keyword: Keyword) -> Parsed<Sync> {
        let kind = match keyword {
            Keyword::Mode => return self.mode(),
            Keyword::Options => {
                let keywords = &[Keyword::ExpectationSync, Keyword::TcpWindowTracking];
                return self.block(keywords, Self::option).map(Sync::Options);
            }
            Keyword::Multicast => LinkKind::Multicast,
            Keyword::Tcp => LinkKind::Tcp,
            Keyword::Udp => LinkKind::Udp,
            _ => return self.setting(keyword).map(Sync::Setting),
        };
        let preference = if self.takes(TokenKind::Keyword(Keyword::Default)) {
            Preference::Default
        } else {
            Preference::None
        };
        let block = self.block(link_statements(kind), Self::link)?;
        Ok(Sync::Link(kind, preference, block))
    }

    fn mode(&mut self) -> Parsed<Sync> {
        let TokenKind::Mode(mode) = self.peek().kind else {
            return self.unexpected("`FTFW', `ALARM' or `NOTRACK'");
        };
        let mode = self.taken(mode);
        // Here, since upstream says so as soon as it has read the word.
        match mode.value {
            ModeName::Nack => self.note(Problem::ModeNack, mode.span),
            ModeName::Persistent => self.note(Problem::ModePersistent, mode.span),
            ModeName::Alarm | ModeName::Ftfw | ModeName::Notrack => {}
        }
        let block = self.block(mode_statements(mode.value), Self::setting)?;
        Ok(Sync::Mode(mode, block))
    }

    fn setting(&mut self, keyword: Keyword) -> Parsed<Setting> {
        Ok(match keyword {
            Keyword::AckWindowSize => Setting::AckWindowSize(self.number()?),
            Keyword::CacheTimeout => Setting::CacheTimeout(self.number()?),
            Keyword::CommitTimeout => Setting::CommitTimeout(self.number()?),
            Keyword::DisableExternalCache => Setting::DisableExternalCache(self.switch()?),
            Keyword::DisableInternalCache => Setting::DisableInternalCache(self.switch()?),
            Keyword::PurgeTimeout => Setting::PurgeTimeout(self.number()?),
            Keyword::RefreshTime => Setting::RefreshTime(self.number()?),
            Keyword::ResendQueueSize => Setting::ResendQueueSize(self.number()?),
            _ => Setting::StartupResync(self.switch()?),
        })
    }

    fn link(&mut self, keyword: Keyword) -> Parsed<Link> {
        Ok(match keyword {
            Keyword::Checksum => Link::Checksum(self.switch()?),
            Keyword::ErrorQueueLength => Link::ErrorQueueLength(self.number()?),
            Keyword::Group => Link::Group(self.number()?),
            Keyword::Interface => Link::Interface(self.device()?),
            Keyword::Ipv4Address => Link::Ipv4Address(self.address()?),
            Keyword::Ipv4DestinationAddress => Link::Ipv4DestinationAddress(self.address()?),
            Keyword::Ipv4Interface => Link::Ipv4Interface(self.address()?),
            Keyword::Ipv6Address => Link::Ipv6Address(self.address()?),
            Keyword::Ipv6DestinationAddress => Link::Ipv6DestinationAddress(self.address()?),
            Keyword::Ipv6Interface => Link::Ipv6Interface(self.address()?),
            Keyword::Port => Link::Port(self.number()?),
            Keyword::RcvSocketBuffer => Link::RcvSocketBuffer(self.number()?),
            _ => Link::SndSocketBuffer(self.number()?),
        })
    }

    fn option(&mut self, keyword: Keyword) -> Parsed<Options> {
        if keyword == Keyword::TcpWindowTracking {
            return self.switch().map(Options::TcpWindowTracking);
        }
        let list = self.switch_or("`on', `off' or `{'", Self::names)?;
        Ok(Options::ExpectationSync(list))
    }

    fn names(&mut self) -> Parsed<Vec<Word>> {
        self.list(|parser, names| {
            names.push(parser.name("the name of a helper or `}'")?);
            Ok(())
        })
    }
}

fn mode_statements(mode: ModeName) -> &'static [Keyword] {
    match mode {
        ModeName::Alarm | ModeName::Persistent => ALARM,
        ModeName::Ftfw | ModeName::Nack => FTFW,
        ModeName::Notrack => NOTRACK,
    }
}

fn link_statements(kind: LinkKind) -> &'static [Keyword] {
    match kind {
        LinkKind::Multicast => MULTICAST,
        LinkKind::Udp => UDP,
        LinkKind::Tcp => TCP,
    }
}
