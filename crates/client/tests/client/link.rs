//! The link: log in, resume, back off, stop (spec appendix B; spec 31, 32, 55).

use hongyan_client::{
    Answer, BreakReason, Core, Event, Keep, Link, Millis, Request, RequestError, Restored, StopReason, proto,
};
use hongyan_wire::Command;
use hongyan_wire::command::Operation;

use crate::server::Fate;
use crate::world::World;

fn logged_in(world: &World, actor: usize) -> Vec<bool> {
    let resumed = |event: &Event| if let Event::LoggedIn { resumed, .. } = event { Some(*resumed) } else { None };
    world.actors[actor].told.iter().filter_map(resumed).collect()
}

#[test]
fn a_broken_link_is_resumed_without_a_login() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    for _ in 0..5 {
        world.server.cut_all();
        world.pass(5_000);
        assert!(world.actors[0].is_live());
    }
    assert_eq!(logged_in(&world, 0), [false, true, true, true, true, true]);
    assert_eq!(world.server.logins, 2);
}

#[test]
fn a_resume_brings_what_was_missed_and_its_next_frame_acknowledges_it() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.cut_all();
    for number in 0..5 {
        world.server.say(world.now, "a", "b", &format!("{number}"));
    }
    let mut asked = false;
    world.server.script = Box::new(move |_, packet| {
        asked |= packet == Command::request(Operation::Sync);
        assert!(!asked, "the page came with the resume");
        Fate::Pass
    });
    world.pass(5_000);
    assert_eq!(world.actors[1].messages_told(), ["0", "1", "2", "3", "4"]);
    assert_eq!(world.server.cursor("b", world.actors[1].device()), 5);
}

#[test]
fn a_resume_too_big_for_one_page_goes_on_by_pages_that_acknowledge_pages() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.cut_all();
    for number in 0..40 {
        world.server.say(world.now, "a", "b", &format!("{number}"));
    }
    world.pass(5_000);
    assert_eq!(world.actors[1].messages_told().len(), 40);
    assert_eq!(world.server.cursor("b", world.actors[1].device()), 40);
    let caught_up = |event: &&Event| matches!(event, Event::CaughtUp { inbox_cursor: 40 });
    assert_eq!(world.actors[1].told.iter().filter(caught_up).count(), 1);
}

#[test]
fn an_unanswered_resume_is_tried_with_a_higher_epoch() {
    let mut world = World::new(&["a"]);
    world.settle();
    let mut losses = 3;
    world.server.script = Box::new(move |_, packet| {
        if packet == Command::answer(Operation::Resume) && losses > 0 {
            losses -= 1;
            return Fate::Lose;
        }
        Fate::Pass
    });
    world.server.cut_all();
    world.pass(60_000);
    assert!(world.actors[0].is_live());
    assert_eq!((world.server.logins, world.server.resumes), (1, 4));
}

#[test]
fn a_restarted_client_resumes_from_its_store() {
    let mut world = World::new(&["a"]);
    world.settle();
    for _ in 0..3 {
        world.restart(0);
        world.pass(1_000);
    }
    assert_eq!(logged_in(&world, 0), [false, true, true, true]);
}

#[test]
fn a_refused_resume_falls_back_to_a_login_and_loses_nothing() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.forget_sessions();
    world.server.say(world.now, "a", "b", "meanwhile");
    world.server.cut_all();
    for actor in 0..2 {
        world.restart(actor);
    }
    world.send(0, "b", "after");
    world.pass(3_000);
    assert_eq!(world.server.logins, 4);
    assert_eq!(world.actors[1].messages_told(), ["meanwhile", "after"]);
}

#[test]
fn a_kicked_client_stops_and_does_not_come_back_by_itself() {
    let mut world = World::new(&["a"]);
    world.settle();
    let second = world.add("a", proto::Term::Pc);
    let other_kind = world.add("a", proto::Term::Mobile);
    world.pass(600_000);
    assert!(matches!(world.actors[0].core.link(), Link::Stopped(StopReason::Kicked(_))));
    assert!(world.actors[second].is_live() && world.actors[other_kind].is_live());
    assert_eq!(world.server.logins, 3);
    // Only the user may want it back.
    let now = world.now;
    world.actors[0].core.start(now);
    world.settle();
    assert!(world.actors[0].is_live());
    assert!(matches!(world.actors[second].core.link(), Link::Stopped(_)));
}

#[test]
fn a_device_that_was_kicked_while_away_learns_it_at_resume() {
    let mut world = World::new(&["a"]);
    world.settle();
    world.actors[0].dials_fail = true;
    world.server.cut_all();
    world.settle();
    world.add("a", proto::Term::Pc);
    world.settle();
    world.actors[0].dials_fail = false;
    world.pass(120_000);
    assert!(matches!(world.actors[0].core.link(), Link::Stopped(StopReason::SessionEnded(_))));
    assert_eq!(world.server.logins, 2, "it has not logged in again");
}

#[test]
fn a_bad_credential_stops_a_busy_server_does_not() {
    for (code, retryable) in [(proto::RefusalCode::Unauthenticated, false), (proto::RefusalCode::TryLater, true)] {
        let mut world = World::new(&["a"]);
        world.server.refuse_login = Some(proto::Refusal { code: code.into(), retryable, ..Default::default() });
        world.pass(20_000);
        let stopped = matches!(world.actors[0].core.link(), Link::Stopped(StopReason::LoginRefused(_)));
        assert_eq!(stopped, !retryable);
        assert_eq!(world.server.logins > 1, retryable);
        world.server.refuse_login = None;
        world.pass(60_000);
        assert_eq!(world.actors[0].is_live(), retryable);
    }
}

