//! The configured filter as a value that is asked, and as a program on the event socket.

use std::io;
use std::os::fd::AsFd;

use ctnetlink::bpf::{self, Coverage, Program};
use ctnetlink::client::attach_filter;
use flow::filter::{AddressSet, EventFilter, NumberSet, Rule};

use crate::config::{Filter, Listed, Policy, ProtocolName};

/// The filter of a configuration. `number` looks the name of a protocol up ([`crate::config::protocols::number`]); a
/// name that it does not know is no member, of which the reader of the configuration has warned.
pub fn from_config(filter: &Filter, mut number: impl FnMut(&str) -> Option<u8>) -> EventFilter {
    let protocols = filter.protocols.as_ref().map(|list| {
        rule(list, |members| {
            let numbers = members.iter().filter_map(|member| match member {
                ProtocolName::Known(protocol) => Some(protocol.number()),
                ProtocolName::Named(name) => number(name),
            });
            numbers.collect::<NumberSet>()
        })
    });
    let addresses = filter.addresses.as_ref().map(|list| {
        rule(list, |members| {
            let networks = members.iter().map(|member| (member.address(), member.prefix_len()));
            AddressSet::from_networks(networks)
        })
    });
    let tcp_states = filter
        .tcp_states
        .as_ref()
        .map(|list| rule(list, |members| members.iter().map(|state| state.0).collect()));
    EventFilter { protocols, addresses, tcp_states }
}

fn rule<T, S>(list: &Listed<T>, set: impl FnOnce(&[T]) -> S) -> Rule<S> {
    let policy = match list.policy {
        Policy::Accept => flow::filter::Policy::Accept,
        Policy::Ignore => flow::filter::Policy::Ignore,
    };
    Rule { policy, members: set(&list.members) }
}

/// Puts the filter on the event socket, and tells how much of it. What a request of the port `ignored` has caused does not
/// come at all.
///
/// Events must be asked of the filter again in any case: some may wait already, and addresses that are too many for the
/// kernel are left out. How many are too many depends on its setting `net.core.optmem_max`.
pub fn attach(
    socket: impl AsFd,
    filter: &EventFilter,
    ignored: Option<u32>,
) -> io::Result<Coverage> {
    attach_filter(socket, |most| match ignored {
        None => bpf::compile(filter, most),
        Some(port_id) => {
            bpf::compile(filter, most.saturating_sub(Program::IGNORING)).ignoring(port_id)
        }
    })
}

#[cfg(test)]
mod tests {
    use flow::filter::{AddressSet, EventFilter, Policy, Rule};

    use super::from_config;
    use crate::config;

    fn filter(text: &str) -> EventFilter {
        let text = format!("General {{ Filter {{ {text} }} }} Stats {{ }}");
        let config = config::read(text.as_bytes()).config.unwrap();
        let number = |name: &str| (name == "sctp").then_some(132);
        from_config(&config.general.filter.unwrap(), number)
    }

    #[test]
    fn every_list_is_taken_over() {
        let found = filter(
            "Protocol Accept { TCP UDP sctp unheard-of } \
             Address Ignore { IPv4_address 10.0.0.0/8 IPv4_address 192.0.2.1 \
                 IPv6_address 2001:db8::/32 } \
             State Accept { ESTABLISHED CLOSED LISTEN for TCP }",
        );
        let networks = [("10.0.0.0", 8), ("192.0.2.1", 32), ("2001:db8::", 32)]
            .map(|(text, len)| (text.parse().unwrap(), len));
        let numbers = |policy, members: &[u8]| {
            Some(Rule { policy, members: members.iter().copied().collect() })
        };
        let expected = EventFilter {
            protocols: numbers(Policy::Accept, &[6, 17, 132]),
            addresses: Some(Rule {
                policy: Policy::Ignore,
                members: AddressSet::from_networks(networks),
            }),
            tcp_states: numbers(Policy::Accept, &[3, 8, 9]),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn an_empty_list_is_a_list() {
        assert!(filter("").wants_all());
        let found = filter("Protocol Accept { unheard-of }");
        assert!(!found.wants_all());
        assert_eq!(found.protocols.unwrap().members, [].into_iter().collect());
    }
}
