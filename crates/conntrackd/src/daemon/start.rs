//! The start, in an order in which everything that can fail does so before the process goes to the background.

use std::io;

use ctnetlink::Table;
use ctnetlink::client::ClientError;
use sys::epoll::Poller;
use sys::error_text::error_text;
use sys::lock_file::{LockError, LockFile, Taken};
use sys::process::{self, RealTime};
use sys::signal::Signals;

use super::clock::{Clock, first_sequence};
use super::context::say;
use super::event_loop::{Daemon, Mode, Working};
use super::kernel_side::{KernelSide, Wanted};
use super::statistics_mode::StatisticsMode;
use super::sync_mode::{SyncMode, switched_off, to_usize};
use super::words::{self, Line};
use crate::config::{
    self, Config, FilterPlace, RealTimePolicy, Role, Scheduling, Source, Sync, protocols,
};
use crate::control::server::{self, Server};
use crate::filter;
use crate::kernel::{EventGroups, EventSource};
use crate::link::{LinkError, Links};
use crate::log::{Console, Log, StatisticsLog};
use crate::report::{Exit, Report};
use crate::service::{self, Service};

/// The database of protocol names.
pub(crate) const PROTOCOLS: &str = "/etc/protocols";

/// What is said after the cause of a start that failed.
pub(crate) const START_FAILED: [&str; 2] =
    ["initialization failed", "conntrackd cannot start, please review your configuration"];

