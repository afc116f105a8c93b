//! What members see and have not read, against a model that keeps every entry and looks at them one by one.

use hongyan_domain::group::{Change, HistoryPolicy, Policies};
use hongyan_domain::message::{Alteration, Draft};

use super::Fixture;
use super::groups::{Circle, done};
use super::model::Choices;
use super::world::{Person, World};
use crate::Store;
use crate::groups::{GroupAppend, GroupOutcome};
use crate::timeline::Deletion;

/// People of one history; the first one owns the group and stays.
const PEOPLE: usize = 4;
/// Things that happen in one history.
const STEPS: usize = 70;

/// What the model knows of one person.
#[derive(Clone, Debug, Default)]
struct Mine {
    /// First and last entry of each stay; the last one of who is in has no end.
    stays: Vec<(u64, Option<u64>)>,
    read: u64,
    hidden: u64,
}

/// A group and everything that happened.
#[derive(Default)]
struct Model {
    /// Who wrote it, whether it counts.
    rows: Vec<(usize, bool)>,
    mine: [Mine; PEOPLE],
    shows_everything: bool,
}

impl Model {
    fn head(&self) -> u64 {
        self.rows.len() as u64
    }

    fn is_in(&self, person: usize) -> bool {
        self.mine[person].stays.last().is_some_and(|stay| stay.1.is_none())
    }

    fn visible_head(&self, person: usize) -> u64 {
        self.mine[person].stays.last().map_or(0, |stay| stay.1.unwrap_or(self.head()))
    }

    fn seen(&self, person: usize) -> Vec<u64> {
        let mine = &self.mine[person];
        let inside = |seq: u64| mine.stays.iter().any(|(from, to)| seq >= *from && to.is_none_or(|to| seq <= to));
        (mine.hidden + 1..=self.head()).filter(|seq| inside(*seq)).collect()
    }

    fn unread(&self, person: usize) -> u64 {
        let mine = &self.mine[person];
        let from = mine.stays.last().map_or(0, |stay| stay.0 - 1).max(mine.read).max(mine.hidden);
        let above = (from + 1..=self.visible_head(person)).map(|seq| self.rows[seq as usize - 1]);
        above.filter(|(writer, counts)| *writer != person && *counts).count() as u64
    }

    fn mark(&mut self, person: usize, seq: u64) {
        let head = self.visible_head(person);
        self.mine[person].read = self.mine[person].read.max(seq.min(head));
    }

    fn enters(&mut self, person: usize) {
        let from = if self.shows_everything { 1 } else { self.head() + 1 };
        self.mine[person].stays.retain(|stay| stay.0 < from);
        self.mine[person].stays.push((from, None));
    }

    fn goes(&mut self, person: usize) {
        let head = self.head();
        if let Some(stay) = self.mine[person].stays.last_mut() {
            stay.1 = Some(head);
        }
    }
}

/// Members send, mark, hide, recall, go and come back; after each step everybody's view agrees.
pub async fn unread_and_views_are_exact_for_random_histories<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    for seed in 0..10 {
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(world.person(&format!("p{seed}.{number}")).await);
        }
        let circle = world.group(&people[0], &format!("g{seed}"), Policies::default(), &[]).await;
        let mut model = Model::default();
        model.enters(0);
        model.rows.push((0, false));
        let mut choices = Choices(seed);
        for step in 0..STEPS {
            happens(&world, &circle, &people, &mut model, &mut choices).await;
            agree(&world, &circle, &people, &model, (seed, step)).await;
        }
    }
    fixture.close(world.store);
}

async fn happens<S: Store>(
    world: &World<S>,
    circle: &Circle,
    people: &[Person],
    model: &mut Model,
    choices: &mut Choices,
) {
    let actor = choices.below(PEOPLE as u64) as usize;
    let (me, head) = (&people[actor], model.head());
    match choices.below(14) {
        0..=4 if model.is_in(actor) => {
            let (uncounted, seen_seq) = (choices.below(5) == 0, choices.below(head + 3));
            let draft = Draft { uncounted, ..Draft::default() };
            done(world.post(GroupAppend { seen_seq, ..world.drafted(me, circle, draft) }).await);
            model.mark(actor, seen_seq);
            model.rows.push((actor, !uncounted));
        }
        5..=6 if !model.mine[actor].stays.is_empty() => {
            let seq = choices.below(head + 2);
            let marked = world.marks(me, circle, seq).await;
            model.mark(actor, seq);
            let expected = (model.mine[actor].read, model.unread(actor), model.visible_head(actor));
            assert_eq!((marked.read_seq, marked.unread, marked.head_seq), expected);
        }
        7 if !model.mine[actor].stays.is_empty() => {
            let up_to_seq = choices.below(head + 2);
            let deletion = Deletion { up_to_seq, seqs: Vec::new() };
            world.store.delete_in_group(world.asks(me), circle.group, deletion).await.expect("stored");
            model.mine[actor].hidden = model.mine[actor].hidden.max(up_to_seq.min(model.visible_head(actor)));
        }
        8 => {
            let target = 1 + choices.below(head);
            let recall = world.altered(me, circle, target, Alteration::Recall);
            if let GroupOutcome::Done(_) = world.post(recall).await {
                assert!(model.is_in(actor));
                model.rows.push((actor, false));
            }
        }
        9 => {
            model.shows_everything = choices.below(4) == 0;
            let history = if model.shows_everything { HistoryPolicy::Everything } else { HistoryPolicy::FromJoining };
            done(world.change(&people[0], circle, Change::Policies(Policies { history, ..Policies::default() })).await);
        }
        10..=11 if actor > 0 && model.is_in(actor) => {
            let by_themselves = choices.below(2) == 0;
            let (by, change) = if by_themselves { (actor, Change::Leave) } else { (0, Change::Remove(vec![me.user])) };
            done(world.change(&people[by], circle, change).await);
            model.rows.push((by, false));
            model.goes(actor);
        }
        _ if !model.is_in(actor) => {
            done(world.change(&people[0], circle, Change::Invite(vec![me.user])).await);
            model.enters(actor);
            model.rows.push((0, false));
        }
        _ => {}
    }
}

async fn agree<S: Store>(world: &World<S>, circle: &Circle, people: &[Person], model: &Model, at: (u64, usize)) {
    for (number, person) in people.iter().enumerate() {
        let mine = &model.mine[number];
        let Some(first) = mine.stays.first() else { continue };
        let line = world.line(person, circle).await;
        let expected = (model.unread(number), mine.read, model.visible_head(number), first.0.max(mine.hidden + 1));
        assert_eq!((line.unread, line.read_seq, line.head_seq, line.low_seq), expected, "{number} at {at:?} {mine:?}");
        assert_eq!(line.member.is_some(), model.is_in(number));
        assert_eq!(world.seen(person, circle).await, model.seen(number), "{number} at {at:?} {mine:?}");
    }
}
