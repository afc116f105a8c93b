//! Per rule: what breaks it, and what only looks as if.

use hongyan_checker::{ChangeKind, Checker, CheckerOptions, Event, Invariant, digest};

use crate::story::{ALICE, BOB, BOBS_PHONE, BOBS_WEB, PAD, PHONE, Story, body};

fn told(tell: impl FnOnce(&mut Story) -> &mut Story) -> Story {
    let mut story = Story::new();
    tell(&mut story);
    story
}

#[track_caller]
fn passes(tell: impl FnOnce(&mut Story) -> &mut Story) {
    told(tell).passes();
}

#[track_caller]
fn breaks(invariant: Invariant, words: &[&str], tell: impl FnOnce(&mut Story) -> &mut Story) {
    told(tell).breaks(invariant, words);
}

#[test]
fn an_ordinary_day_passes_and_is_counted() {
    let story = told(|story| {
        story.message(1, 1).answer(2, 2).read(PHONE, 2).receipt(BOBS_PHONE, 2, 2).cursor(PHONE, 1, 2);
        story.saw(Event::Offline { device: PAD }).message_without_pad(3, 3).live(PAD, true).shown(PAD, true, 3, 3);
        story.change(PHONE, 1, ChangeKind::Edit, 77).change_done(PHONE, 1, 4);
        story.changed(PHONE, 1, 4, 77).changed(PAD, 1, 4, 77).changed(BOBS_PHONE, 1, 4, 77).changed(BOBS_WEB, 1, 4, 77);
        story.send(BOBS_WEB, 5).failed(BOBS_WEB, 5, true).rest();
        story.saw(Event::Presence { user: ALICE, connected: 2 }).saw(Event::Presence { user: BOB, connected: 2 });
        story.unread(PHONE, 2, 0).unread(PAD, 2, 0).unread(BOBS_WEB, 0, 2);
        story.saw(Event::Resource { name: "tasks".into(), before: 100, after: 104 })
    });
    story.passes();
    let counts = story.report().counts;
    assert_eq!((counts.users, counts.devices, counts.conversations), (2, 4, 1));
    assert_eq!((counts.sent, counts.acknowledged, counts.refused, counts.shown), (4, 3, 1, 9));
    assert_eq!((counts.changes_asked, counts.changes_done, counts.changes_shown), (1, 1, 4));
    assert_eq!((counts.logins, counts.resumes, counts.rests, counts.receipts), (4, 1, 1, 1));
}

impl Story {
    fn message_without_pad(&mut self, id: u128, seq: u64) -> &mut Self {
        self.send(PHONE, id).acked(PHONE, id, seq).shown(BOBS_PHONE, false, id, seq).shown(BOBS_WEB, false, id, seq)
    }
}

#[test]
fn i1_acknowledged_is_shown_to_everybody() {
    let words = ["alice/pad", "bob", "00000000000000000000000000000001", "number 1", "acknowledged"];
    breaks(Invariant::I1, &words, |story| story.message_without_pad(1, 1).rest());
    breaks(Invariant::I1, &["bob/web"], |story| {
        story.send(PHONE, 1).acked(PHONE, 1, 1).shown(PAD, true, 1, 1).shown(BOBS_PHONE, false, 1, 1).rest()
    });
    // It is told once, however often everything is at rest.
    let twice = told(|story| story.message_without_pad(1, 1).rest().rest());
    assert_eq!(twice.report().violations_total, 1);
}

#[test]
fn i1_what_one_device_shows_is_stored_and_owed_to_the_others() {
    breaks(Invariant::I1, &["bob/web", "stored"], |story| {
        story.send(PHONE, 1).saw(Event::Offline { device: PHONE }).shown(PAD, true, 1, 1);
        story.shown(BOBS_PHONE, false, 1, 1).rest()
    });
}

