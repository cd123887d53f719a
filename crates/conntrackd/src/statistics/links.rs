//! Dedicated links: the active one in `-s`, `-s network`, `-s expect`; all in `-s link`.

use super::pair;

/// Kind of a link, with what only it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkKind {
    /// Multicast.
    Multicast,
    /// UDP between two hosts.
    Udp,
    /// TCP.
    Tcp(Sessions),
}

/// The two connections of a TCP link: each side sends over the one that it opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sessions {
    /// Whether the peer has connected to this host.
    pub server: bool,
    /// Whether this host is connected to the peer.
    pub client: bool,
}

/// What went over a link.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Transfer {
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Datagrams sent, or buffers handed to a stream.
    pub packets_sent: u64,
    /// Datagrams received, or pieces of a stream.
    pub packets_received: u64,
    /// Datagrams that the system refused to send.
    pub send_errors: u64,
    /// Errors when receiving.
    pub receive_errors: u64,
}

/// State of the device of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkStatus {
    /// Up, with carrier.
    Running,
    /// Up, without carrier.
    NoCarrier,
    /// Down.
    Down,
}

/// Whether messages are sent over a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkRole {
    /// They are.
    Active,
    /// They would be if the active link failed.
    Backup,
}

/// A dedicated link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link<'a> {
    /// Its kind.
    pub kind: LinkKind,
    /// Name of its device.
    pub device: &'a str,
    /// What went over it.
    pub transfer: Transfer,
}

/// The short form, for the active link.
pub fn link(out: &mut Vec<u8>, link: &Link) {
    let mut text = |text: &str| out.extend_from_slice(text.as_bytes());
    let is = |connected| if connected { "connected" } else { "disconnected" };
    text(name(link.kind));
    text(" traffic (active device=");
    text(link.device);
    text(")");
    if let LinkKind::Tcp(Sessions { server, client }) = link.kind {
        text(" server=");
        text(is(server));
        text(" client=");
        text(is(client));
    }
    text(":\n");
    transfer(out, link.transfer);
}

/// The form of `-s link`.
pub fn link_extended(out: &mut Vec<u8>, link: &Link, status: LinkStatus, role: LinkRole) {
    let mut text = |text: &str| out.extend_from_slice(text.as_bytes());
    text(name(link.kind));
    text(" traffic device=");
    text(link.device);
    text(match status {
        LinkStatus::Running => " status=RUNNING",
        LinkStatus::NoCarrier => " status=NO-CARRIER",
        LinkStatus::Down => " status=DOWN",
    });
    text(match role {
        LinkRole::Active => " role=ACTIVE:\n",
        LinkRole::Backup => " role=BACKUP:\n",
    });
    transfer(out, link.transfer);
}

fn name(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Multicast => "multicast",
        LinkKind::Udp => "UDP",
        LinkKind::Tcp(_) => "TCP",
    }
}

fn transfer(out: &mut Vec<u8>, transfer: Transfer) {
    pair(
        out,
        [
            (transfer.bytes_sent, " Bytes sent ", transfer.bytes_received, " Bytes recv"),
            (transfer.packets_sent, " Pckts sent ", transfer.packets_received, " Pckts recv"),
            (transfer.send_errors, " Error send ", transfer.receive_errors, " Error recv"),
        ],
    );
    out.push(b'\n');
}
