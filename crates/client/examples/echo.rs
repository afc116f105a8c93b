//! A bot that answers every text with the same text, in less than fifty lines (spec 77):
//! `cargo run --example echo -- hongyan://KEY@HOST:PORT/APP USER PASSWORD`.

use hongyan_client::{Client, Credential, Event, Link, Options, ServerAddress, proto};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password] = &arguments[..] else {
        return Err("usage: echo hongyan://KEY@HOST:PORT/APP USER PASSWORD".into());
    };
    let address: ServerAddress = address.parse()?;
    let credential = Credential::Password { user: user.clone(), password: password.clone() };
    let options = Options { term: proto::Term::Bot, ..Options::new(address, credential) };
    let (client, mut events) = Client::connect(options).await?;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) if !message.entry.own => {
                let text = String::from_utf8_lossy(&message.entry.body);
                client.send_text(&message.peer, &text).await?;
                client.mark_read(&message.peer, message.entry.seq).await?;
            }
            Event::Link(Link::Stopped(reason)) => return Err(format!("stopped: {reason:?}").into()),
            Event::Link(link) => eprintln!("{link:?}"),
            _ => {}
        }
    }
    Ok(())
}