#[test]
fn i1_owes_nothing_to_those_who_are_away_or_hid_it_or_were_told_to_skip() {
    passes(|story| story.saw(Event::Offline { device: PAD }).message_without_pad(1, 1).rest());
    passes(|story| story.saw(Event::Stopped { device: PAD, reason: "kicked".into() }).message_without_pad(1, 1).rest());
    passes(|story| story.saw(Event::Crashed { device: PAD }).message_without_pad(1, 1).rest());
    passes(|story| story.message_without_pad(1, 1).saw(Event::Reset { device: PAD }).rest());
    passes(|story| story.message_without_pad(1, 1).delete(PHONE, 1, &[]).rest());
    passes(|story| story.message_without_pad(1, 1).delete(PAD, 0, &[1]).rest());
    passes(|story| {
        story.message_without_pad(1, 1).change(PHONE, 1, ChangeKind::Recall, 0).change_done(PHONE, 1, 2);
        story.recalled(BOBS_PHONE, 1, 2).recalled(BOBS_WEB, 1, 2).recalled(PHONE, 1, 2).rest()
    });
    // A third device of Alice logs in for the first time when the message is there already.
    passes(|story| story.message(1, 1).saw(Event::Device { user: ALICE, name: "new".into() }).live(4, false).rest());
    // … but what its inbox begins with is followed by everything else.
    breaks(Invariant::I1, &["alice/new", "number 2"], |story| {
        story.saw(Event::Device { user: ALICE, name: "new".into() }).send(PHONE, 1).send(PHONE, 2).live(4, false);
        story.acked(PHONE, 1, 1).everywhere(1, 1).acked(PHONE, 2, 2).everywhere(2, 2);
        story.saw(Event::Shown { device: 4, peer: BOB, own: true, seq: 1, id: 1, digest: body(1) }).rest()
    });
    // After a reset everything new is owed again.
    breaks(Invariant::I1, &["alice/pad"], |story| {
        story.saw(Event::Reset { device: PAD }).message_without_pad(1, 1).rest()
    });
    // A block takes nothing away that was stored before.
    breaks(Invariant::I1, &["alice/pad"], |story| story.message_without_pad(1, 1).block(PHONE, true).rest());
}

#[test]
fn i1_refused_and_stored_exclude_each_other() {
    breaks(Invariant::I1, &["refused", "number 1"], |story| story.message(1, 1).failed(PHONE, 1, true));
    breaks(Invariant::I1, &["refused"], |story| story.send(PHONE, 1).failed(PHONE, 1, true).acked(PHONE, 1, 1));
    breaks(Invariant::I1, &["refused"], |story| {
        story.send(PHONE, 1).failed(PHONE, 1, true).shown(BOBS_PHONE, false, 1, 1)
    });
    passes(|story| story.send(PHONE, 1).failed(PHONE, 1, true).message(1, 1).rest());
    passes(|story| story.send(PHONE, 1).failed(PHONE, 1, false).acked(PHONE, 1, 1).everywhere(1, 1).rest());
}

#[test]
fn i1_a_change_reaches_everybody_too() {
    let edited = |story: &mut Story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::Edit, 77).change_done(PHONE, 1, 2);
        story.changed(PHONE, 1, 2, 77).changed(PAD, 1, 2, 77).changed(BOBS_PHONE, 1, 2, 77);
    };
    breaks(Invariant::I1, &["bob/web", "change 2", "number 1"], |story| {
        edited(story);
        story.rest()
    });
    // The second edit was told, but its body was not.
    breaks(Invariant::I1, &["bob/web", "old body"], |story| {
        edited(story);
        story.changed(BOBS_WEB, 1, 2, 77).change(PHONE, 1, ChangeKind::Edit, 78).change_done(PHONE, 1, 3);
        story.changed(PHONE, 1, 3, 78).changed(PAD, 1, 3, 78).changed(BOBS_PHONE, 1, 3, 78).changed(BOBS_WEB, 1, 3, 77);
        story.rest()
    });
    // Whoever sees the message for the first time after its change sees it merged.
    passes(|story| {
        story.saw(Event::Offline { device: BOBS_WEB });
        story.send(PHONE, 1).acked(PHONE, 1, 1).shown(PAD, true, 1, 1).shown(BOBS_PHONE, false, 1, 1);
        story.change(PHONE, 1, ChangeKind::Edit, 77).change_done(PHONE, 1, 2);
        story.changed(PHONE, 1, 2, 77).changed(PAD, 1, 2, 77).changed(BOBS_PHONE, 1, 2, 77);
        story.live(BOBS_WEB, true).shows(BOBS_WEB, false, 1, 1, 77).rest()
    });
    // An edit without an answer may have been done or not.
    passes(|story| story.message(1, 1).change(PHONE, 1, ChangeKind::Edit, 77).changed(BOBS_WEB, 1, 2, 77).rest());
}

