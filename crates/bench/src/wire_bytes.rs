//! `bytes`: TCP payload, both directions, of logins and of one message, counted at the clients' sockets.

use anyhow::{Context, Result};
use bytes::Bytes;
use hongyan_wire::proto;

use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::patience::Patience;
use crate::puppet::{Entrance, Seen};
use crate::report::{Reach, Report};
use crate::server::Server;

const TOKEN_BYTES: usize = 230;
const PASSWORD: &str = "correct horse battery";
const TEXT: &str = "你好";

/// Measures.
pub fn run(server: &mut Server) -> Result<Report> {
    let clock = Clock::start();
    let mut crowd = Crowd::new(server, clock)?;
    let mut report = Report::new("bytes");

    let token = |user: &str| {
        let token = server.signer.token_of_length(user, TOKEN_BYTES);
        token.map(Entrance::Token).context("no token has 230 bytes with this key id")
    };
    let sender = crowd.add_with(token("alice")?);
    let receiver = crowd.add_with(token("bob")?);
    for index in [sender, receiver] {
        enter(&mut crowd, index)?;
    }
    report.add_aimed("login_by_token_bytes", crowd.swarm.bytes(sender) as f64, Reach::AtMost(750.0));
    if server.is_own() {
        server.create_user("carol", PASSWORD)?;
        let password = proto::PasswordCredential { user: "carol".into(), password: PASSWORD.into() };
        let index = crowd.add_with(Entrance::Password(password));
        enter(&mut crowd, index)?;
        report.add_aimed("login_by_password_bytes", crowd.swarm.bytes(index) as f64, Reach::AtMost(600.0));
    } else {
        report.note("login by password is measured only on a server that is started here");
    }

    // The first message of a conversation is no different, but the first receipt might be.
    one_message(&mut crowd, sender, receiver)?;
    let bytes = one_message(&mut crowd, sender, receiver)?;
    report.add_aimed("message_bytes", bytes as f64, Reach::AtMost(420.0));

    crowd.swarm.hang_up(sender);
    let pass = crowd.swarm.machine(sender).pass().context("the login left no pass")?;
    crowd.swarm.machine_mut(sender).set_entrance(Entrance::Pass(pass));
    let before = crowd.swarm.bytes(sender);
    enter(&mut crowd, sender)?;
    wait(&mut crowd, "the answer that confirms a resume", |_, seen| matches!(seen, Seen::Acknowledged))?;
    report.add("resume_bytes", (crowd.swarm.bytes(sender) - before) as f64);
    Ok(report)
}

fn enter(crowd: &mut Crowd, index: usize) -> Result<()> {
    crowd.dial(index)?;
    wait(crowd, "a login", |who, seen| who == index && matches!(seen, Seen::Entered))
}

/// SEND.R, SEND.A, MESSAGE.N, ACK.R, ACK.A, RECEIPT.N.
fn one_message(crowd: &mut Crowd, sender: usize, receiver: usize) -> Result<u64> {
    let before = crowd.swarm.bytes(sender) + crowd.swarm.bytes(receiver);
    crowd.swarm.with(sender, |puppet, now, out| puppet.send("bob", Bytes::from_static(TEXT.as_bytes()), now, out));
    let mut left = 4;
    wait(crowd, "all six packets of a message", |who, seen| {
        let of_sender = matches!(seen, Seen::Stored { .. } | Seen::Delivered { .. });
        let of_receiver = matches!(seen, Seen::Received { .. } | Seen::Acknowledged);
        left -= u32::from((who == sender && of_sender) || (who == receiver && of_receiver));
        left == 0
    })?;
    Ok(crowd.swarm.bytes(sender) + crowd.swarm.bytes(receiver) - before)
}

fn wait(crowd: &mut Crowd, what: &str, mut done: impl FnMut(usize, &Seen) -> bool) -> Result<()> {
    let mut patience = Patience::new(crowd.swarm.clock(), STALL_SECONDS);
    let mut over = false;
    while !over {
        crowd.turn(TURN, |index, seen| over = over || done(index, &seen))?;
        patience.check(0, || what.to_owned())?;
    }
    Ok(())
}
