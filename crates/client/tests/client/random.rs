//! Whatever is lost, doubled, delayed or cut, and whoever restarts: never shown twice, never out of order, the cursor
//! never over a gap, and in the end everybody has everything.

use std::cell::Cell;
use std::rc::Rc;

use hongyan_wire::command::{Kind, Operation};
use proptest::prelude::*;

use crate::server::{Fate, Script};
use crate::world::World;

/// SplitMix64: a run is its seed.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, max: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % max
    }
}

/// Bad luck for about one packet in `rarity`, until `calm`.
fn bad_luck(seed: u64, rarity: u64, calm: Rc<Cell<bool>>) -> Script {
    let mut dice = Dice(seed);
    Box::new(move |_, packet| {
        if calm.get() || dice.up_to(rarity) != 0 {
            return Fate::Pass;
        }
        let login = matches!(packet.operation, Operation::Login | Operation::Resume);
        match (packet.kind, packet.operation) {
            (Kind::Request, Operation::Login) => [Fate::Pass, Fate::CutBefore, Fate::CutAfter][dice.up_to(3) as usize],
            _ if login => [Fate::Pass, Fate::Lose, Fate::CutBefore][dice.up_to(3) as usize],
            // A gate answers a session's sends in order or closes the connection: it never skips one.
            (Kind::Request, Operation::Send) => [Fate::Twice, Fate::CutBefore, Fate::CutAfter][dice.up_to(3) as usize],
            (Kind::Request, _) => [Fate::Lose, Fate::Twice, Fate::CutBefore, Fate::CutAfter][dice.up_to(4) as usize],
            _ => [Fate::Lose, Fate::Twice, Fate::CutBefore, Fate::CutAfter, Fate::Late][dice.up_to(5) as usize],
        }
    })
}

fn play(seed: u64, rarity: u64, restarts: bool) {
    let calm = Rc::new(Cell::new(false));
    let mut world = World::new(&["a", "b"]);
    let phone = world.add("b", hongyan_client::proto::Term::Mobile);
    world.settle();
    world.server.script = bad_luck(seed, rarity, Rc::clone(&calm));
    let mut dice = Dice(!seed);
    let names = ["a", "b", "b"];
    let mut said = 0;
    for _ in 0..60 {
        let actor = dice.up_to(3) as usize;
        let to = if names[actor] == "a" { "b" } else { "a" };
        let head = world.actors[actor].core.conversation(to).map_or(0, |row| row.conversation.head_seq);
        // What is on screen need not be the newest.
        let seen = head - dice.up_to(4).min(head);
        match dice.up_to(10) {
            0 => {
                let now = world.now;
                world.actors[actor].core.mark_read(now, to, seen);
            }
            1 if restarts => world.restart(actor),
            2 => world.server.hint_all(world.now),
            _ => {
                for _ in 0..=dice.up_to(4) {
                    said += 1;
                    let seen_seq = if said % 3 == 0 { seen } else { 0 };
                    world.reply(actor, to, &format!("{actor}:{said}"), seen_seq);
                }
            }
        }
        world.pass(dice.up_to(3_000));
    }
    calm.set(true);
    world.pass(200_000);
    world.server.hint_all(world.now);
    world.pass(100_000);

    let log = world.server.texts("a", "b");
    assert_eq!(log.len(), said, "every message is kept exactly once");
    let texts: Vec<_> = log.iter().map(|(_, text)| text.clone()).collect();
    for actor in 0..3 {
        let mine: Vec<_> = texts.iter().filter(|text| text.starts_with(&format!("{actor}:"))).collect();
        let number = |text: &&String| text.split_once(':').unwrap().1.parse::<u64>().unwrap();
        assert!(mine.is_sorted_by_key(number), "a sender's order is kept: {mine:?}");
    }
    for (actor, other) in [(0, "b"), (1, "a"), (phone, "a")] {
        let actor = &world.actors[actor];
        assert_eq!(actor.screen(other), texts, "everybody shows the same");
        assert_eq!(actor.core.outbox().count(), 0);
        assert_eq!(actor.core.inbox_cursor(), world.server.inbox_head(&actor.name));
        assert_eq!(world.server.cursor(&actor.name, actor.device()), actor.core.inbox_cursor());
        let unread = actor.core.conversation(other).map_or(0, |row| row.conversation.unread);
        assert_eq!(unread, world.server.unread_of(&actor.name, other), "unread is exact");
        let covered = &actor.core.conversation(other).unwrap().covered;
        assert_eq!(covered.len(), 1, "no hole in what is known: {covered:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn losses_cuts_and_repeats_are_never_seen(seed: u64, rarity in 2_u64..30) {
        play(seed, rarity, false);
    }

    #[test]
    fn neither_are_restarts(seed: u64, rarity in 3_u64..30) {
        play(seed, rarity, true);
    }
}
