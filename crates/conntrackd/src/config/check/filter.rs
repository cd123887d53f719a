//! `Filter`.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;

use flow::{Protocol, TcpState};

use super::address::of_version;
use super::{Notes, OuterName, retain_first};
use crate::config::ast::{self, Address, Block, FilterAddress, ProtocolWord};
use crate::config::diagnostic::{Problem, Version};
use crate::config::model::{Filter, FilterPlace, Listed, Network, Policy, ProtocolName};

#[derive(Default)]
pub(super) struct FilterDraft {
    is_in_kernel: bool,
    protocols: Option<Listed<ProtocolName>>,
    addresses: Option<Listed<Network>>,
    tcp_states: Option<Listed<TcpState>>,
    /// Networks as written, bits behind the prefix and all: upstream tells them apart by these.
    written_v4: HashSet<(IpAddr, u8)>,
}

impl FilterDraft {
    pub(super) fn add(
        &mut self,
        place: ast::FilterPlace,
        block: &Block<ast::Filter>,
        notes: &mut Notes,
    ) {
        self.is_in_kernel = place == ast::FilterPlace::Kernelspace;
        for statement in &block.statements {
            match &statement.value {
                ast::Filter::Protocol(policy, protocols) => {
                    let list = list(&mut self.protocols, *policy);
                    for protocol in protocols {
                        let name = match &protocol.value {
                            ProtocolWord::Tcp => ProtocolName::Known(Protocol::Tcp),
                            ProtocolWord::Udp => ProtocolName::Known(Protocol::Udp),
                            ProtocolWord::Name(name) => {
                                notes.name(OuterName::Protocol(name.clone()), protocol.span);
                                ProtocolName::Named(name.clone())
                            }
                        };
                        list.members.push(name);
                    }
                }
                ast::Filter::Address(policy, addresses) => {
                    list(&mut self.addresses, *policy);
                    for address in &addresses.statements {
                        match &address.value {
                            FilterAddress::V4(text) => self.add_address(text, Version::V4, notes),
                            FilterAddress::V6(text) => self.add_address(text, Version::V6, notes),
                        }
                    }
                }
                ast::Filter::State(policy, states) => {
                    let list = list(&mut self.tcp_states, *policy);
                    for state in states {
                        list.members.push(state.value);
                    }
                }
            }
        }
    }

    /// Upstream looks at the length of the prefix first, then at the address without it.
    fn add_address(&mut self, written: &Address, version: Version, notes: &mut Notes) {
        let whole = match version {
            Version::V4 => 32,
            Version::V6 => 128,
        };
        let (text, prefix_len) = match written.value.split_once('/') {
            Some((text, digits)) => (text, digits.parse().ok().filter(|&len| len <= whole)),
            None => (written.value.as_str(), Some(whole)),
        };
        let Some(prefix_len) = prefix_len else {
            notes.note(Problem::Network(written.value.clone()), written.span);
            return;
        };
        let address = of_version(text, version);
        let network = address.and_then(|address| Network::new(address, prefix_len));
        let (Some(address), Some(network)) = (address, network) else {
            let text = text.to_owned();
            notes.note(Problem::FilterAddress { text, version }, written.span);
            return;
        };
        let is_known = version == Version::V4
            && prefix_len < whole
            && !self.written_v4.insert((address, prefix_len));
        if is_known {
            notes.note(Problem::NetworkRepeated(address.to_string()), written.span);
        }
        if let Some(list) = &mut self.addresses {
            list.members.push(network);
        }
    }

    pub(super) fn finish(self) -> Filter {
        let place =
            if self.is_in_kernel { FilterPlace::Kernelspace } else { FilterPlace::Userspace };
        Filter {
            place,
            protocols: self.protocols.map(without_repeats),
            addresses: self.addresses.map(without_repeats),
            tcp_states: self.tcp_states.map(without_repeats),
        }
    }
}

/// The list, with the policy that was given last.
fn list<T>(listed: &mut Option<Listed<T>>, policy: ast::Policy) -> &mut Listed<T> {
    let policy = match policy {
        ast::Policy::Accept => Policy::Accept,
        ast::Policy::Ignore => Policy::Ignore,
    };
    let list = listed.get_or_insert_with(|| Listed { policy, members: Vec::new() });
    list.policy = policy;
    list
}

fn without_repeats<T: Clone + Eq + Hash>(mut list: Listed<T>) -> Listed<T> {
    retain_first(&mut list.members);
    list
}
