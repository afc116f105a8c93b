//! The real embedded store over a disk that fails: what it has answered outlives every power cut, and what it has not is
//! there wholly or not at all. And the disk itself: it must be able to take what was not synced.

mod suite;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use hongyan_fault::plant;
use hongyan_sim::sqlite_disk::{Counts, SyncFate, Unsynced, seed_salts};
use hongyan_store::Error;
use hongyan_store::sqlite::Step;

use self::world::{Random, World, alone, among_others, integrity};

/// One seed: people talk, the log is moved, the machine dies in the middle of something, or the process between two turns,
/// and comes back; several times.
fn run(seed: u64, crashes: u32) -> World {
    let mut random = Random(seed);
    let mut world = World::new();
    for _ in 0..crashes {
        let bits = random.below(10);
        world.disk.die_after(random.below(1 << bits));
        for _ in 0..=random.below(12) {
            match random.below(8) {
                0 => world.stepper().empty_log(),
                1 | 2 => {
                    world.stepper().checkpoint();
                }
                _ => {
                    let calls: Vec<_> = (0..=random.below(5)).map(|_| 1 + random.below(3)).collect();
                    world.talk(&calls);
                }
            }
            if world.disk.is_dead() {
                break;
            }
        }
        let power = world.disk.is_dead() || random.below(4) > 0;
        world.crash(power.then_some(&mut random));
        world.check();
    }
    world
}

#[test]
fn what_was_answered_survives_every_power_cut() {
    let _salts = among_others();
    let mut counts = Counts::default();
    let (mut answered, mut unanswered) = (0, [0; 2]);
    for seed in 0..60 {
        let mut world = run(seed, 6);
        counts += world.disk.counts();
        let stored = world.stored();
        for said in &world.said {
            match said.answers {
                Some(_) => answered += said.numbers.len(),
                None => unanswered[usize::from(stored.contains(&said.numbers[0]))] += 1,
            }
        }
    }
    println!("{answered} messages answered; unanswered calls gone and there: {unanswered:?}; {counts:?}");
    assert!(counts.power_cuts >= 200 && counts.kills >= 10, "{counts:?}");
    assert!(counts.kept > 500 && counts.lost > 500 && counts.torn > 100, "{counts:?}");
    assert!(answered > 1_000 && unanswered.into_iter().all(|calls| calls > 10), "{answered} {unanswered:?}");
}

#[test]
fn a_power_cut_while_a_store_is_made_leaves_one_that_works() {
    let _salts = among_others();
    let mut counts = Counts::default();
    for seed in 0..150 {
        let (mut world, mut random) = (World::empty(), Random(seed));
        world.disk.die_after(seed % 75);
        let opened = world.open();
        assert_eq!(opened.is_err(), world.disk.is_dead(), "{opened:?}");
        world.crash(Some(&mut random));
        assert_eq!(integrity(&world.disk), "ok");
        world.settle();
        world.talk(&[1, 2]);
        world.crash(Some(&mut random));
        world.check();
        counts += world.disk.counts();
    }
    assert!(counts.names_lost > 3, "{counts:?}");
}

#[test]
fn one_seed_is_one_run_byte_for_byte() {
    let _salts = alone();
    let files = |seed| {
        seed_salts(7);
        let world = run(seed, 8);
        let read = |name: &str| std::fs::read(world.disk.folder().join(name)).expect("there");
        let files: BTreeMap<_, _> = ["hongyan.db", "hongyan.db-wal"].map(|name| (name, read(name))).into();
        (world.disk.counts(), files)
    };
    let first = files(1);
    assert!(first.1.values().all(|bytes| bytes.len() > 4_096) && first.0.torn > 0, "{:?}", first.0);
    assert!(first == files(1), "the same seed");
    assert!(first != files(2), "another seed");
}

