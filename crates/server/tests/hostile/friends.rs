//! Rows 37-39 for what people do about each other: nobody acts for others, learns who exists, or gets two outcomes of one
//! race.

use hongyan_wire::Command;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::inbox_entry::What;
use hongyan_wire::proto::{FriendEventKind, RefusalCode, Tie};
use prost::Message;

use crate::place::Place;
use crate::speaker::{Speaker, User};

fn code_of(speaker: &mut Speaker, operation: Operation, request: &impl Message) -> Option<RefusalCode> {
    // All answers have id and refusal in the same places.
    let answer: proto::BlockAnswer = speaker.ask(operation, request);
    answer.refusal.map(|refusal| refusal.code())
}

fn add(speaker: &mut Speaker, user: &str) -> Option<RefusalCode> {
    let request = proto::AddFriendRequest { id: 1, user: user.to_owned(), ..Default::default() };
    code_of(speaker, Operation::AddFriend, &request)
}

fn decide(user: &str, accept: bool) -> proto::DecideFriendRequest {
    proto::DecideFriendRequest { id: 1, user: user.to_owned(), accept, ..Default::default() }
}

fn block(speaker: &mut Speaker, user: &str, blocked: bool) -> Option<RefusalCode> {
    code_of(speaker, Operation::Block, &proto::BlockRequest { id: 1, user: user.to_owned(), blocked })
}

fn tie(speaker: &mut Speaker, user: &str) -> Tie {
    let lists: proto::ListsAnswer = speaker.ask(Operation::Lists, &proto::ListsRequest::default());
    assert_eq!(lists.refusal, None);
    let relation = lists.relations.into_iter().find(|relation| relation.user == user);
    relation.map_or(Tie::None, |relation| relation.tie())
}

/// Every request about a friend, and what comes of it.
fn about(speaker: &mut Speaker, user: &str) -> Vec<Option<RefusalCode>> {
    let (id, user) = (1, user.to_owned());
    let note = proto::NoteFriendRequest { id, user: user.clone(), remark: "mine".to_owned(), grouping: 0 };
    vec![
        code_of(speaker, Operation::DecideFriend, &decide(&user, true)),
        code_of(speaker, Operation::DecideFriend, &decide(&user, false)),
        code_of(speaker, Operation::NoteFriend, &note),
        code_of(speaker, Operation::RemoveFriend, &proto::RemoveFriendRequest { id, user }),
    ]
}

#[test]
fn row_37_nobody_acts_in_the_friendship_of_others() {
    let mut place = Place::new();
    let (mut alice, mut bob, mut mallory) = (place.log_in("alice"), place.log_in("bob"), place.log_in("mallory"));
    assert_eq!(add(&mut alice, "bob"), None);
    let nothing = vec![Some(RefusalCode::NotFound); 4];
    for user in ["alice", "bob", "nobody", "no name"] {
        assert_eq!(about(&mut mallory, user), nothing, "{user}");
    }
    assert_eq!(about(&mut alice, "bob")[..3], nothing[..3], "who asked cannot accept, nor note a friend");
    assert_eq!(add(&mut alice, "bob"), None, "she has taken it back");
    assert_eq!(code_of(&mut bob, Operation::DecideFriend, &decide("alice", true)), None);
    assert_eq!(about(&mut mallory, "alice"), nothing);
    assert_eq!((tie(&mut alice, "bob"), tie(&mut mallory, "alice")), (Tie::Friend, Tie::None));
    assert!(mallory.sync(0, 200).entries.is_empty(), "and is told nothing");
    let users = ["alice", "nobody"].map(|user| proto::ProfileWish { user: user.to_owned(), version: 0 }).to_vec();
    let profiles: proto::ProfilesAnswer = mallory.ask(Operation::Profiles, &proto::ProfilesRequest { id: 1, users });
    assert!(profiles.profiles.is_empty(), "who has said nothing looks like nobody");
    place.is_well();
}

#[test]
fn row_37_whoever_is_blocked_cannot_ask() {
    let mut place = Place::new();
    let (mut alice, mut eve) = (place.log_in("alice"), place.log_in("eve"));
    assert_eq!(add(&mut eve, "alice"), None);
    assert_eq!(block(&mut alice, "eve", true), None);
    assert_eq!(code_of(&mut alice, Operation::DecideFriend, &decide("eve", true)), Some(RefusalCode::NotFound));
    assert_eq!(add(&mut eve, "alice"), Some(RefusalCode::NotAllowed));
    assert_eq!(about(&mut eve, "alice"), vec![Some(RefusalCode::NotFound); 4]);
    assert_eq!((tie(&mut alice, "eve"), tie(&mut eve, "alice")), (Tie::None, Tie::None));
    place.is_well();
}