#[test]
fn i2_bytes_and_author_are_true() {
    breaks(Invariant::I2, &["nobody wrote"], |story| story.shown(BOBS_PHONE, false, 9, 1));
    breaks(Invariant::I2, &["body"], |story| story.send(PHONE, 1).shows(BOBS_PHONE, false, 1, 1, 4));
    breaks(Invariant::I2, &["alice wrote to bob"], |story| story.send(PHONE, 1).shown(BOBS_PHONE, true, 1, 1));
    breaks(Invariant::I2, &["never wrote it"], |story| story.acked(PHONE, 9, 1));
    breaks(Invariant::I2, &["alice/pad", "never wrote it"], |story| story.send(PHONE, 1).acked(PAD, 1, 1));
    // Carol is of another app.
    let carol = Event::User { app: "other".into(), name: "carol".into() };
    breaks(Invariant::I2, &["other:carol/phone", "acme:alice wrote to acme:bob"], |story| {
        story.saw(carol).saw(Event::Device { user: 2, name: "phone".into() }).live(4, false).send(PHONE, 1);
        story.saw(Event::Shown { device: 4, peer: ALICE, own: false, seq: 1, id: 1, digest: body(1) })
    });
}

#[test]
fn i2_changes_are_what_their_author_wanted() {
    breaks(Invariant::I2, &["nobody asked"], |story| story.message(1, 1).changed(BOBS_WEB, 1, 2, 77));
    breaks(Invariant::I2, &["never gave it"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::Edit, 77).changed(BOBS_WEB, 1, 2, 78)
    });
    breaks(Invariant::I2, &["never gave it"], |story| {
        story.message(1, 1).change(BOBS_PHONE, 1, ChangeKind::Edit, 77).changed(BOBS_WEB, 1, 2, 77)
    });
    breaks(Invariant::I2, &["never asked for that"], |story| {
        story.message(1, 1).change(BOBS_PHONE, 1, ChangeKind::Recall, 0).recalled(BOBS_WEB, 1, 2)
    });
    // It turns out only later which message that was.
    breaks(Invariant::I2, &["bob/web showed number 1"], |story| {
        story.send(PHONE, 1).change(BOBS_PHONE, 1, ChangeKind::React, 0).changed(BOBS_WEB, 1, 2, 78).acked(PHONE, 1, 1)
    });
    passes(|story| {
        story.send(PHONE, 1).change(BOBS_PHONE, 1, ChangeKind::React, 0);
        story.changed(BOBS_WEB, 1, 2, body(1)).acked(PHONE, 1, 1)
    });
    let recalled = |story: &mut Story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).change(PHONE, 1, ChangeKind::Recall, 0);
        story.recalled(BOBS_WEB, 1, 2);
    };
    passes(|story| {
        recalled(story);
        story.rest()
    });
    breaks(Invariant::I2, &["taken back"], |story| {
        recalled(story);
        story.changed(BOBS_WEB, 1, 3, body(1))
    });
    breaks(Invariant::I2, &["taken back"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::Recall, 0);
        story.saw(Event::Changed { device: BOBS_WEB, peer: ALICE, seq: 1, at_seq: 2, recalled: true, digest: body(1) })
    });
    passes(|story| {
        story.send(PHONE, 1).acked(PHONE, 1, 1).change(PHONE, 1, ChangeKind::Recall, 0);
        story.shows(BOBS_WEB, false, 1, 1, digest(b"")).rest()
    });
}

#[test]
fn i3_shown_once() {
    breaks(Invariant::I3, &["bob/web", "again"], |story| story.message(1, 1).shown(BOBS_WEB, false, 1, 1));
    breaks(Invariant::I3, &["another number"], |story| story.message(1, 1).shown(BOBS_WEB, false, 1, 2));
    breaks(Invariant::I3, &["again"], |story| {
        story.message(1, 1).saw(Event::Crashed { device: BOBS_WEB }).live(BOBS_WEB, true).shown(BOBS_WEB, false, 1, 1)
    });
    breaks(Invariant::I3, &["alice/phone"], |story| story.message(1, 1).shown(PHONE, true, 1, 1));
    breaks(Invariant::I3, &["alice/phone", "written itself"], |story| story.send(PHONE, 1).shown(PHONE, true, 1, 1));
    breaks(Invariant::I3, &["again"], |story| {
        story.message(1, 1).saw(Event::Reset { device: BOBS_WEB }).shown(BOBS_WEB, false, 1, 1)
    });
}

