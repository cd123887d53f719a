//! The address of a translation: `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`.

use std::net::IpAddr;

use crate::usage_error::UsageError;

use super::number::decimal;

/// What `-n`, `-g` or `-j` ask for. With neither part: any translation of that side.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NatFilter {
    /// The address that is translated to.
    pub address: Option<IpAddr>,
    /// The port that is translated to. Never without an address.
    pub port: Option<u16>,
}

/// The parts of a NAT address. The address itself is read later, as those of all other options are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NatText<'a> {
    /// The text of the address.
    pub(crate) address: &'a str,
    /// The port.
    pub(crate) port: Option<u16>,
}

/// Takes the port off. An error in it comes before one in the address.
pub(crate) fn split_nat(text: &str) -> Result<NatText<'_>, UsageError> {
    let (address, port) = match text.split_once('[') {
        Some((before, inside)) => split_brackets(text, before, inside)?,
        None => match text.split_once(':') {
            // A second colon makes it an IPv6 address without a port.
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (text, None),
        },
    };
    let port = port.map(parse_port).transpose()?;
    Ok(NatText { address, port })
}

/// Upstream passes over text before and after the brackets; here it is part of an address that is not valid.
fn split_brackets<'a>(
    text: &'a str,
    before: &str,
    inside: &'a str,
) -> Result<(&'a str, Option<&'a str>), UsageError> {
    let (address, after) = inside.split_once(']').ok_or(UsageError::NoClosingBracket)?;
    if address.is_empty() {
        return Err(UsageError::EmptyBrackets);
    }
    Ok(match after.strip_prefix(':') {
        Some(port) if before.is_empty() => (address, Some(port)),
        _ => (text, None),
    })
}

fn parse_port(text: &str) -> Result<u16, UsageError> {
    if text.is_empty() {
        return Err(UsageError::NoPort);
    }
    decimal(text).ok_or_else(|| UsageError::InvalidPort { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::split_nat;

    #[test]
    fn port_follows_one_colon_or_brackets() {
        for (text, address, port) in [
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:0080", "192.0.2.1", Some(80)),
            ("192.0.2.1:1:2", "192.0.2.1:1:2", None),
            ("fd00::1", "fd00::1", None),
            ("[fd00::1]:80", "fd00::1", Some(80)),
            ("[192.0.2.1]:5000", "192.0.2.1", Some(5000)),
            ("[fd00::1]", "[fd00::1]", None),
            ("x[fd00::1]:80", "x[fd00::1]:80", None),
            ("[fd00::1]x:80", "[fd00::1]x:80", None),
            (":80", "", Some(80)),
            ("", "", None),
        ] {
            let parts = split_nat(text).unwrap();
            assert_eq!((parts.address, parts.port), (address, port), "{text}");
        }
    }

    #[test]
    fn errors_of_brackets_and_port_are_told_apart() {
        for (text, message) in [
            ("[fd00::1", "No closing ']' around IPv6 address"),
            ("[]", "No IPv6 address specified"),
            ("[]:x", "No IPv6 address specified"),
            ("192.0.2.1:", "No port specified after `:'"),
            ("[fd00::1]:", "No port specified after `:'"),
            ("foo:x", "Invalid port `x'"),
            ("192.0.2.1:+1", "Invalid port `+1'"),
            ("192.0.2.1:1-9", "Invalid port `1-9'"),
            ("192.0.2.1:65536", "Invalid port `65536'"),
        ] {
            assert_eq!(split_nat(text).unwrap_err().to_string(), message);
        }
    }
}