#[test]
fn row_38_friends_are_of_one_app() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["key", "add", "backend", "--app", "shop"], "");
    let (mut alice, mut bob) = (place.log_in("alice"), place.log_in("bob"));
    let mut shop_bob = place.log_in_as(&User { app: "shop".to_owned(), ..User::new("bob") });
    assert_eq!(add(&mut alice, "bob"), None);
    assert_eq!(code_of(&mut shop_bob, Operation::DecideFriend, &decide("alice", true)), Some(RefusalCode::NotFound));
    assert_eq!(add(&mut shop_bob, "alice"), Some(RefusalCode::NotFound));
    assert!(shop_bob.sync(0, 200).entries.is_empty());
    assert_eq!(tie(&mut bob, "alice"), Tie::Asks);
    place.is_well();
}

/// Accepting, declining, taking back and blocking at the same moment: one of them was first, and both sides agree.
#[test]
fn row_39_what_is_done_at_once_about_a_request_ends_in_one_order() {
    let mut place = Place::new();
    let (mut alice, mut bob) = (place.log_in("alice"), place.log_in("bob"));
    for round in 0..12 {
        assert_eq!(add(&mut alice, "bob"), None);
        let _: Option<proto::MessageNotify> = bob.wait_for(Command::notify(Operation::Message));
        bob.tell(Operation::DecideFriend, &decide("alice", true));
        bob.tell(Operation::DecideFriend, &proto::DecideFriendRequest { id: 2, ..decide("alice", false) });
        if round % 2 == 0 {
            alice.tell(Operation::RemoveFriend, &proto::RemoveFriendRequest { id: 1, user: "bob".to_owned() });
        } else {
            alice.tell(Operation::Block, &proto::BlockRequest { id: 1, user: "bob".to_owned(), blocked: true });
        }
        let answers: [proto::DecideFriendAnswer; 2] = std::array::from_fn(|_| bob.answer(Operation::DecideFriend));
        let done = |id| answers.iter().any(|answer| answer.id == id && answer.refusal.is_none());
        let (accepted, declined) = (done(1), done(2));
        let operation = if round % 2 == 0 { Operation::RemoveFriend } else { Operation::Block };
        let ended = alice.answer::<proto::BlockAnswer>(operation).refusal.is_none();
        assert!(!(accepted && declined), "one of two answers counts");
        let ties = (tie(&mut alice, "bob"), tie(&mut bob, "alice"));
        assert_eq!(ties.0, ties.1, "both sides agree");
        // A friendship may have been ended by the removal behind it, not by a block.
        let expected = accepted && !(round % 2 == 0 && ended);
        assert_eq!(ties.0 == Tie::Friend, expected, "round {round}");
        assert_eq!(block(&mut alice, "bob", false), None);
        let remove = proto::RemoveFriendRequest { id: 1, user: "bob".to_owned() };
        let removed = code_of(&mut alice, Operation::RemoveFriend, &remove);
        assert_eq!(removed.is_none(), expected);
    }
    // The inbox tells the same story: never friends twice without an end between.
    let mut friends = false;
    for entry in bob.sync(0, 200).entries {
        let Some(What::Friend(event)) = entry.what else { continue };
        match event.kind() {
            FriendEventKind::Befriended => {
                assert!(!friends);
                friends = true;
            }
            FriendEventKind::Removed => {
                assert!(friends);
                friends = false;
            }
            _ => assert!(!friends),
        }
    }
    place.is_well();
}

#[test]
fn row_37_nobody_watches_who_is_no_friend() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["key", "add", "backend", "--app", "shop"], "");
    let (mut alice, mut bob, mut mallory) = (place.log_in("alice"), place.log_in("bob"), place.log_in("mallory"));
    let mut shop_bob = place.log_in_as(&User { app: "shop".to_owned(), ..User::new("bob") });
    assert_eq!(add(&mut alice, "bob"), None);
    assert_eq!(code_of(&mut bob, Operation::DecideFriend, &decide("alice", true)), None);
    let seen = |speaker: &mut Speaker| {
        let users = ["alice", "nobody", "no name"].map(str::to_owned).to_vec();
        let watched: proto::WatchAnswer =
            speaker.ask(Operation::Watch, &proto::WatchRequest { id: 1, users: users.clone() });
        let found: proto::GetPresenceAnswer =
            speaker.ask(Operation::GetPresence, &proto::GetPresenceRequest { id: 2, users });
        assert_eq!((&watched.refusal, &watched.presences), (&found.refusal, &found.presences));
        watched.presences.len()
    };
    assert_eq!([seen(&mut bob), seen(&mut mallory), seen(&mut shop_bob)], [1, 0, 0]);
    assert_eq!(block(&mut alice, "bob", true), None);
    assert_eq!(seen(&mut bob), 0);
    let many = proto::WatchRequest { id: 1, users: vec!["alice".to_owned(); 201] };
    assert_eq!(code_of(&mut mallory, Operation::Watch, &many), Some(RefusalCode::InvalidArgument));
    place.is_well();
}