#[test]
fn i4_numbers_go_up_on_a_screen() {
    let two = |story: &mut Story| {
        story.send(PHONE, 1).send(PHONE, 2).acked(PHONE, 1, 1).acked(PHONE, 2, 2);
    };
    breaks(Invariant::I4, &["number 1", "after number 2"], |story| {
        two(story);
        story.shown(BOBS_WEB, false, 2, 2).shown(BOBS_WEB, false, 1, 1)
    });
    passes(|story| {
        two(story);
        story.saw(Event::Reset { device: BOBS_WEB }).shown(BOBS_WEB, false, 2, 2).shown(BOBS_WEB, false, 1, 1)
    });
}

#[test]
fn i4_a_sender_is_numbered_in_order() {
    breaks(Invariant::I4, &["other way round"], |story| {
        story.send(PHONE, 1).send(PHONE, 2).acked(PHONE, 1, 2).acked(PHONE, 2, 1)
    });
    breaks(Invariant::I4, &["other way round"], |story| {
        story.send(PHONE, 1).send(PHONE, 2).send(PHONE, 3).acked(PHONE, 3, 3).acked(PHONE, 1, 4)
    });
    // What was given up may be tried again at any time.
    passes(|story| {
        story.send(PHONE, 1).send(PHONE, 2).failed(PHONE, 1, false).acked(PHONE, 2, 1).send(PHONE, 1).acked(PHONE, 1, 2)
    });
    // So may what was refused by a block, and then not by a repeat that was under way when the block was lifted.
    passes(|story| {
        story.send(PHONE, 1).send(PHONE, 2).block(BOBS_PHONE, true).block(BOBS_PHONE, false);
        story.acked(PHONE, 2, 1).acked(PHONE, 1, 2)
    });
    breaks(Invariant::I4, &["other way round"], |story| {
        story.block(BOBS_PHONE, true).block(BOBS_PHONE, false).send(PHONE, 1).send(PHONE, 2);
        story.acked(PHONE, 2, 1).acked(PHONE, 1, 2)
    });
    // A request that was not answered may be done for as long as its connection may live.
    let asked = |blocked| Event::BlockAsked { device: BOBS_PHONE, peer: Story::peer(BOBS_PHONE), blocked };
    passes(|story| {
        story.block(BOBS_PHONE, true).saw(asked(false)).wait(100_000);
        story.send(PHONE, 1).send(PHONE, 2).wait(100_000).acked(PHONE, 2, 1).acked(PHONE, 1, 2)
    });
    breaks(Invariant::I4, &["other way round"], |story| {
        story.block(BOBS_PHONE, true).saw(asked(false)).wait(200_000);
        story.send(PHONE, 1).send(PHONE, 2).acked(PHONE, 2, 1).acked(PHONE, 1, 2)
    });
    // A block alone refuses both, or the later of them.
    breaks(Invariant::I4, &["other way round"], |story| {
        story.saw(asked(true)).send(PHONE, 1).send(PHONE, 2).acked(PHONE, 2, 1).acked(PHONE, 1, 2)
    });
    // Two devices have no order.
    passes(|story| story.send(PHONE, 1).send(PAD, 2).acked(PHONE, 1, 2).acked(PAD, 2, 1));
}

#[test]
fn i4_changes_go_up_too() {
    breaks(Invariant::I4, &["change 2", "change 3"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).change(PHONE, 1, ChangeKind::React, 0);
        story.changed(BOBS_WEB, 1, 3, body(1)).changed(BOBS_WEB, 1, 2, body(1))
    });
}

