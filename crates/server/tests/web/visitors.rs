//! Visitors, as the chat of a site meets the real binary: marks over restarts and rotations, a talk, a claim.

use hongyan_wire::command::Operation;
use hongyan_wire::proto::login_request::Credential;
use hongyan_wire::proto::{RefusalCode, inbox_entry};
use hongyan_wire::{Command, proto};

use crate::browser::{Browser, sign_up};
use crate::process::{Server, hongyan};

impl Browser<'_> {
    /// Logs in as whoever the mark proves; the code of a refusal.
    fn visits(&mut self, mark: &str) -> Result<proto::LoginAnswer, RefusalCode> {
        let (page, referrer) = ("https://shop.example/".to_owned(), String::new());
        let request = proto::LoginRequest {
            id: 1,
            app: "default".to_owned(),
            credential: Some(Credential::Visitor(proto::VisitorCredential { mark: mark.to_owned(), page, referrer })),
            device_id: vec![9; 16].into(),
            term: proto::Term::Web as i32,
            client: "test".to_owned(),
        };
        let answer: proto::LoginAnswer = self.ask(Operation::Login, &request);
        if let Some(refusal) = answer.refusal {
            return Err(refusal.code());
        }
        self.connection.set_authenticated();
        Ok(answer)
    }

    fn claims(&mut self, mark: &str) -> proto::ClaimVisitorAnswer {
        let request = proto::ClaimVisitorRequest { id: self.id(), mark: mark.to_owned() };
        self.ask(Operation::ClaimVisitor, &request)
    }
}

fn visit(server: &Server, mark: &str) -> Result<proto::LoginAnswer, RefusalCode> {
    Browser::by_socket(server).visits(mark)
}

#[test]
fn row_24_forged_and_foreign_marks_make_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mark = visit(&server, "").unwrap().visitor_mark;
    let (known, code) = mark.rsplit_once('.').unwrap();
    let other = visit(&server, "").unwrap().visitor_mark;
    let forged = [
        format!("{known}.{}", other.rsplit_once('.').unwrap().1),
        format!("{known}."),
        format!("{}.{code}", known.replace(".1", ".2")),
        known.to_owned(),
        mark.replacen("v1", "v2", 1),
        mark.to_lowercase(),
        "~".to_owned(),
        "x".repeat(3_000),
    ];
    let before = server.done(&["user", "list"], "");
    for forged in &forged {
        assert_eq!(visit(&server, forged), Err(RefusalCode::Unauthenticated), "{forged}");
    }
    assert_eq!(server.done(&["user", "list"], "").lines().count(), before.lines().count(), "nobody was made");
    server.terminate();
    // Another server has other keys, even for an app of the same name.
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(visit(&Server::start(elsewhere.path()), &mark), Err(RefusalCode::Unauthenticated));
}

#[test]
fn marks_outlive_restarts_and_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let first = visit(&server, "").unwrap();
    let rotated = hongyan(folder.path()).args(["visitor-key", "rotate"]).output().unwrap();
    assert!(rotated.status.success() && String::from_utf8_lossy(&rotated.stdout).contains("visitor-2.key"));
    assert!(visit(&server, &first.visitor_mark).unwrap().visitor_mark.contains(".1."), "not before it starts again");
    server.terminate();
    let server = Server::start(folder.path());
    let again = visit(&server, &first.visitor_mark).unwrap();
    assert_eq!(again.user, first.user);
    assert!(again.visitor_mark.contains(".2."), "{}", again.visitor_mark);
    server.terminate();
    std::fs::remove_file(folder.path().join("data/visitor-1.key")).unwrap();
    let server = Server::start(folder.path());
    assert_eq!(visit(&server, &first.visitor_mark), Err(RefusalCode::Unauthenticated));
    assert_eq!(visit(&server, &again.visitor_mark).unwrap().user, first.user);
}

#[test]
fn a_visitor_talks_and_turns_out_to_be_bob() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert_eq!((sign_up(&server, "ann"), sign_up(&server, "bob")), (201, 201));
    server.done(&["user", "take-visitors", "ann"], "");
    let mut ann = Browser::by_socket(&server);
    ann.log_in("ann");
    let mut guest = Browser::by_polls(&server);
    let visitor = guest.visits("").unwrap();
    assert_eq!(guest.say("ann", "is it in stock?"), 1);
    assert_eq!(ann.hears(), "is it in stock?");
    assert_eq!(ann.say(&visitor.user, "yes"), 2);
    assert_eq!(guest.hears(), "yes");

    let mut bob = Browser::by_socket(&server);
    bob.log_in("bob");
    let claimed = bob.claims(&visitor.visitor_mark);
    assert_eq!((claimed.refusal, claimed.visitor.as_str()), (None, visitor.user.as_str()));
    let told: proto::MessageNotify = ann.wait_for(Command::notify(Operation::Message)).expect("it is told");
    let expected = proto::Claimed { visitor: visitor.user.clone(), account: "bob".to_owned() };
    assert_eq!(told.entries[0].what, Some(inbox_entry::What::Claimed(expected)));
    let ended: proto::KickoutNotify = guest.wait_for(Command::notify(Operation::Kickout)).expect("it has ended");
    assert_eq!(ended.reason(), proto::KickoutReason::SessionRevoked);
    assert_eq!(visit(&server, &visitor.visitor_mark), Err(RefusalCode::Conflict));
    let (user, as_visitor, limit) = ("ann".to_owned(), visitor.user, 10);
    let request = proto::HistoryRequest { id: bob.id(), user, as_visitor, limit, ..Default::default() };
    let old: proto::HistoryAnswer = bob.ask(Operation::History, &request);
    assert_eq!(old.entries.iter().map(|entry| entry.own).collect::<Vec<_>>(), [true, false]);
    assert_eq!(bob.say("ann", "it was me"), 1, "in a conversation of their own");
}
