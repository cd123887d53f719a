//! What the daemon says of what happens, in upstream's words where upstream has some.

use ctsync::{CacheName, LinkId, Notice, Which};
use sys::error_text::error_text;

use crate::config::Sync;
use crate::kernel::BufferNotice;
use crate::link::{self, Links};
use crate::report::Severity;

/// A line of the log.
#[derive(Debug)]
pub(crate) struct Line {
    /// How it is marked.
    pub(crate) severity: Severity,
    /// Its text.
    pub(crate) text: String,
    /// Whether others may cause it as often as they like: then it is said once in an interval. Names its kind.
    pub(crate) limited: Option<&'static str>,
}

impl Line {
    pub(crate) fn notice(text: impl Into<String>) -> Self {
        Self { severity: Severity::Notice, text: text.into(), limited: None }
    }

    pub(crate) fn warning(text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, text: text.into(), limited: None }
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, text: text.into(), limited: None }
    }

    /// The same, said once in an interval.
    pub(crate) fn limited(self, kind: &'static str) -> Self {
        Self { limited: Some(kind), ..self }
    }
}

/// The line of a node's notice; `None` for one that only the program needs.
pub(crate) fn of_node(notice: &Notice, config: &Sync) -> Option<Line> {
    Some(match *notice {
        Notice::ResyncRequested => Line::notice("resync requested"),
        Notice::ResyncRequestedByPeer => Line::notice("resync requested by other node"),
        Notice::BulkStarted => Line::notice("sending bulk update"),
        Notice::CommitStarted(Which::All) => Line::notice("committing all external caches"),
        Notice::CommitStarted(Which::Flows) => Line::notice("committing conntrack cache"),
        Notice::CommitStarted(Which::Expectations) => Line::notice("committing expectation cache"),
        Notice::CommitInProgress => Line::notice("commit already in progress, skipping"),
        Notice::FlushIgnored => Line::error("ignoring flush command, commit still in progress"),
        Notice::FlushingAll => Line::notice("flushing caches"),
        Notice::FlushingInternal => Line::notice("flushing internal cache"),
        Notice::FlushingExternal => Line::notice("flushing external cache"),
        Notice::FlushingKernel(Which::Expectations) => Line::notice("flushing kernel expect table"),
        Notice::FlushingKernel(Which::Flows | Which::All) => {
            Line::notice("flushing kernel conntrack table")
        }
        Notice::PurgeScheduled => {
            let seconds = config.purge_timeout.as_secs();
            Line::notice(format!("flushing conntrack table in {seconds} secs"))
        }
        Notice::PurgeBegins => Line::notice("flushing kernel conntrack table (scheduled)"),
        Notice::BadMessages { first, count: 1 } => {
            Line::warning(format!("refused a message of the other node: {first}"))
                .limited(bad_message(&first))
        }
        Notice::BadMessages { first, count } => {
            Line::warning(format!("refused {count} messages of the other node, the first: {first}"))
                .limited(bad_message(&first))
        }
        Notice::TooLong { first, count } => {
            let waiting = if count > 1 { format!(" ({count} messages)") } else { String::new() };
            Line::error(format!("the MTU of the dedicated link is too small: {first}{waiting}"))
                .limited("the MTU of the dedicated link is too small")
        }
        Notice::CacheFull { cache, count } => {
            let (name, kind) = match cache {
                CacheName::Internal => ("internal", "entries for the full internal cache"),
                CacheName::External => ("external", "entries for the full external cache"),
            };
            let text = format!("the {name} cache is full (HashLimit): no room for {count} entries");
            Line::warning(text).limited(kind)
        }
        _ => return None,
    })
}

/// The line for so many clients that were given up in one turn; none for none.
pub(crate) fn of_given_up(count: u64) -> Option<Line> {
    let text = match count {
        0 => return None,
        1 => "a client that did not read its answer was given up".to_owned(),
        _ => format!("{count} clients that did not read their answers were given up"),
    };
    Some(Line::warning(text).limited("clients that did not read their answers"))
}

/// Messages are told apart by what is counted.
fn bad_message(error: &ctsync::wire::DecodeError) -> &'static str {
    use ctsync::wire::Counter;
    match error.counter() {
        Counter::Version => "messages of another version",
        Counter::Header => "malformed headers",
        Counter::Payload => "malformed payloads",
        Counter::Kind => "messages of unknown types",
        Counter::Truncated => "truncated messages",
        Counter::Size => "messages of wrong sizes",
    }
}

/// The line of a change of the event buffer.
pub(crate) fn of_buffer(notice: BufferNotice) -> Line {
    match notice {
        BufferNotice::OfSystem => Line::notice(
            "NetlinkBufferSize is either not set or is greater than NetlinkBufferSizeMaxGrowth. \
             Using current system buffer size",
        ),
        BufferNotice::Set { bytes } => {
            Line::notice(format!("netlink event socket buffer size has been set to {bytes} bytes"))
        }
        BufferNotice::Doubled { bytes } => Line::notice(format!(
            "netlink event socket buffer size has been doubled to {bytes} bytes"
        )),
        BufferNotice::CannotGrow => Line::warning(
            "netlink event socket buffer size cannot be doubled further since it will exceed \
             NetlinkBufferSizeMaxGrowth. We are likely to be losing events, this may lead to \
             unsynchronized replicas. Please, consider increasing netlink socket buffer size via \
             NetlinkBufferSize and NetlinkBufferSizeMaxGrowth clauses in conntrackd.conf",
        ),
    }
}