#[test]
fn i5_a_number_names_one_thing() {
    breaks(Invariant::I5, &["number 1", "which is message"], |story| story.message(1, 1).send(PAD, 2).acked(PAD, 2, 1));
    breaks(Invariant::I5, &["a change of number 1 is number 2", "which is message"], |story| {
        story.message(1, 1).message(2, 2).change(PHONE, 1, ChangeKind::React, 0).change_done(PHONE, 1, 2)
    });
    breaks(Invariant::I5, &["which is a change of number 1"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).change_done(PHONE, 1, 2).send(PHONE, 2);
        story.acked(PHONE, 2, 2)
    });
    breaks(Invariant::I5, &["one change more"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).change_done(PHONE, 1, 2).changed(PAD, 1, 3, body(1))
    });
    breaks(Invariant::I5, &["not above it"], |story| {
        story.message(2, 2).change(PHONE, 2, ChangeKind::React, 0).change_done(PHONE, 2, 1)
    });
    breaks(Invariant::I5, &["number 0"], |story| story.send(PHONE, 1).acked(PHONE, 1, 0));
}

#[test]
fn i5_numbers_have_no_holes() {
    breaks(Invariant::I5, &["alice and bob", "1 numbers up to 3"], |story| story.message(1, 1).message(2, 3).rest());
    // The hole is a change whose answer was lost, or a message that was given up.
    passes(|story| story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).message(2, 3).rest());
    passes(|story| story.message(1, 1).send(PAD, 3).failed(PAD, 3, false).message(2, 3).rest());
    // A restored backup goes on above a gap; one backup, one gap.
    let restored = |story: &mut Story, seq: u64| {
        story.cursor(PHONE, 2, 1 << 24);
        for device in [PHONE, PAD, BOBS_PHONE, BOBS_WEB] {
            story.saw(Event::Reset { device });
        }
        story.message(seq.into(), seq);
    };
    passes(|story| {
        story.cursor(PHONE, 1, 1).message(1, 1);
        restored(story, 1 << 24);
        story.rest()
    });
    breaks(Invariant::I5, &["7 numbers"], |story| {
        story.cursor(PHONE, 1, 1).message(1, 5);
        restored(story, 1 << 24);
        story.message(3, (1 << 24) + 4).rest()
    });
}

#[test]
fn i6_a_cursor_goes_up() {
    breaks(Invariant::I6, &["alice/pad", "from 5", "to 4"], |story| story.cursor(PAD, 1, 5).cursor(PAD, 1, 4));
    breaks(Invariant::I6, &["epoch"], |story| story.cursor(PAD, 2, 5).cursor(PAD, 1, 9));
    passes(|story| story.cursor(PAD, 1, 5).cursor(PAD, 1, 5).cursor(PAD, 2, 1).cursor(PHONE, 1, 1));
}

#[test]
fn i7_one_message_one_number() {
    breaks(Invariant::I7, &["number 1, and number 2"], |story| story.message(1, 1).acked(PHONE, 1, 2));
    breaks(Invariant::I7, &["bob/web"], |story| {
        story.send(BOBS_WEB, 1).acked(BOBS_WEB, 1, 1).shown(PHONE, false, 1, 2)
    });
    passes(|story| story.message(1, 1).send(PHONE, 1).acked(PHONE, 1, 1).rest());
    // A restored server has forgotten it, and stores it again.
    passes(|story| {
        story.cursor(PHONE, 1, 0).send(PHONE, 1).shown(BOBS_WEB, false, 1, 1).cursor(PHONE, 2, 0).acked(PHONE, 1, 900);
        story.cursor(BOBS_WEB, 1, 1).cursor(BOBS_WEB, 2, 9).saw(Event::Reset { device: BOBS_WEB });
        story.shown(BOBS_WEB, false, 1, 900)
    });
}

#[test]
fn i8_delivered_means_that_a_device_has_it() {
    passes(|story| story.message(1, 1).receipt(PHONE, 1, 0));
    let sent = |story: &mut Story| {
        story.send(PHONE, 1).acked(PHONE, 1, 1);
    };
    breaks(Invariant::I8, &["alice/phone", "number 1 has reached no device of bob"], |story| {
        sent(story);
        story.receipt(PHONE, 1, 0)
    });
    // The receipt overtakes the acknowledgement.
    breaks(Invariant::I8, &["before any device had it"], |story| {
        story.send(PHONE, 1).receipt(PHONE, 1, 0).acked(PHONE, 1, 1)
    });
    breaks(Invariant::I8, &["nothing has such a number"], |story| story.message(1, 1).receipt(PHONE, 2, 0));
    // A change that was merged into its message is delivered without being shown.
    passes(|story| story.message(1, 1).change(PAD, 1, ChangeKind::React, 0).receipt(PHONE, 2, 0));
    // Whoever was reset has skipped it, and the server takes that for delivered.
    passes(|story| {
        sent(story);
        story.saw(Event::Reset { device: BOBS_WEB }).receipt(PHONE, 1, 0)
    });
}

