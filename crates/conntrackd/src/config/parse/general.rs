//! The statements of `General`.

use flow::TcpState;

use super::{Parsed, Parser};
use crate::config::ast::{
    Filter, FilterAddress, FilterPlace, General, Policy, ProtocolWord, Scheduler, Unix,
};
use crate::config::keyword::Keyword;
use crate::config::lexer::TokenKind;
use crate::config::source::At;

pub(super) const GENERAL: &[Keyword] = &[
    Keyword::EventIterationLimit,
    Keyword::Filter,
    Keyword::HashLimit,
    Keyword::HashSize,
    Keyword::LockFile,
    Keyword::LogFile,
    Keyword::NetlinkBufferSize,
    Keyword::NetlinkBufferSizeMaxGrowth,
    Keyword::NetlinkEventsReliable,
    Keyword::NetlinkOverrunResync,
    Keyword::Nice,
    Keyword::PollSecs,
    Keyword::Scheduler,
    Keyword::SocketBufferSize,
    Keyword::SocketBufferSizeMaxGrown,
    Keyword::SocketBufferSizeMaxGrowth,
    Keyword::Syslog,
    Keyword::Systemd,
    Keyword::Unix,
];

impl Parser<'_> {
    pub(super) fn general(&mut self, keyword: Keyword) -> Parsed<General> {
        Ok(match keyword {
            Keyword::EventIterationLimit => General::EventIterationLimit(self.number()?),
            Keyword::Filter => {
                let place = self.filter_place()?;
                let keywords = &[Keyword::Address, Keyword::Protocol, Keyword::State];
                General::Filter(place, self.block(keywords, Self::filter)?)
            }
            Keyword::HashLimit => General::HashLimit(self.number()?),
            Keyword::HashSize => General::HashSize(self.number()?),
            Keyword::LockFile => General::LockFile(self.path()?),
            Keyword::LogFile => General::LogFile(self.switch_or_path()?),
            Keyword::NetlinkBufferSize | Keyword::SocketBufferSize => {
                General::NetlinkBufferSize(self.number()?)
            }
            Keyword::NetlinkBufferSizeMaxGrowth
            | Keyword::SocketBufferSizeMaxGrown
            | Keyword::SocketBufferSizeMaxGrowth => {
                General::NetlinkBufferSizeMaxGrowth(self.number()?)
            }
            Keyword::NetlinkEventsReliable => General::NetlinkEventsReliable(self.switch()?),
            Keyword::NetlinkOverrunResync => General::NetlinkOverrunResync(
                self.switch_or("`on', `off' or a number", Self::number)?,
            ),
            Keyword::Nice => General::Nice(self.signed()?),
            Keyword::PollSecs => General::PollSecs(self.number()?),
            Keyword::Scheduler => {
                let keywords = &[Keyword::Priority, Keyword::Type];
                General::Scheduler(self.block(keywords, Self::scheduler)?)
            }
            Keyword::Syslog => General::Syslog(self.switch_or_facility()?),
            Keyword::Systemd => General::Systemd(self.switch()?),
            Keyword::Unix => {
                General::Unix(self.block(&[Keyword::Backlog, Keyword::Path], Self::unix)?)
            }
            _ => return self.unexpected("a statement of `General'"),
        })
    }

    fn unix(&mut self, keyword: Keyword) -> Parsed<Unix> {
        match keyword {
            Keyword::Path => self.path().map(Unix::Path),
            _ => self.number().map(Unix::Backlog),
        }
    }

    fn scheduler(&mut self, keyword: Keyword) -> Parsed<Scheduler> {
        match keyword {
            Keyword::Type => self.name("a scheduler").map(Scheduler::Type),
            _ => self.number().map(Scheduler::Priority),
        }
    }

    fn filter_place(&mut self) -> Parsed<FilterPlace> {
        if !self.takes(TokenKind::Keyword(Keyword::From)) {
            return Ok(FilterPlace::Unsaid);
        }
        if self.takes(TokenKind::Keyword(Keyword::Userspace)) {
            return Ok(FilterPlace::Userspace);
        }
        self.expect(TokenKind::Keyword(Keyword::Kernelspace), "`Userspace' or `Kernelspace'")?;
        Ok(FilterPlace::Kernelspace)
    }

    fn filter(&mut self, keyword: Keyword) -> Parsed<Filter> {
        let policy = if self.takes(TokenKind::Keyword(Keyword::Accept)) {
            Policy::Accept
        } else {
            self.expect(TokenKind::Keyword(Keyword::Ignore), "`Accept' or `Ignore'")?;
            Policy::Ignore
        };
        Ok(match keyword {
            Keyword::Protocol => Filter::Protocol(policy, self.list(Self::protocol)?),
            Keyword::State => Filter::State(policy, self.list(Self::states)?),
            _ => {
                let keywords = &[Keyword::Ipv4Address, Keyword::Ipv6Address];
                Filter::Address(policy, self.block(keywords, Self::filter_address)?)
            }
        })
    }

    fn protocol(&mut self, protocols: &mut Vec<At<ProtocolWord>>) -> Parsed<()> {
        let span = self.peek().span;
        let value = if self.takes(TokenKind::Keyword(Keyword::Tcp)) {
            ProtocolWord::Tcp
        } else if self.takes(TokenKind::Keyword(Keyword::Udp)) {
            ProtocolWord::Udp
        } else {
            ProtocolWord::Name(self.name("the name of a protocol or `}'")?.value)
        };
        protocols.push(At { value, span });
        Ok(())
    }

    /// A group of states with `for TCP` behind it.
    fn states(&mut self, states: &mut Vec<At<TcpState>>) -> Parsed<()> {
        while let TokenKind::Keyword(keyword) = self.peek().kind
            && let Some(value) = tcp_state(keyword)
        {
            states.push(At { value, span: self.advance().span });
        }
        self.expect(TokenKind::Keyword(Keyword::For), "a TCP state or `for TCP'")?;
        self.expect(TokenKind::Keyword(Keyword::Tcp), "`TCP'")?;
        Ok(())
    }

    fn filter_address(&mut self, keyword: Keyword) -> Parsed<FilterAddress> {
        match keyword {
            Keyword::Ipv4Address => self.address().map(FilterAddress::V4),
            _ => self.address().map(FilterAddress::V6),
        }
    }
}

fn tcp_state(keyword: Keyword) -> Option<TcpState> {
    Some(match keyword {
        Keyword::SynSent => TcpState::SYN_SENT,
        Keyword::SynRecv => TcpState::SYN_RECV,
        Keyword::Established => TcpState::ESTABLISHED,
        Keyword::FinWait => TcpState::FIN_WAIT,
        Keyword::CloseWait => TcpState::CLOSE_WAIT,
        Keyword::LastAck => TcpState::LAST_ACK,
        Keyword::TimeWait => TcpState::TIME_WAIT,
        Keyword::Close | Keyword::Closed => TcpState::CLOSE,
        // The kernel's old name of this number (`TCP_CONNTRACK_LISTEN`).
        Keyword::Listen => TcpState::SYN_SENT2,
        _ => return None,
    })
}
