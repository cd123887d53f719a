//! From the configuration to the core's.

use std::num::NonZeroU32;
use std::time::Duration;

use ctsync::wire::DatagramLimit;
use ctsync::{ExternalCache, InternalCache, ModeConfig, Sequence};

use super::SyncMode;
use crate::config::{General, Mode, Sync};
use crate::daemon::words::Line;

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// A number of the configuration as a count.
pub(crate) fn to_usize(number: NonZeroU32) -> usize {
    usize::try_from(number.get()).unwrap_or(usize::MAX)
}

/// The core's configuration.
pub(super) fn of_node(
    config: &Sync,
    general: &General,
    limit: DatagramLimit,
    sequence: Sequence,
    seed: u64,
) -> ctsync::Config {
    let mode = match &config.mode {
        Mode::Alarm(alarm) => ModeConfig::Alarm {
            refresh_s: seconds(alarm.refresh_time),
            cache_timeout_s: seconds(alarm.cache_timeout),
        },
        Mode::Ftfw(ftfw) => ModeConfig::Ftfw {
            ack_window: ftfw.ack_window_size.get(),
            resend_queue: to_usize(ftfw.resend_queue_size),
        },
        Mode::Notrack(notrack) => {
            let internal =
                if notrack.internal_cache { InternalCache::Kept } else { InternalCache::Bypassed };
            ModeConfig::Notrack { internal }
        }
    };
    let startup_resync = match &config.mode {
        Mode::Alarm(_) => false,
        Mode::Ftfw(ftfw) => ftfw.startup_resync,
        Mode::Notrack(notrack) => notrack.startup_resync,
    };
    let external =
        if has_external_cache(config) { ExternalCache::Kept } else { ExternalCache::Injected };
    ctsync::Config {
        external,
        hash_limit: to_usize(general.hash_limit),
        commit_timeout_s: config.commit_timeout.map(seconds),
        purge_timeout_s: seconds(config.purge_timeout),
        window_tracking: config.tcp_window_tracking,
        startup_resync,
        ..ctsync::Config::new(mode, limit, sequence, seed)
    }
}

fn has_internal_cache(config: &Sync) -> bool {
    match &config.mode {
        Mode::Alarm(_) | Mode::Ftfw(_) => true,
        Mode::Notrack(notrack) => notrack.internal_cache,
    }
}

fn has_external_cache(config: &Sync) -> bool {
    match &config.mode {
        Mode::Alarm(_) => true,
        Mode::Ftfw(ftfw) => ftfw.external_cache,
        Mode::Notrack(notrack) => notrack.external_cache,
    }
}

/// What is switched off, said at the start.
pub(crate) fn switched_off(config: &Sync) -> impl Iterator<Item = Line> {
    let lines = [
        (has_internal_cache(config), "disabling internal cache"),
        (has_external_cache(config), "disabling external cache"),
    ];
    lines.into_iter().filter(|(is_on, _)| !is_on).map(|(_, text)| Line::notice(text))
}

impl SyncMode {
    /// Whether the flows of the own kernel are kept.
    pub(crate) fn has_internal_cache(&self) -> bool {
        has_internal_cache(&self.config)
    }

    /// Whether the flows of the peer are kept.
    pub(crate) fn has_external_cache(&self) -> bool {
        has_external_cache(&self.config)
    }
}