/// Where the daemon runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// In the foreground.
    Console,
    /// In the background (`-d`).
    Background,
}

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("can't open channel socket: {}", error_text(.0.reason()))]
    Links(#[source] LinkError),
    #[error("can't open netlink handler: {}\nno ctnetlink kernel support?", error_text(.0))]
    Kernel(#[source] io::Error),
    #[error("can't get kernel {} table: {}", table_name(*.0), .1)]
    FirstDump(Table, #[source] ClientError),
    #[error("can't wait for events: {}", error_text(.0))]
    Poller(#[source] io::Error),
    #[error("no random numbers: {}", error_text(.0))]
    Random(#[source] io::Error),
}

fn table_name(table: Table) -> &'static str {
    match table {
        Table::Flows => "conntrack",
        Table::Expectations => "expect",
    }
}

/// Runs a daemon until its end. `warnings` are what its configuration gave cause for.
pub fn run(config: &Config, warnings: &[String], place: Place, report: &mut Report<'_>) -> Exit {
    let console = match place {
        Place::Console => Console::Foreground,
        Place::Background => Console::Starting,
    };
    let clock = Clock::start();
    let mut log = match Log::open(report, &config.general.log, console) {
        Ok(log) => log,
        Err(error) => {
            report.bare_line(&error.to_string());
            return Exit::Failure;
        }
    };
    let of_flows = match &config.role {
        Role::Stats(stats) => stats.log.clone(),
        Role::Idle | Role::Sync(_) => config::Log::default(),
    };
    let statistics_log = match StatisticsLog::open(log.system(), &of_flows) {
        Ok(statistics_log) => statistics_log,
        Err(error) => {
            log.bare_line(&error.to_string());
            return Exit::Failure;
        }
    };
    for warning in warnings {
        say(&mut log, clock.now(), &Line::warning(warning.as_str()));
    }
    // From here on a signal that ends waits until all is cleaned up. If it cannot be read, it cannot be later either,
    // which is an error then.
    let held = Signals::hold().ok();
    let lock = match take_lock(config, &mut log, &clock) {
        Ok(lock) => lock,
        Err(line) => {
            say(&mut log, clock.now(), &line);
            return Exit::Failure;
        }
    };
    schedule(config.general.scheduling, &mut log, &clock);
    let service = find_service(config, &mut log, &clock);
    let Ok(mut daemon) = prepare(config, clock, log, statistics_log) else {
        return Exit::Failure;
    };
    daemon.service = service;
    if place == Place::Background && held.is_some_and(|held| daemon.is_to_end(&held)) {
        // The signal would be lost with the parent.
        daemon.say(&Line::notice("---- shutdown received ----"));
        daemon.end();
        return Exit::Failure;
    }
    serve(daemon, lock, place, &service::status(&config.role))
}

/// Who has started this process, if the configuration lets it hear of us.
fn find_service(config: &Config, log: &mut Log, clock: &Clock) -> Service {
    if !config.general.systemd {
        return Service::default();
    }
    Service::open(log.system()).unwrap_or_else(|error| {
        say(log, clock.now(), &Line::warning(error.to_string()));
        Service::default()
    })
}

fn take_lock(config: &Config, log: &mut Log, clock: &Clock) -> Result<LockFile, Line> {
    let path = &config.general.lock_file;
    match LockFile::take(path) {
        Ok(Taken { lock, left_by }) => {
            if let Some(pid) = left_by {
                let path = path.display();
                let text = format!("lockfile `{path}' of process {pid}, which is gone, taken over");
                say(log, clock.now(), &Line::warning(text));
            }
            Ok(lock)
        }
        Err(LockError::Exists) => {
            let path = path.display();
            let text = format!("lockfile `{path}' exists, perhaps conntrackd already running?");
            Err(Line::error(text))
        }
        Err(LockError::Io(error)) => {
            let (path, reason) = (path.display(), error_text(&error));
            Err(Line::error(format!("can't create lockfile `{path}': {reason}")))
        }
    }
}

fn schedule(scheduling: Scheduling, log: &mut Log, clock: &Clock) {
    let scheduled = match scheduling {
        Scheduling::Unsaid => {
            let policy = RealTime::RoundRobin;
            policy.highest().and_then(|highest| process::schedule(policy, highest))
        }
        Scheduling::RealTime { policy, priority } => {
            let policy = match policy {
                RealTimePolicy::RoundRobin => RealTime::RoundRobin,
                RealTimePolicy::Fifo => RealTime::Fifo,
            };
            process::schedule(policy, priority.into())
        }
    };
    if let Err(error) = scheduled {
        let text = format!(
            "scheduler configuration failed: {}. Likely a bug in conntrackd, please report it. \
             Continuing with system default scheduler.",
            error_text(&error)
        );
        say(log, clock.now(), &Line::warning(text));
    }
}

/// Opens everything. What went wrong is said.
fn prepare<'r, 'a>(
    config: &Config,
    clock: Clock,
    mut log: Log<'r, 'a>,
    statistics_log: StatisticsLog<'a>,
) -> Result<Daemon<'r, 'a>, ()> {
    let poller = match Poller::new() {
        Ok(poller) => poller,
        Err(error) => {
            say_failed(&mut log, &clock, &StartError::Poller(error));
            return Err(());
        }
    };
    let path = &config.general.control_socket;
    let control = match Server::open(path, &poller) {
        Ok(control) => control,
        Err(error) => {
            say_socket_failed(&mut log, &clock, &error, &error.hint(path));
            return Err(());
        }
    };
    match work(config, &clock, &poller, &mut log, statistics_log) {
        Ok(working) => {
            say(&mut log, clock.now(), &Line::notice("initialization completed"));
            let limit = to_usize(config.general.iteration_limit);
            Ok(Daemon::new(clock, poller, log, control, working, limit))
        }
        Err(error) => {
            control.close();
            say_failed(&mut log, &clock, &error);
            Err(())
        }
    }
}

fn say_failed(log: &mut Log, clock: &Clock, error: &StartError) {
    let text = error.to_string();
    let lines = text.lines().chain(START_FAILED);
    for line in lines {
        say(log, clock.now(), &Line::error(line));
    }
}

fn say_socket_failed(log: &mut Log, clock: &Clock, error: &server::OpenError, hint: &str) {
    for line in [
        error.to_string().as_str(),
        hint,
        "conntrackd cannot start, please review your configuration",
    ] {
        say(log, clock.now(), &Line::error(line));
    }
}

/// What the daemon is for, ready to begin. `None` if it is for nothing.
fn work<'a>(
    config: &Config,
    clock: &Clock,
    poller: &Poller,
    log: &mut Log<'_, 'a>,
    statistics_log: StatisticsLog<'a>,
) -> Result<Option<Working<'a>>, StartError> {
    let kernel = |log: &mut Log| open_kernel(config, clock, log);
    let seed = process::random().map_err(StartError::Random)?;
    match &config.role {
        Role::Idle => Ok(None),
        Role::Sync(sync) => {
            for line in switched_off(sync) {
                say(log, clock.now(), &line);
            }
            let links = open_links(config, sync, clock, poller)?;
            let mut kernel = kernel(log)?;
            let (now, general) = (clock.now(), &config.general);
            let mut mode = SyncMode::new(now, sync.clone(), general, links, first_sequence(), seed);
            let groups = if mode.synchronizes_expectations() {
                EventGroups::FlowsAndExpectations
            } else {
                EventGroups::Flows
            };
            // Events come before the dump, so that nothing falls between.
            kernel.subscribe(poller, groups).map_err(StartError::Kernel)?;
            mode.fill(clock.now(), &mut kernel)?;
            let mode = Mode::Sync(Box::new(mode));
            Ok(Some(Working::new(kernel, mode, &config.general.source, clock.now())))
        }
        Role::Stats(_) => {
            let mut kernel = kernel(log)?;
            let limit = to_usize(config.general.hash_limit);
            let mut mode = StatisticsMode::new(statistics_log, log.system(), limit, seed);
            kernel.subscribe(poller, EventGroups::Flows).map_err(StartError::Kernel)?;
            mode.fill(clock.now(), &mut kernel)?;
            let mode = Mode::Statistics(Box::new(mode));
            Ok(Some(Working::new(kernel, mode, &config.general.source, clock.now())))
        }
    }
}

fn open_links(
    config: &Config,
    sync: &Sync,
    clock: &Clock,
    poller: &Poller,
) -> Result<Links, StartError> {
    Links::open(&sync.links, config.general.iteration_limit, clock.now(), poller)
        .map_err(StartError::Links)
}

/// Opens the sockets to the kernel and says how events come.
fn open_kernel(config: &Config, clock: &Clock, log: &mut Log) -> Result<KernelSide, StartError> {
    let general = &config.general;
    let system = log.system();
    let wanted = Wanted::new(general.filter.as_ref().map(|configured| {
        let mut database = None;
        let number = |name: &str| {
            let read = || system.read(std::path::Path::new(PROTOCOLS)).unwrap_or_default();
            protocols::number(database.get_or_insert_with(read), name)
        };
        (filter::from_config(configured, number), configured.place)
    }));
    let events = match &general.source {
        Source::Events(events) => Some(events),
        Source::Polling { .. } => None,
    };
    let mut kernel = KernelSide::open(events, wanted).map_err(StartError::Kernel)?;
    let now = clock.now();
    if events.is_none() {
        say(log, now, &Line::notice("running in polling mode"));
        return Ok(kernel);
    }
    if events.is_some_and(|events| events.is_reliable) {
        say(log, now, &Line::notice("reliable ctnetlink event delivery is ENABLED."));
    }
    let place = general.filter.as_ref().map(|filter| filter.place);
    if let Some(place) = place {
        say(
            log,
            now,
            &Line::notice(match place {
                FilterPlace::Userspace => "using user-space event filtering",
                FilterPlace::Kernelspace => "using kernel-space event filtering",
            }),
        );
    }
    if let Err(error) = kernel.attach_filter()
        && place == Some(FilterPlace::Kernelspace)
    {
        // All is asked of the filter here again.
        let text = format!("cannot set event filtering: {}", error_text(&error));
        say(log, now, &Line::error(text));
    }
    while let Some(notice) = kernel.events.as_mut().and_then(EventSource::next_notice) {
        say(log, now, &words::of_buffer(notice));
    }
    Ok(kernel)
}

/// Goes to the background, if that is wanted, and serves until the end.
fn serve(mut daemon: Daemon<'_, '_>, mut lock: LockFile, place: Place, status: &str) -> Exit {
    if let Err(line) = settle(&mut daemon, &mut lock, place) {
        daemon.say(&line);
        daemon.end();
        return Exit::Failure;
    }
    daemon.say(&Line::notice(match place {
        Place::Console => "-- starting in console mode --",
        Place::Background => "-- starting in daemon mode --",
    }));
    if let Err(error) = daemon.service.tell_ready(daemon.clock.now(), status) {
        daemon.say(&words::of_service(&error));
    }
    daemon.run();
    daemon.service.tell_stopping();
    // Before the lock goes: whoever waits for that finds the whole log.
    daemon.say(&Line::notice("---- shutdown received ----"));
    daemon.end();
    // After the socket: who finds no lock may start.
    drop(lock);
    Exit::Success
}

fn settle(daemon: &mut Daemon, lock: &mut LockFile, place: Place) -> Result<(), Line> {
    let failed = |what: &'static str| {
        move |error: io::Error| Line::error(format!("{what}: {}", error_text(&error)))
    };
    match place {
        Place::Console => {
            process::leave_directory().map_err(failed("can't leave the directory"))?;
        }
        Place::Background => {
            // If it does not hear of the child, it ends the service itself.
            let tell = |child| drop(daemon.service.tell_main_process(child));
            process::into_background(tell).map_err(failed("can't go to the background"))?;
            daemon.detach();
            lock.write_number().map_err(failed("can't write the lockfile"))?;
        }
    }
    // A descriptor of signals belongs to the process that made it.
    let signals = Signals::hold().map_err(failed("can't take signals"))?;
    daemon.take_signals(signals).map_err(failed("can't take signals"))
}