/// The line of a message to the service manager that could not be sent.
pub(crate) fn of_service(error: &std::io::Error) -> Line {
    Line::warning(format!("can't notify the service manager: {}", error_text(error)))
}

/// The line of what happened to a link; `None` for what only the program needs.
pub(crate) fn of_link(notice: &link::Notice, links: &Links) -> Option<Line> {
    use link::Notice as N;
    let device = |id: &LinkId| links.view(*id).map_or("", |view| view.interface);
    Some(match notice {
        N::Activated { link } => {
            Line::notice(format!("device `{}' becomes dedicated link", device(link)))
        }
        N::NoneAvailable => Line::error("no dedicated links available!"),
        N::SendFailed { link, error } => {
            Line::warning(format!("can't send over `{}': {}", device(link), error_text(error)))
        }
        N::ReceiveFailed { link, error } => {
            Line::warning(format!("can't receive over `{}': {}", device(link), error_text(error)))
        }
        N::StrangerRefused { link, from } => {
            Line::warning(format!("refused a connection from {from} over `{}'", device(link)))
        }
        N::StreamBroken { link } => Line::warning(format!(
            "closed the connection over `{}': a message of wrong length",
            device(link)
        )),
        N::NotReopened { link, error, .. } => Line::warning(format!(
            "`{}' has come back, but can't be used again yet: {}",
            device(link),
            error_text(error)
        )),
        N::Reopened { link } => Line::notice(format!("`{}' has come back", device(link))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ctsync::{CacheName, Notice, Which};

    use super::{Line, of_buffer, of_node};
    use crate::config::{self, Role, Sync};
    use crate::kernel::BufferNotice;
    use crate::report::Severity;

    fn sync() -> Sync {
        let text = b"Sync { Mode NOTRACK { PurgeTimeout 7 } UDP { IPv4_address 192.0.2.1 \
            IPv4_Destination_Address 192.0.2.2 Port 3780 Interface lo } }";
        let Role::Sync(sync) = config::read(text).config.unwrap().role else { panic!() };
        sync
    }

    #[test]
    fn what_a_node_does_is_said_in_upstreams_words() {
        let sync = sync();
        for (notice, severity, text) in [
            (Notice::ResyncRequested, Severity::Notice, "resync requested"),
            (Notice::ResyncRequestedByPeer, Severity::Notice, "resync requested by other node"),
            (Notice::BulkStarted, Severity::Notice, "sending bulk update"),
            (Notice::CommitStarted(Which::All), Severity::Notice, "committing all external caches"),
            (Notice::CommitStarted(Which::Flows), Severity::Notice, "committing conntrack cache"),
            (
                Notice::CommitStarted(Which::Expectations),
                Severity::Notice,
                "committing expectation cache",
            ),
            (Notice::CommitInProgress, Severity::Notice, "commit already in progress, skipping"),
            (
                Notice::FlushIgnored,
                Severity::Error,
                "ignoring flush command, commit still in progress",
            ),
            (Notice::FlushingAll, Severity::Notice, "flushing caches"),
            (Notice::FlushingInternal, Severity::Notice, "flushing internal cache"),
            (Notice::FlushingExternal, Severity::Notice, "flushing external cache"),
            (
                Notice::FlushingKernel(Which::Flows),
                Severity::Notice,
                "flushing kernel conntrack table",
            ),
            (
                Notice::FlushingKernel(Which::Expectations),
                Severity::Notice,
                "flushing kernel expect table",
            ),
            (Notice::PurgeScheduled, Severity::Notice, "flushing conntrack table in 7 secs"),
            (Notice::PurgeBegins, Severity::Notice, "flushing kernel conntrack table (scheduled)"),
        ] {
            let Line { severity: found, text: said, limited } = of_node(&notice, &sync).unwrap();
            assert_eq!((found, said.as_str(), limited), (severity, text, None), "{notice:?}");
        }
        for silent in [Notice::PeerStarted, Notice::FlowsCommitted, Notice::NothingToCommit] {
            assert!(of_node(&silent, &sync).is_none(), "{silent:?}");
        }
    }

    #[test]
    fn what_others_cause_is_said_once_in_an_interval() {
        let full = Notice::CacheFull { cache: CacheName::External, count: 3 };
        let line = of_node(&full, &sync()).unwrap();
        assert_eq!(line.severity, Severity::Warning);
        assert_eq!(line.text, "the external cache is full (HashLimit): no room for 3 entries");
        assert!(line.limited.is_some());
    }

    #[test]
    fn the_buffer_is_spoken_of_in_upstreams_words() {
        let doubled = of_buffer(BufferNotice::Doubled { bytes: 4096 });
        assert_eq!(doubled.severity, Severity::Notice);
        let text = "netlink event socket buffer size has been doubled to 4096 bytes";
        assert_eq!(doubled.text, text);
        let end = of_buffer(BufferNotice::CannotGrow);
        assert_eq!(end.severity, Severity::Warning);
        assert!(end.text.starts_with("netlink event socket buffer size cannot be doubled further"));
        assert!(end.text.ends_with("clauses in conntrackd.conf"));
    }
}