#[test]
fn i8_read_means_that_somebody_has_read() {
    passes(|story| story.message(1, 1).read(BOBS_WEB, 1).receipt(PHONE, 1, 1));
    breaks(Invariant::I8, &["bob has read up to 0"], |story| story.message(1, 1).receipt(PHONE, 1, 1));
    breaks(Invariant::I8, &["goes down"], |story| {
        story.message(1, 1).message(2, 2).receipt(PHONE, 2, 0).receipt(PHONE, 1, 0)
    });
    passes(|story| story.message(1, 1).read(BOBS_WEB, 1).receipt(PHONE, 1, 0).receipt(PHONE, 0, 1));
    passes(|story| {
        story
            .message(1, 1)
            .message(2, 2)
            .receipt(PHONE, 2, 0)
            .saw(Event::Crashed { device: PHONE })
            .receipt(PHONE, 1, 0)
    });
}

#[test]
fn i9_presence_is_who_is_connected() {
    let presence = |connected| Event::Presence { user: ALICE, connected };
    breaks(Invariant::I9, &["2 devices of alice", "1 are"], |story| story.rest().saw(presence(1)));
    breaks(Invariant::I9, &["1 devices of alice", "2 are"], |story| {
        story.saw(Event::Offline { device: PAD }).rest().saw(presence(2))
    });
    passes(|story| story.saw(Event::Stopped { device: PAD, reason: String::new() }).rest().saw(presence(1)));
    passes(|story| story.saw(presence(7)));
}

#[test]
fn i10_a_block_holds() {
    breaks(Invariant::I10, &["alice/phone", "was acknowledged", "bob had blocked"], |story| {
        story.block(BOBS_PHONE, true).send(PHONE, 1).acked(PHONE, 1, 1)
    });
    breaks(Invariant::I10, &["bob/web", "was shown"], |story| {
        story.block(BOBS_PHONE, true).send(PHONE, 1).shown(BOBS_WEB, false, 1, 1)
    });
    breaks(Invariant::I10, &["bob had blocked"], |story| {
        story.block(BOBS_PHONE, true).send(BOBS_WEB, 1).acked(BOBS_WEB, 1, 1)
    });
    // Written before, or while it may have been lifted.
    passes(|story| story.send(PHONE, 1).block(BOBS_PHONE, true).acked(PHONE, 1, 1).everywhere(1, 1));
    passes(|story| story.block(BOBS_PHONE, true).block(BOBS_WEB, false).message(1, 1));
    let lifting = Event::BlockAsked { device: BOBS_WEB, peer: ALICE, blocked: false };
    passes(|story| story.block(BOBS_PHONE, true).send(PHONE, 1).saw(lifting.clone()).acked(PHONE, 1, 1));
    // Two devices ask for the opposite at once: nobody knows which came last.
    passes(|story| {
        story.saw(Event::BlockAsked { device: BOBS_PHONE, peer: ALICE, blocked: true }).saw(lifting.clone());
        story.saw(Event::Block { device: BOBS_WEB, peer: ALICE, blocked: false });
        story.saw(Event::Block { device: BOBS_PHONE, peer: ALICE, blocked: true }).message(1, 1)
    });
    // A request that was never answered is over some day.
    breaks(Invariant::I10, &["bob had blocked"], |story| {
        story.saw(lifting.clone()).wait(200_000).block(BOBS_PHONE, true).send(PHONE, 1).acked(PHONE, 1, 1)
    });
    // Refused, and written again behind the block.
    breaks(Invariant::I10, &["bob had blocked"], |story| {
        story.send(PHONE, 1).failed(PHONE, 1, true).block(BOBS_PHONE, true).send(PHONE, 1).acked(PHONE, 1, 1)
    });
}