#[test]
fn back_off_doubles_with_full_jitter_and_a_new_network_skips_it() {
    let mut world = World::new(&["a"]);
    world.actors[0].dials_fail = true;
    let mut waits = Vec::new();
    for _ in 0..400 {
        world.pass(2_000);
    }
    for event in &world.actors[0].told {
        if let Event::Link(Link::Broken { retry_in_ms, reason: BreakReason::Disconnected }) = event {
            waits.push(*retry_in_ms);
        }
    }
    for (attempt, wait) in waits.iter().enumerate() {
        assert!(*wait <= (1000 << attempt.min(5)).min(30_000), "attempt {attempt} waits {wait} ms");
    }
    assert!(waits.len() > 12 && *waits.iter().max().unwrap() > 16_000, "{waits:?}");
    world.actors[0].dials_fail = false;
    let now = world.now;
    world.actors[0].core.network_changed(now);
    world.settle();
    assert!(world.actors[0].is_live());
}

#[test]
fn a_server_that_falls_silent_is_left_after_90_seconds() {
    let mut world = World::new(&["a"]);
    world.settle();
    world.server.script = Box::new(|_, _| Fate::Lose);
    world.pass(91_000);
    let silent = |event: &Event| {
        matches!(event, Event::Link(Link::Broken { reason: BreakReason::Violation(hongyan_wire::Violation::Idle), .. }))
    };
    assert!(world.actors[0].told.iter().any(silent));
}

#[test]
fn an_idle_link_stays_up_by_heartbeats_alone() {
    let mut world = World::new(&["a"]);
    world.pass(3_600_000);
    assert_eq!(logged_in(&world, 0), [false]);
}

#[test]
fn a_dial_that_never_ends_is_given_up() {
    let world = World::new(&["a"]);
    let mut core = Core::new(world.actors[0].device_config(), Restored::default());
    core.start(Millis(0));
    assert_eq!(core.deadline(), Some(Millis(10_000)));
    core.timeout(Millis(10_000));
    assert!(matches!(core.link(), Link::Broken { reason: BreakReason::ConnectTimeout, .. }));
}

#[test]
fn a_closing_gate_is_left_for_the_one_it_names() {
    let mut world = World::new(&["a"]);
    world.settle();
    let goaway = proto::GoawayNotify { reconnect_after_ms: 3_000, gates: vec!["other:1".into()] };
    world.server.notify(world.now, "a", Operation::Goaway, &goaway);
    world.settle();
    let Link::Broken { retry_in_ms, reason: BreakReason::Goaway } = *world.actors[0].core.link() else {
        panic!("it has not left");
    };
    assert!(retry_in_ms > 0, "a random part of the given time");
    world.pass(3_000);
    assert!(world.actors[0].is_live());
    assert_eq!(world.actors[0].gates_dialled, ["other:1"]);
}

#[test]
fn a_credential_of_another_user_does_not_mix_with_kept_messages() {
    let mut world = World::new(&["a", "b"]);
    world.settle();
    world.server.forget_sessions();
    world.actors[0].become_user("c");
    world.restart(0);
    world.pass(3_000);
    let other = StopReason::OtherUser { user: "c".into() };
    assert_eq!(*world.actors[0].core.link(), Link::Stopped(other));
}

#[test]
fn logout_ends_the_session_and_stops() {
    let mut world = World::new(&["a"]);
    world.settle();
    world.request(0, 7, Request::Logout);
    world.pass(10_000);
    assert_eq!(*world.actors[0].core.link(), Link::Stopped(StopReason::LoggedOut));
    let done = |event: &Event| matches!(event, Event::Answered { token: 7, result: Ok(Answer::Done) });
    assert!(world.actors[0].told.iter().any(done));
    world.restart(0);
    world.settle();
    assert_eq!(world.server.logins, 2, "there is no session to resume");
}

#[test]
fn requests_without_a_link_or_an_answer_are_told_so() {
    let mut world = World::new(&["a"]);
    let history = || Request::History(proto::HistoryRequest { user: "b".into(), limit: 5, ..Default::default() });
    world.actors[0].dials_fail = true;
    world.settle();
    world.request(0, 1, history());
    world.settle();
    world.actors[0].dials_fail = false;
    world.pass(5_000);
    world.server.script =
        Box::new(|_, packet| if packet == Command::request(Operation::History) { Fate::Lose } else { Fate::Pass });
    world.request(0, 2, history());
    world.pass(16_000);
    world.request(0, 3, history());
    world.settle();
    world.server.cut_all();
    world.settle();
    let result = |event: &Event| match event {
        Event::Answered { token, result: Err(error) } => Some((*token, error.clone())),
        _ => None,
    };
    let results: Vec<_> = world.actors[0].told.iter().filter_map(result).collect();
    assert_eq!(results, [(1, RequestError::Offline), (2, RequestError::NoAnswer), (3, RequestError::NoAnswer)]);
}

#[test]
fn a_core_that_keeps_nothing_gives_no_rows_and_resumes_from_memory() {
    let mut world = World::new(&["a", "b"]);
    let now = world.now;
    world.actors[1].set_keep(Keep::Nothing, now);
    world.settle();
    world.send(0, "b", "one");
    world.settle();
    world.server.cut_all();
    world.pass(5_000);
    world.send(0, "b", "two");
    world.settle();
    assert_eq!(world.actors[1].messages_told(), ["one", "two"]);
    assert_eq!(logged_in(&world, 1), [false, true]);
    assert!(world.actors[1].screen("a").is_empty(), "no row was given to the store");
}
