//! Groups by the Rust client through a real server: who is in hears everything once and in order, also over the server's
//! death; who is out hears nothing more.
#![allow(clippy::disallowed_methods, reason = "real processes take real time, and a test must end")]

mod process;

use std::time::Duration;

use hongyan_client::{Client, Credential, Event, Events, HistoryPage, Options, Peer, proto};
use process::Server;
use proto::change_group_request::What;

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);
const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn log_in(server: &Server, user: &str) -> (Client, Events) {
    let credential = Credential::Password { user: user.to_owned(), password: format!("secret of {user}") };
    let (client, events) = Client::connect(Options::new(server.address(), credential)).await.unwrap();
    patiently("a login", client.live()).await.unwrap().unwrap();
    (client, events)
}

/// The first event that is wanted; those before it are passed over.
async fn first<T>(what: &str, events: &mut Events, wanted: impl Fn(Event) -> Option<T>) -> T {
    patiently(what, async {
        loop {
            if let Some(found) = wanted(events.next().await.expect("the client lives")) {
                return found;
            }
        }
    })
    .await
}

/// The next message of the group that somebody else has said, and by whom.
async fn next_text(events: &mut Events) -> (String, String) {
    first("a message", events, |event| match event {
        Event::Message(message) if message.peer == spring() && !message.entry.own && message.entry.event.is_none() => {
            Some((message.entry.sender, String::from_utf8(message.entry.body.to_vec()).unwrap()))
        }
        _ => None,
    })
    .await
}

fn spring() -> Peer {
    Peer::group_of("spring")
}

fn users(names: &[&str]) -> proto::GroupUsers {
    proto::GroupUsers { users: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn said(who: &str, text: &str) -> (String, String) {
    (who.to_owned(), text.to_owned())
}

/// Everybody is connected; alice has made the group with bob in it.
async fn gathered(server: &Server) -> [(Client, Events); 3] {
    for user in PEOPLE {
        server.done(&["user", "create", user], &format!("secret of {user}\n"));
    }
    let (alice, alice_events) = log_in(server, "alice").await;
    let (bob, mut bob_events) = log_in(server, "bob").await;
    let carol = log_in(server, "carol").await;
    let profile = Some(proto::GroupProfile { title: Some("春游".into()), ..Default::default() });
    let request =
        proto::CreateGroupRequest { group: "spring".into(), profile, users: vec!["bob".into()], ..Default::default() };
    assert_eq!(patiently("a group", alice.create_group(request)).await.unwrap(), "spring");
    first("the group at bob's", &mut bob_events, |event| match event {
        Event::Group(group) if group.group == "spring" => {
            (group.profile.unwrap_or_default().title() == "春游").then_some(())
        }
        _ => None,
    })
    .await;
    [(alice, alice_events), (bob, bob_events), carol]
}

#[tokio::test]
async fn a_group_talks_and_the_server_is_killed_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let [(alice, mut alice_events), (bob, mut bob_events), _carol] = gathered(&server).await;
    alice.send_text(spring(), "你好").await.unwrap();
    assert_eq!(next_text(&mut bob_events).await, said("alice", "你好"));
    bob.send_text(spring(), "hi").await.unwrap();
    assert_eq!(next_text(&mut alice_events).await, said("bob", "hi"));

    let (tcp, http) = (server.ready("tcp").to_owned(), server.ready("http").to_owned());
    for number in 0..20 {
        alice.send_text(spring(), &number.to_string()).await.unwrap();
    }
    server.kill();
    let server = Server::start_at(folder.path(), &tcp, &http);
    for number in 20..30 {
        alice.send_text(spring(), &number.to_string()).await.unwrap();
    }
    for number in 0..30 {
        assert_eq!(next_text(&mut bob_events).await, said("alice", &number.to_string()), "in order, once, none lost");
    }
    let page = HistoryPage { limit: 100, ..HistoryPage::default() };
    let kept = patiently("the history", bob.history(spring(), page)).await.unwrap();
    let texts = kept.entries.iter().filter(|entry| entry.event.is_none() && entry.change.is_none()).count();
    assert_eq!(texts, 32);
    drop((alice, bob));
    assert!(server.terminate().success());
}

#[tokio::test]
async fn people_come_and_go_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let [(alice, _alice_events), (bob, mut bob_events), (carol, mut carol_events)] = gathered(&server).await;
    alice.send_text(spring(), "before carol").await.unwrap();
    next_text(&mut bob_events).await;
    patiently("an invitation", alice.change_group("spring", What::Invite(users(&["carol"])))).await.unwrap();
    let mention = hongyan_client::new_message(spring(), [7; 16], proto::BodyType::Text, "welcome");
    let mention = proto::SendRequest { mentions: vec!["carol".into()], ..mention };
    let stored = patiently("a message", alice.send_stored(mention)).await.unwrap();
    assert_eq!(next_text(&mut carol_events).await, said("alice", "welcome"), "nothing of before");
    let members = patiently("members", carol.group_members("spring", "", 10)).await.unwrap().members;
    assert_eq!(members.iter().map(|member| member.user.as_str()).collect::<Vec<_>>(), PEOPLE);

    let unread = |client: Client| async move { client.groups().await.unwrap()[0].group.unread };
    assert_eq!(unread(carol.clone()).await, 1);
    carol.mark_read(spring(), stored.seq).await.unwrap();
    first("the mark", &mut carol_events, |event| match event {
        Event::ReadMark { peer, seq, unread: 0 } if peer == spring() && seq == stored.seq => Some(()),
        _ => None,
    })
    .await;
    patiently("a receipt", async {
        while alice.group_receipts("spring", stored.seq).await.unwrap().readers != ["carol"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    patiently("a removal", alice.change_group("spring", What::Remove(users(&["carol"])))).await.unwrap();
    first("the end of it", &mut carol_events, |event| match event {
        Event::Group(group) if group.left => Some(()),
        _ => None,
    })
    .await;
    let refused = patiently(
        "a refusal",
        carol.send_stored(hongyan_client::new_message(spring(), [9; 16], proto::BodyType::Text, "still here?")),
    )
    .await;
    assert!(refused.is_err());
    bob.send_text(spring(), "without her").await.unwrap();
    carol.send_text("bob", "a word").await.unwrap();
    let next = first("a message", &mut bob_events, |event| match event {
        Event::Message(message) if message.peer == Peer::from("carol") => Some(message.entry.body),
        _ => None,
    });
    assert_eq!(next.await, "a word");
    assert_eq!(carol.groups().await.unwrap()[0].group.unread, 0);
}