#[test]
fn i11_nothing_is_left_over() {
    breaks(Invariant::I11, &["alice/phone", "still on its way"], |story| story.send(PHONE, 1).rest());
    breaks(Invariant::I11, &["still on its way"], |story| {
        story.send(PHONE, 1).failed(PHONE, 1, false).send(PHONE, 1).rest()
    });
    passes(|story| story.send(PHONE, 1).failed(PHONE, 1, false).rest());
    passes(|story| story.send(PHONE, 1).saw(Event::Offline { device: PHONE }).rest());
    // Its process died in the moment of writing.
    let story = told(|story| story.send(PHONE, 1).saw(Event::Crashed { device: PHONE }).live(PHONE, true).rest());
    story.breaks(Invariant::I11, &[]);
    let mut story = story;
    let crash = story.records.iter().position(|record| matches!(record.event, Event::Crashed { .. })).unwrap();
    story.records[crash].at_ms = story.records[crash - 1].at_ms;
    story.passes();
}

#[test]
fn i12_nothing_leaks_and_nothing_panics() {
    let resource = |before, after| Event::Resource { name: "descriptors".into(), before, after };
    breaks(Invariant::I12, &["descriptors", "100", "106"], |story| story.rest().saw(resource(100, 106)));
    breaks(Invariant::I12, &["descriptors"], |story| story.rest().saw(resource(100, 94)));
    breaks(Invariant::I12, &["descriptors"], |story| story.rest().saw(resource(0, 3)));
    passes(|story| story.rest().saw(resource(100, 105)).saw(resource(3, 5)).saw(resource(100, 95)));
    breaks(Invariant::I12, &["index out of bounds"], |story| {
        story.saw(Event::Panic { what: "index out of bounds".into() })
    });
}

#[test]
fn i13_whoever_was_put_out_hears_nothing() {
    let revoked = Event::Revoked { user: BOB };
    breaks(Invariant::I13, &["bob/web", "revoked"], |story| {
        story.wait(2000).saw(revoked.clone()).wait(5000).send(PHONE, 1).shown(BOBS_WEB, false, 1, 1)
    });
    breaks(Invariant::I13, &["bob/web", "revoked"], |story| {
        story.send(BOBS_WEB, 1).wait(2000).saw(revoked.clone()).wait(5000).acked(BOBS_WEB, 1, 1)
    });
    breaks(Invariant::I13, &["bob/web", "a receipt"], |story| {
        story.send(BOBS_WEB, 1).acked(BOBS_WEB, 1, 1).shown(PHONE, false, 1, 1);
        story.wait(2000).saw(revoked.clone()).wait(5000).receipt(BOBS_WEB, 1, 0)
    });
    breaks(Invariant::I13, &["bob/web resumes"], |story| {
        story.wait(2000).saw(revoked.clone()).wait(5000).live(BOBS_WEB, true)
    });
    breaks(Invariant::I13, &["bob/web", "a change"], |story| {
        story.message(1, 1).change(PHONE, 1, ChangeKind::React, 0).wait(2000).saw(revoked.clone()).wait(5000);
        story.changed(BOBS_WEB, 1, 2, body(1))
    });
    breaks(Invariant::I13, &["bob/web", "session is over"], |story| {
        story
            .saw(Event::Stopped { device: BOBS_WEB, reason: "kicked".into() })
            .send(PHONE, 1)
            .shown(BOBS_WEB, false, 1, 1)
    });
    passes(|story| story.wait(2000).saw(revoked.clone()).wait(4000).message(1, 1));
    passes(|story| {
        story.wait(2000).saw(revoked.clone()).wait(9000).live(BOBS_WEB, false).live(BOBS_PHONE, false).message(1, 1)
    });
    // A login that was answered just before the revocation was may be the younger.
    passes(|story| {
        story.wait(2000).live(BOBS_WEB, false).live(BOBS_PHONE, false).saw(revoked.clone()).wait(9000).message(1, 1)
    });
}

#[test]
fn i13_a_device_that_reads_late_may_show_old_messages_only() {
    let mut options = CheckerOptions { late_ms: 60_000, ..CheckerOptions::default() };
    let judge = |options, tell: &dyn Fn(&mut Story)| {
        let mut story = Story::new();
        story.wait(2000).send(PHONE, 1).saw(Event::Revoked { user: BOB });
        tell(&mut story);
        let mut checker = Checker::new(options);
        story.records.iter().for_each(|record| checker.take(record));
        checker.violations().iter().map(|violation| violation.invariant).collect::<Vec<_>>()
    };
    let old = |story: &mut Story| {
        story.wait(30_000).shown(BOBS_WEB, false, 1, 1);
    };
    let new = |story: &mut Story| {
        story.wait(6_000).send(PHONE, 2).shown(BOBS_WEB, false, 2, 1);
    };
    assert_eq!(judge(options, &old), []);
    assert_eq!(judge(options, &new), [Invariant::I13]);
    options.late_ms = 0;
    assert_eq!(judge(options, &old), [Invariant::I13]);
}

