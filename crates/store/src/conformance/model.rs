//! Unread counts against a model that keeps every message and counts them one by one.

use hongyan_domain::message::{Alteration, Draft};

use super::Fixture;
use super::world::{Person, World, appended};
use crate::Store;
use crate::timeline::{Append, What};

/// What the model knows of a row: who wrote it, whether it counts.
type Row = (usize, bool);

/// Two people and everything they did.
#[derive(Default)]
struct Model {
    rows: Vec<Row>,
    read: [u64; 2],
    hidden: [u64; 2],
}

impl Model {
    fn unread(&self, reader: usize) -> u64 {
        let from = self.read[reader].max(self.hidden[reader]) as usize;
        self.rows.iter().skip(from).filter(|(writer, counts)| *writer != reader && *counts).count() as u64
    }

    fn mark(&mut self, reader: usize, seq: u64) {
        self.read[reader] = self.read[reader].max(seq.min(self.rows.len() as u64));
    }
}

/// A repeatable source of choices (Knuth's MMIX constants).
pub(super) struct Choices(pub(super) u64);

impl Choices {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Random sends, uncounted sends, marks, deletions and recalls by two people; after each the counts agree.
pub async fn unread_is_exact_for_random_histories<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    for seed in 0..12 {
        let people = [world.person(&format!("a{seed}")).await, world.person(&format!("b{seed}")).await];
        one_history(&world, &people, &mut Choices(seed)).await;
    }
    fixture.close(world.store);
}

async fn one_history<S: Store>(world: &World<S>, people: &[Person; 2], choices: &mut Choices) {
    let mut model = Model::default();
    for step in 0..60 {
        let actor = choices.below(2) as usize;
        let (me, other) = (&people[actor], &people[1 - actor]);
        let head = model.rows.len() as u64;
        match if head == 0 { 0 } else { choices.below(10) } {
            0..=3 => send(world, &mut model, people, actor, false, choices.below(head + 2)).await,
            4 => send(world, &mut model, people, actor, true, 0).await,
            5..=6 => {
                let seq = 1 + choices.below(head + 1);
                let marked = world.read_up_to(me, other, seq).await;
                model.mark(actor, seq);
                assert_eq!((marked.read_seq, marked.unread), (model.read[actor], model.unread(actor)), "step {step}");
            }
            7 => {
                let up_to = choices.below(head + 1);
                world.delete(me, other, up_to, &[1 + choices.below(head)]).await;
                model.hidden[actor] = model.hidden[actor].max(up_to);
            }
            _ => {
                let target = 1 + choices.below(head);
                let recall = world.alteration(me, other, target, Alteration::Recall);
                if let crate::timeline::Outcome::Appended(_) = world.append(recall).await {
                    model.rows.push((actor, false));
                }
            }
        }
        agree(world, &model, people, step).await;
    }
}

async fn send<S: Store>(
    world: &World<S>,
    model: &mut Model,
    people: &[Person; 2],
    actor: usize,
    uncounted: bool,
    seen_seq: u64,
) {
    let what = What::Message(Draft { uncounted, ..Draft::default() });
    let message = world.message(&people[actor], &people[1 - actor], "");
    let answer = appended(world.append(Append { what, seen_seq, ..message }).await);
    model.mark(actor, seen_seq);
    model.rows.push((actor, !uncounted));
    let counted = model.rows.iter().filter(|(_, counts)| *counts).count();
    assert_eq!((answer.seq, answer.message_count), (model.rows.len() as u64, counted as u64));
}

async fn agree<S: Store>(world: &World<S>, model: &Model, people: &[Person; 2], step: usize) {
    for (reader, person) in people.iter().enumerate() {
        let page = world.store.conversations(person.user, 0, 10).await.expect("read");
        let Some(line) = page.lines.first() else { continue };
        let expected = (model.unread(reader), model.read[reader], model.rows.len() as u64);
        assert_eq!((line.unread, line.read_seq, line.head_seq), expected, "reader {reader}, step {step}");
        assert_eq!(line.low_seq, model.hidden[reader] + 1);
    }
}
