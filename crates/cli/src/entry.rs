//! A message in words for people and as JSON for scripts. Both tell the same; neither trusts what is inside.

use hongyan_client::Peer;
use hongyan_client::proto::{self, BodyType};
use jiff::tz::TimeZone;
use prost::Message as _;
use serde_json::{Map, Value, json};

use crate::{happening, local_time, peer, text};

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body in words: the text itself, or what kind of thing it is and what is known of it. Clean, perhaps of several
/// lines.
pub fn body_words(kind: i32, body: &[u8], projection: &str) -> String {
    let plain = |kind: &str, details: &[&str]| {
        let details = details.iter().filter(|detail| !detail.is_empty()).map(|detail| text::one_line(detail));
        let details = details.collect::<Vec<_>>().join(" · ");
        if details.is_empty() { format!("[{kind}]") } else { format!("[{kind}] {details}") }
    };
    match BodyType::try_from(kind) {
        Ok(BodyType::Text) => text::clean(&String::from_utf8_lossy(body)),
        Ok(BodyType::Image) => {
            let image = proto::Image::decode(body).unwrap_or_default();
            let attachment = image.attachment.unwrap_or_default();
            plain("image", &[&attachment.name, &image.caption, &attachment.url])
        }
        Ok(BodyType::File) => {
            let attachment = proto::File::decode(body).unwrap_or_default().attachment.unwrap_or_default();
            plain("file", &[&attachment.name, &format!("{} B", attachment.size_bytes), &attachment.url])
        }
        Ok(BodyType::Voice) => {
            let voice = proto::Voice::decode(body).unwrap_or_default();
            let url = voice.attachment.unwrap_or_default().url;
            plain("voice", &[&format!("{} s", voice.duration_ms.div_ceil(1000)), &url])
        }
        Ok(BodyType::Location) => {
            let place = proto::Location::decode(body).unwrap_or_default();
            let degrees = format!("{:.5}, {:.5}", place.latitude_deg, place.longitude_deg);
            plain("location", &[&place.name, &place.address, &degrees])
        }
        Ok(BodyType::Card) => {
            let card = proto::Card::decode(body).unwrap_or_default();
            plain("card", &[&card.title, &card.text, &card.url])
        }
        Ok(BodyType::Custom) => plain("custom", &[projection, &format!("{} B", body.len())]),
        Ok(BodyType::Ciphertext) => plain("encrypted", &[&format!("{} B", body.len())]),
        Err(_) => plain("unknown", &[projection, &format!("{} B", body.len())]),
    }
}