#[test]
fn i14_unread_is_what_lies_above_the_mark() {
    let three = |story: &mut Story| {
        story.message(1, 1).message(2, 2).message(3, 3).read(BOBS_WEB, 1).rest();
    };
    passes(|story| {
        three(story);
        story.unread(BOBS_WEB, 1, 2).unread(BOBS_PHONE, 1, 2).unread(PHONE, 0, 0)
    });
    for unread in [1, 3] {
        breaks(Invariant::I14, &["bob/phone", "2 to 2"], |story| {
            three(story);
            story.unread(BOBS_PHONE, 1, unread)
        });
    }
    breaks(Invariant::I14, &["mark is 0"], |story| {
        three(story);
        story.unread(BOBS_PHONE, 0, 3)
    });
    breaks(Invariant::I14, &["mark is 2"], |story| {
        three(story);
        story.unread(BOBS_PHONE, 2, 1)
    });
    // What was taken back or hidden may count or not.
    for unread in [0, 1] {
        passes(|story| story.message(1, 1).change(PHONE, 1, ChangeKind::Recall, 0).rest().unread(BOBS_WEB, 0, unread));
        passes(|story| story.message(1, 1).delete(BOBS_PHONE, 0, &[1]).rest().unread(BOBS_WEB, 0, unread));
    }
}

#[test]
fn i14_a_mark_that_goes_with_a_message_holds_if_that_does() {
    let with = |story: &mut Story| {
        story.answer(1, 1).send(PHONE, 2).read(PHONE, 1);
    };
    passes(|story| {
        with(story);
        story.failed(PHONE, 2, true).rest().unread(PHONE, 0, 1)
    });
    breaks(Invariant::I14, &["mark is 0"], |story| {
        with(story);
        story.acked(PHONE, 2, 2).everywhere(2, 2).rest().unread(PHONE, 0, 1)
    });
}

#[test]
fn a_note_to_oneself_is_an_ordinary_message() {
    passes(|story| {
        story.saw(Event::Send { device: PHONE, to: ALICE, id: 1, digest: 5 });
        story.saw(Event::Acked { device: PHONE, to: ALICE, id: 1, seq: 1 });
        story.saw(Event::Receipt { device: PHONE, peer: ALICE, delivered_seq: 1, read_seq: 0 });
        story.saw(Event::Shown { device: PAD, peer: ALICE, own: true, seq: 1, id: 1, digest: 5 }).rest();
        story.saw(Event::Unread { device: PAD, peer: ALICE, read_seq: 0, unread: 0 })
    });
}

#[test]
fn a_history_that_cannot_be_is_not_blamed_on_the_product() {
    breaks(Invariant::History, &["device #9"], |story| story.saw(Event::Offline { device: 9 }));
    breaks(Invariant::History, &["user #9"], |story| story.saw(Event::Read { device: 0, peer: 9, seq: 1 }));
    breaks(Invariant::History, &["user #9"], |story| story.saw(Event::Revoked { user: 9 }));
    breaks(Invariant::History, &["user #9"], |story| story.saw(Event::Device { user: 9, name: "x".into() }));
    breaks(Invariant::History, &["another content"], |story| story.send(PHONE, 1).send(PAD, 1));
}

#[test]
fn the_list_of_violations_has_an_end_and_the_count_has_none() {
    let mut checker = Checker::new(CheckerOptions { violations_max: 3, ..CheckerOptions::default() });
    let story = told(|story| {
        for _ in 0..10 {
            story.saw(Event::Panic { what: "again".into() });
        }
        story
    });
    story.records.iter().for_each(|record| checker.take(record));
    assert_eq!((checker.violations().len(), checker.violations_total()), (3, 10));
    let report = checker.finish();
    assert_eq!((report.violations.len(), report.violations_total, report.count(Invariant::I12)), (3, 10, 10));
    let text = report.to_string();
    assert!(text.contains("never comes to rest") && text.contains("… and 7 more"), "{text}");
}
