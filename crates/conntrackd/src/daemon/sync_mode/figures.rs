//! What the statistics requests show of the mode.

use ctsync::{CacheFigures, CacheName};

use super::SyncMode;
use crate::config::Mode;
use crate::link::{ConnectionState, Kind, LinkView, Role, Status};
use crate::statistics::{
    self, Bypass, Cache, Link, LinkKind, LinkRole, LinkStatus, Network, Queue, Sessions, Tracking,
    Traffic, Transfer,
};

/// Upstream's transmit queue has no bound, and it shows this.
const NO_BOUND: u64 = 2_147_483_647;

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn cache(figures: CacheFigures) -> Cache {
    let counters = figures.counters;
    Cache {
        active: wide(figures.active),
        total: wide(figures.objects),
        objects: wide(figures.objects),
        created: counters.created,
        create_failed: counters.create_failed,
        no_memory: 0,
        no_space: counters.no_space,
        updated: counters.updated,
        destroyed: counters.destroyed,
    }
}

/// The blocks of the two caches: how one of them is written.
type WriteCache = fn(&mut Vec<u8>, &str, &Cache);

impl SyncMode {
    /// `-s`
    pub(super) fn show_flows(&self, out: &mut Vec<u8>) {
        self.show_flow_caches(out, statistics::cache);
        self.show_traffic(out);
    }

    /// `-s cache`
    pub(super) fn show_caches(&self, out: &mut Vec<u8>) {
        self.show_flow_caches(out, statistics::cache_extended);
    }

    /// `-s expect`
    pub(super) fn show_expectations(&self, out: &mut Vec<u8>) {
        if !self.synchronizes_expectations() {
            return;
        }
        if self.has_internal_cache() {
            let internal = self.node.expectation_figures(CacheName::Internal);
            statistics::cache(out, "internal", &cache(internal));
        } else {
            statistics::internal_bypass(out, &Bypass::default());
        }
        if self.has_external_cache() {
            let external = self.node.expectation_figures(CacheName::External);
            statistics::cache(out, "external", &cache(external));
        } else {
            statistics::external_inject(out, &self.work.injection.counters.expectations);
        }
        self.show_traffic(out);
    }

    fn show_flow_caches(&self, out: &mut Vec<u8>, write: WriteCache) {
        if self.has_internal_cache() {
            write(out, "internal", &cache(self.node.flow_figures(CacheName::Internal)));
        } else {
            let node = self.node.statistics();
            let bypass = Bypass {
                new: node.direct_new,
                updated: node.direct_updated,
                destroyed: node.direct_destroyed,
            };
            statistics::internal_bypass(out, &bypass);
        }
        if self.has_external_cache() {
            write(out, "external", &cache(self.node.flow_figures(CacheName::External)));
        } else {
            statistics::external_inject(out, &self.work.injection.counters.flows);
        }
    }

    fn show_traffic(&self, out: &mut Vec<u8>) {
        statistics::traffic(out, Traffic::default());
        self.show_active_link(out);
        let node = self.node.statistics();
        let tracking = Tracking { malformed: node.malformed, lost: node.lost };
        statistics::message_tracking(out, tracking);
    }

    fn show_active_link(&self, out: &mut Vec<u8>) {
        if let Some(view) = self.links.view(self.links.active()) {
            statistics::link(out, &self.link(&view));
        }
    }

    fn link<'v>(&self, view: &LinkView<'v>) -> Link<'v> {
        let is_connected = |state| state == ConnectionState::Connected;
        let kind = match (self.links.kind(), view.connections) {
            (Kind::Multicast, _) => LinkKind::Multicast,
            (Kind::Udp, _) => LinkKind::Udp,
            (Kind::Tcp, connections) => {
                LinkKind::Tcp(connections.map_or_else(Sessions::default, |connections| Sessions {
                    server: is_connected(connections.server),
                    client: is_connected(connections.client),
                }))
            }
        };
        let counters = view.counters;
        let transfer = Transfer {
            bytes_sent: counters.sent_bytes,
            bytes_received: counters.received_bytes,
            packets_sent: counters.sent_packets,
            packets_received: counters.received_packets,
            send_errors: counters.send_errors,
            receive_errors: counters.receive_errors,
        };
        Link { kind, device: view.interface, transfer }
    }

    /// `-s link`
    pub(super) fn show_links(&self, out: &mut Vec<u8>) {
        for view in self.links.views() {
            let status = match view.status {
                Status::Running => LinkStatus::Running,
                Status::NoCarrier => LinkStatus::NoCarrier,
                Status::Down => LinkStatus::Down,
            };
            let role = match view.role {
                Role::Active => LinkRole::Active,
                Role::Backup => LinkRole::Backup,
            };
            statistics::link_extended(out, &self.link(&view), status, role);
        }
    }

    /// `-s network`
    pub(super) fn show_network(&self, out: &mut Vec<u8>) {
        let node = self.node.statistics();
        let network = Network {
            malformed: node.malformed,
            wrong_version: node.version,
            malformed_header: node.header,
            malformed_payload: node.payload,
            bad_type: node.kind,
            truncated: node.truncated,
            bad_size: node.size,
            send_malformed: 0,
            lost: node.lost,
            before: node.before,
        };
        statistics::network(out, &network);
        self.show_active_link(out);
    }

    /// `-s queue`
    pub(super) fn show_queues(&self, out: &mut Vec<u8>) {
        let node = self.node.statistics();
        let errors = self.links.error_queue();
        statistics::queue_nodes(out, wide(errors.current));
        let queue = |name, elements: usize, maximum, no_space| Queue {
            name,
            elements: wide(elements),
            maximum,
            no_space,
        };
        statistics::queue(out, &queue("txqueue", node.transmit_len, NO_BOUND, 0));
        let maximum = wide(errors.maximum);
        statistics::queue(out, &queue("errorq", errors.current, maximum, errors.no_space));
        if self.is_ftfw() {
            let (len, limit) = (node.resend_len, wide(node.resend_limit));
            statistics::queue(out, &queue("rsqueue", len, limit, node.resend_no_space));
        }
    }

    pub(super) fn is_ftfw(&self) -> bool {
        matches!(self.config.mode, Mode::Ftfw(_))
    }
}