/// The message in one line of text and, if it has more lines, indented below.
pub fn line(entry: &proto::Entry, with: &Peer, me: &str, zone: &TimeZone) -> String {
    let time = local_time::date_time(entry.server_time_ms, zone);
    let shown = peer::shown(with);
    if let Some(happened) = happening::told(entry, &happening::EN) {
        return format!("{time} #{seq} {shown}: [{happened}]", seq = entry.seq);
    }
    let (from, to) = match with {
        _ if entry.own => (me, shown.as_str()),
        Peer::Person(_) => (shown.as_str(), me),
        Peer::Group(_) => (entry.sender.as_str(), shown.as_str()),
    };
    let words = if entry.recalled {
        "[recalled]".to_owned()
    } else {
        body_words(entry.r#type, &entry.body, &entry.text).replace('\n', "\n    ")
    };
    let edited = if entry.edited && !entry.recalled { " (edited)" } else { "" };
    format!("{time} #{seq} {from} → {to}: {words}{edited}", seq = entry.seq)
}

/// The message as an object whose keys stay.
pub fn json_of(entry: &proto::Entry, with: &Peer, me: &str) -> Value {
    let kind = BodyType::try_from(entry.r#type).map_or("unknown", |kind| kind_name(kind));
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);
    set(peer::json_key(with), with.name().into());
    set("seq", entry.seq.into());
    let from = match with {
        _ if entry.own => me,
        Peer::Person(name) => name,
        Peer::Group(_) => &entry.sender,
    };
    set("from", from.into());
    set("own", entry.own.into());
    set("time", local_time::rfc3339(entry.server_time_ms).into());
    set("time_ms", entry.server_time_ms.into());
    set("type", kind.into());
    set("recalled", entry.recalled.into());
    set("edited", entry.edited.into());
    if let Some(happened) = happening::told(entry, &happening::EN) {
        set("happened", happened.into());
    } else if !entry.recalled {
        match BodyType::try_from(entry.r#type) {
            Ok(BodyType::Text) => set("text", String::from_utf8_lossy(&entry.body).into()),
            _ => set("body_hex", hex(&entry.body).into()),
        };
    }
    if !entry.mentions.is_empty() {
        set("mentions", entry.mentions.clone().into());
    }
    if entry.mention_all {
        set("mention_all", true.into());
    }
    if entry.reply_to > 0 {
        set("reply_to", entry.reply_to.into());
    }
    if !entry.client_message_id.is_empty() {
        set("client_message_id", hex(&entry.client_message_id).into());
    }
    if !entry.reactions.is_empty() {
        let reactions = entry.reactions.iter();
        let told = reactions.map(|given| json!({"name": given.name, "count": given.count, "own": given.own}));
        set("reactions", told.collect());
    }
    Value::Object(object)
}

fn kind_name(kind: BodyType) -> &'static str {
    match kind {
        BodyType::Text => "text",
        BodyType::Image => "image",
        BodyType::File => "file",
        BodyType::Voice => "voice",
        BodyType::Location => "location",
        BodyType::Card => "card",
        BodyType::Custom => "custom",
        BodyType::Ciphertext => "ciphertext",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: &str) -> proto::Entry {
        proto::Entry {
            seq: 7,
            body: body.as_bytes().to_vec().into(),
            server_time_ms: 1_762_041_600_000,
            ..Default::default()
        }
    }

    #[test]
    fn a_message_is_told_in_words() {
        let told = |entry: &proto::Entry| line(entry, &"bob".into(), "alice", &TimeZone::UTC);
        assert_eq!(told(&entry("hi\nyou\u{1b}")), "2025-11-02 00:00:00 #7 bob → alice: hi\n    you\u{FFFD}");
        let own = proto::Entry { own: true, edited: true, ..entry("hi") };
        assert_eq!(told(&own), "2025-11-02 00:00:00 #7 alice → bob: hi (edited)");
        let gone = proto::Entry { recalled: true, ..entry("") };
        assert_eq!(told(&gone), "2025-11-02 00:00:00 #7 bob → alice: [recalled]");
    }

    #[test]
    fn in_a_group_its_sender_is_named() {
        let with = Peer::group_of("spring");
        let said = proto::Entry { sender: "bob".into(), mentions: vec!["alice".into()], ..entry("hi") };
        assert_eq!(line(&said, &with, "alice", &TimeZone::UTC), "2025-11-02 00:00:00 #7 bob → #spring: hi");
        let told = json_of(&said, &with, "alice");
        assert_eq!(
            (&told["group"], &told["from"], &told["mentions"][0]),
            (&"spring".into(), &"bob".into(), &"alice".into())
        );
        let what = Some(proto::group_event::What::Dissolved(true));
        let event = proto::Entry { event: Some(proto::GroupEvent { what }), body: bytes::Bytes::new(), ..said };
        let line = line(&event, &with, "alice", &TimeZone::UTC);
        assert_eq!(line, "2025-11-02 00:00:00 #7 #spring: [bob ended the group]");
        assert_eq!(json_of(&event, &with, "alice")["happened"], "bob ended the group");
    }

    #[test]
    fn typed_bodies_are_named() {
        let card = proto::Card { title: "Tea".into(), url: "https://x".into(), ..Default::default() };
        assert_eq!(body_words(BodyType::Card.into(), &card.encode_to_vec(), ""), "[card] Tea · https://x");
        assert_eq!(body_words(BodyType::Ciphertext.into(), &[1, 2], ""), "[encrypted] 2 B");
        assert_eq!(body_words(BodyType::Image.into(), &[0xFF], ""), "[image]");
        assert_eq!(body_words(99, &[1], "poll"), "[unknown] poll · 1 B");
    }

    #[test]
    fn json_holds_what_the_message_holds() {
        let reactions = vec![proto::Reaction { name: "👍".into(), count: 2, own: true, users: Vec::new() }];
        let entry = proto::Entry { reply_to: 3, reactions, ..entry("hi") };
        let expected = json!({
            "conversation": "bob", "seq": 7, "from": "bob", "own": false, "time": "2025-11-02T00:00:00.000Z",
            "time_ms": 1_762_041_600_000_u64, "type": "text", "text": "hi", "recalled": false, "edited": false,
            "reply_to": 3, "reactions": [{"name": "👍", "count": 2, "own": true}],
        });
        assert_eq!(json_of(&entry, &"bob".into(), "alice"), expected);
    }
}