#[test]
fn a_failed_sync_answers_nobody_and_stops() {
    let _salts = among_others();
    for (seed, unsynced) in (0..60).zip([Unsynced::Reached, Unsynced::Waiting, Unsynced::Forgotten].into_iter().cycle())
    {
        let (mut world, mut random) = (World::new(), Random(seed));
        assert!(world.talk(&[1, 2]).iter().all(|reply| matches!(reply, Some(Ok(_)))));
        world.disk.next_sync(SyncFate::Fails(unsynced));
        assert!(world.talk(&[1, 3, 1]).iter().all(Option::is_none), "nobody may learn anything");
        assert_eq!((world.fatal.load(Ordering::Relaxed), world.stepper().write()), (1, Step::Dead));
        let power = random.below(2) == 0;
        world.crash(power.then_some(&mut random));
        world.check();
        assert!(world.talk(&[1]).iter().all(|reply| matches!(reply, Some(Ok(_)))));
        world.check();
        assert_eq!(world.disk.counts().syncs_failed, 1);
    }
}

#[test]
fn a_dead_process_changes_nothing_and_a_shutdown_leaves_no_log() {
    let _salts = among_others();
    let mut world = World::new();
    world.talk(&[1, 2, 3]);
    let read = |world: &World| {
        let files = ["hongyan.db", "hongyan.db-wal"].map(|name| std::fs::read(world.disk.folder().join(name)));
        files.map(|file| file.unwrap_or_default())
    };
    let before = read(&world);
    world.disk.kill();
    assert!(!matches!(world.talk(&[1])[0], Some(Ok(_))));
    world.stepper().empty_log();
    // Its last connection would move the log and delete it.
    world.server = None;
    assert!(read(&world) == before && before[1].len() > 10_000);
    world.open().expect("opened");
    world.check();
    let (_, stepper) = world.server.take().expect("open");
    stepper.shutdown();
    assert!(read(&world)[1].is_empty());
    world.open().expect("opened");
    world.check();
}

#[test]
fn a_full_disk_refuses_and_goes_on_with_space() {
    let _salts = among_others();
    let (mut world, mut random) = (World::new(), Random(1));
    for _ in 0..20 {
        world.disk.full(true);
        let replies: Vec<_> = (0..20).flat_map(|_| world.talk(&[1, 2])).collect();
        let full = replies.iter().filter(|reply| matches!(reply, Some(Err(Error::DiskFull)))).count();
        let done = replies.iter().filter(|reply| matches!(reply, Some(Ok(_)))).count();
        assert!(full > 0 && full + done == replies.len(), "{replies:?}");
        let counts = world.disk.counts();
        world.disk.full(false);
        assert!(world.talk(&[1; 9]).iter().all(|reply| matches!(reply, Some(Ok(_)))));
        world.stepper().checkpoint();
        world.crash(Some(&mut random));
        world.check();
        assert!(counts.writes_refused > 0);
    }
    assert_eq!(world.fatal.load(Ordering::Relaxed), 0);
}

/// What is lost, answered and told, when people talk over power cuts.
fn losses(prepare: impl Fn(&World)) -> (usize, usize) {
    let _salts = among_others();
    let mut sum = (0, 0);
    for seed in 0..20 {
        let (mut world, mut random) = (World::new(), Random(seed));
        prepare(&world);
        for _ in 0..3 {
            world.talk(&[1, 2]);
        }
        world.disk.die_after(random.below(20));
        world.talk(&[3]);
        world.crash(Some(&mut random));
        let lost = world.lost();
        sum = (sum.0 + lost.0, sum.1 + lost.1);
    }
    sum
}

#[test]
fn a_disk_that_lies_and_a_store_that_hurries_lose_what_was_answered() {
    assert_eq!(losses(|_| ()), (0, 0));
    let (answered, _) = losses(|world| world.disk.lie(true));
    assert!(answered > 20, "as with synchronous = OFF: {answered}");
    plant(Some("answer before sync"));
    let (answered, _) = losses(|_| ());
    assert!(answered > 20, "as with synchronous = NORMAL: {answered}");
    plant(Some("publish before commit"));
    let (answered, told) = losses(|_| ());
    assert!(answered == 0 && told > 10, "{answered} answered, {told} told");
    plant(None);
}
