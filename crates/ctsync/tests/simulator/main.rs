//! Two nodes over a link that loses, duplicates, delays and reorders, and peers that start again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a simulator is all test")]

mod world;

use ctsync::time::Duration;
use ctsync::{InternalCache, ModeConfig, Sending};
use flow::EventKind;
use world::{Faults, Random, World, config};

const KINDS: [EventKind; 3] = [EventKind::New, EventKind::Update, EventKind::Destroy];

/// Runs, each from its own seed.
const RUNS: u64 = 4000;

fn run(seed: u64) -> Result<(), String> {
    let mut random = Random(seed);
    let faults = Faults {
        loss: random.below(31),
        duplicates: random.below(11),
        delay_ms: [0, 5, 100, 800][usize::try_from(random.below(4)).unwrap()],
    };
    let configs = [0, 1].map(|_| {
        let ack_window = [1, 2, 5, 300][usize::try_from(random.below(4)).unwrap()];
        let resend_queue = [4, 20, 1000][usize::try_from(random.below(3)).unwrap()];
        // Some runs begin shortly before the numbers wrap.
        let sequence = if random.chance(30) { u32::MAX - 40 } else { 1_795_000_000 };
        config(ModeConfig::Ftfw { ack_window, resend_queue }, sequence)
    });
    let said = format!("{:?}", configs.iter().map(|c: &ctsync::Config| c.mode).collect::<Vec<_>>());
    let restart_at = random.chance(40).then(|| random.below(60));
    let mut world = World::new(random.below(u64::MAX), faults, configs);
    for step in 0..60 {
        for _ in 0..random.below(8) {
            let side = usize::from(random.chance(30));
            let number = u16::try_from(random.below(20)).unwrap();
            world.change(side, number, KINDS[usize::try_from(random.below(3)).unwrap()]);
        }
        disturb(&mut world, &mut random);
        // A peer that is silent for five seconds is not there any more, and ends of flows are not kept for it for ever.
        if step % 10 == 0 {
            (0..2).for_each(|side| world.hold(side, Sending::Open));
        }
        if restart_at == Some(step) {
            world.restart(usize::from(random.chance(50)));
        }
        world.run_until(world.now.after(Duration::from_millis(100)));
    }
    for side in 0..2 {
        world.hold(side, Sending::Open);
        while world.read_dump(side) {}
    }
    world.settle(180).map_err(|error| {
        format!("seed {seed}, {faults:?}, {said}, restart {restart_at:?}: {error}")
    })
}

/// Links that take nothing for a while; lost events, and the dump after them, which goes on among further events.
fn disturb(world: &mut World, random: &mut Random) {
    let side = usize::from(random.chance(50));
    if random.chance(20) {
        let held = random.chance(50);
        world.hold(side, if held { Sending::Held } else { Sending::Open });
    }
    for side in 0..2 {
        if random.chance(60) {
            world.read_dump(side);
        }
    }
    if random.chance(10) {
        while world.read_dump(side) {}
        for _ in 0..random.below(5) {
            let number = u16::try_from(random.below(20)).unwrap();
            world.lose(side, number, KINDS[usize::try_from(random.below(3)).unwrap()]);
        }
        world.begin_dump(side);
    }
}

#[test]
fn ftfw_converges_in_every_run() {
    let failed: Vec<String> = (0..RUNS).filter_map(|seed| run(seed).err()).collect();
    assert!(
        failed.is_empty(),
        "{} runs failed: {:#?}",
        failed.len(),
        &failed[..failed.len().min(12)]
    );
}

#[test]
fn ten_thousand_flows_arrive_over_a_link_that_loses_a_fifth() {
    for loss in [1, 5, 20] {
        let mode = ModeConfig::Ftfw { ack_window: 300, resend_queue: 131_072 };
        let faults = Faults { loss, duplicates: 0, delay_ms: 1 };
        let configs = [0, 1].map(|_| config(mode, 1_795_000_000));
        let mut world = World::new(loss, faults, configs);
        for number in 0..10_000 {
            world.change(0, number, EventKind::New);
            if number % 10 == 0 {
                world.run_until(world.now.after(Duration::from_millis(1)));
            }
        }
        world.drain(0);
        world.settle(60).unwrap();
    }
}

#[test]
fn notrack_and_alarm_copy_every_change_over_a_good_link() {
    let notrack = ModeConfig::Notrack { internal: InternalCache::Kept };
    let alarm = ModeConfig::Alarm { refresh_s: 60, cache_timeout_s: 180 };
    for mode in [notrack, alarm] {
        let faults = Faults { loss: 0, duplicates: 0, delay_ms: 0 };
        let mut world = World::new(1, faults, [0, 1].map(|_| config(mode, 7)));
        for number in 0..300 {
            let kind = KINDS[usize::try_from(world.random.below(3)).unwrap()];
            world.change(usize::from(number % 3 == 0), number % 50, kind);
            world.drain(usize::from(number % 3 == 0));
            world.run_until(world.now.after(Duration::from_millis(3)));
        }
        world.settle(5).unwrap();
    }
}

#[test]
fn alarm_repairs_itself_and_forgets_what_it_does_not_hear_of() {
    let mode = ModeConfig::Alarm { refresh_s: 5, cache_timeout_s: 12 };
    let faults = Faults { loss: 30, duplicates: 5, delay_ms: 0 };
    let mut world = World::new(3, faults, [0, 1].map(|_| config(mode, 7)));
    for number in 0..40 {
        world.change(0, number, EventKind::New);
    }
    for number in 0..20 {
        world.change(0, number, EventKind::Destroy);
    }
    world.drain(0);
    world.faults.loss = 5;
    world.settle(40).unwrap();
}
