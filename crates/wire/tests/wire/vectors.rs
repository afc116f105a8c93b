//! `proto/vectors/*.json`: what every implementation of the protocol must agree on, byte for byte. These tests hold
//! this crate against the files; with `HONGYAN_WRITE_VECTORS=1` they write them first, from the examples' JSON
//! (messages) and from fixed keys (transcripts). The expected bytes come from other code than what is tested wherever
//! there is some: a reflective protobuf codec, and Noise with its default primitives.

use std::path::PathBuf;

use hongyan_wire::command::{Kind, Operation};
use hongyan_wire::frame::{HEADER_BYTES, Header};
use hongyan_wire::noise::{self, ResumeProof};
use hongyan_wire::{Command, Connection, Event, Millis, limits, proto};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use crate::pair::*;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../proto", name].iter().collect()
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(path("vectors").join(name)).expect("the file is committed");
    serde_json::from_str(&text).expect("the file is JSON")
}

/// Compares a file with what it should be, or writes it.
fn check(name: &str, value: &Value) {
    if std::env::var_os("HONGYAN_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(value).expect("a value is JSON") + "\n";
        std::fs::write(path("vectors").join(name), text).expect("the folder can be written");
    }
    let same = read(name) == *value;
    assert!(same, "{name} differs; if that is meant: HONGYAN_WRITE_VECTORS=1 cargo test -p hongyan-wire vectors");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hex is a string").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub fn name(operation: Operation) -> String {
    let words = format!("{operation:?}");
    let mut name = String::new();
    for letter in words.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn command_name(command: Command) -> String {
    let kind = ["R", "A", "N"][command.kind as usize - 1];
    format!("{}.{kind}", name(command.operation))
}

#[test]
fn commands() {
    let all = Operation::ALL
        .iter()
        .flat_map(|&operation| [Kind::Request, Kind::Answer, Kind::Notify].map(|kind| Command { kind, operation }));
    let commands: Vec<_> = all
        .filter(|command| command.exists())
        .map(|command| json!({ "name": command_name(command), "number": command.number() }))
        .collect();
    let codes: Vec<_> = (0..)
        .map_while(|number| proto::RefusalCode::try_from(number).ok())
        .map(|code| json!({ "name": code.as_str_name(), "number": i32::from(code) }))
        .collect();
    check(
        "commands.json",
        &json!({
            "about": "Every packet of the protocol with the number in the frame header, and every refusal code.",
            "commands": commands,
            "refusals": codes,
        }),
    );
}

#[test]
fn frame_headers() {
    let header = |encrypted, command: Command, length| {
        let header = Header { encrypted, command: command.number(), length };
        json!({
            "hex": hex(&header.encode()), "flags": header.flags(), "command": header.command,
            "name": command_name(command), "length": length,
        })
    };
    let valid = [
        header(false, Command::request(Operation::Handshake), 52),
        header(false, Command::answer(Operation::Resume), 4_000),
        header(true, LOGIN, 100),
        header(true, SEND, limits::FRAME_BODY_BYTES_MAX),
        header(true, Command::notify(Operation::Message), 21),
    ];
    let invalid = [
        ("00000002 4859494d 00010001 00000034", 4_096, "UnsupportedVersion"),
        ("00000000 4859494d 00010001 00000034", 4_096, "UnsupportedVersion"),
        ("47455420 2f204854 54502f31 2e310d0a", 4_096, "BadMagic"),
        ("00000001 4859494e 00010001 00000034", 4_096, "BadMagic"),
        ("00000201 4859494d 00010001 00000034", 4_096, "ReservedBits"),
        ("00000401 4859494d 00010001 00000034", 4_096, "ReservedBits"),
        ("00010001 4859494d 00010001 00000034", 4_096, "ReservedBits"),
        ("01000001 4859494d 00010001 00000034", 4_096, "ReservedBits"),
        ("00000001 4859494d 00010001 00001001", 4_096, "TooBig"),
        ("00000101 4859494d 00010010 00010000", 65_535, "TooBig"),
        ("00000101 4859494d 00010010 ffffffff", 65_535, "TooBig"),
    ]
    .map(|(hex, body_bytes_max, violation)| {
        json!({ "hex": hex.replace(' ', ""), "body_bytes_max": body_bytes_max, "violation": violation })
    });
    let file = json!({
        "about": "16-byte frame headers: what they mean, and those that must be refused (PROTOCOL.md, Frames).",
        "valid": valid, "invalid": invalid,
    });
    check("frames.json", &file);

    let decode = |vector: &Value, max| {
        Header::decode(unhex(&vector["hex"]).first_chunk().expect("16 bytes"), max)
            .map_err(|error| format!("{error:?}"))
    };
    for vector in file["valid"].as_array().expect("a list") {
        let header = decode(vector, limits::FRAME_BODY_BYTES_MAX).expect("it is valid");
        assert_eq!(
            json!([header.flags(), header.command, header.length]),
            json!([vector["flags"], vector["command"], vector["length"]])
        );
    }
    for vector in file["invalid"].as_array().expect("a list") {
        let max = vector["body_bytes_max"].as_u64().expect("a number") as usize;
        assert_eq!(decode(vector, max), Err(vector["violation"].as_str().expect("a name").into()), "{vector}");
    }
}

/// Decodes and encodes with the generated type of that name.
fn again(message: &str, bytes: &[u8]) -> Vec<u8> {
    macro_rules! types {
        ($($name:ident)*) => {
            match message {
                $(stringify!($name) => proto::$name::decode(bytes).expect("it decodes").encode_to_vec(),)*
                other => panic!("{other} is not listed here"),
            }
        };
    }
    types! {
        AckAnswer AckRequest AddFriendAnswer AddFriendRequest Attachment BlockAnswer BlockRequest Card Change
        ChangeAnswer ChangeGroupAnswer ChangeGroupRequest ClaimVisitorAnswer ClaimVisitorRequest Claimed CloseNotify
        Conversation ConversationsAnswer ConversationsRequest CreateGroupAnswer CreateGroupRequest DecideFriendAnswer
        DecideFriendRequest DeleteAnswer DeleteRequest Deletion EditRequest EnterRoomAnswer EnterRoomRequest Entry
        File FoundMessage FriendEvent GetPresenceAnswer GetPresenceRequest GoawayNotify Gone Group GroupAckAnswer
        GroupAckRequest GroupAdmission GroupAsking GroupCursor GroupEvent GroupMember GroupMembersAnswer
        GroupMembersRequest GroupMute GroupNothing GroupNotify GroupPeople GroupPin GroupPolicies GroupProfile
        GroupReceiptsAnswer GroupReceiptsRequest GroupRoleOf GroupSilence GroupUsers Grouping Groupings GroupsAnswer
        GroupsRequest HandshakeAnswer HandshakeRequest HintNotify HistoryAnswer HistoryRequest Image InboxEntry
        JoinGroupAnswer JoinGroupRequest KeepaliveAnswer KeepaliveRequest KickoutNotify LeaveRoomAnswer
        LeaveRoomRequest ListsAnswer ListsChanged ListsRequest Location LoginAnswer LoginRequest LogoutAnswer
        LogoutRequest MarkReadAnswer MarkReadRequest Membership MessageNotify NoteFriendAnswer NoteFriendRequest
        OwnProfile PasswordCredential Presence PresenceNotify Profile ProfileWish ProfilesAnswer ProfilesRequest
        ReactRequest Reaction ReadMark RecallRequest Receipt ReceiptNotify ReceiptsAnswer ReceiptsRequest Refusal
        RekeyNotify Relation RemoveFriendAnswer RemoveFriendRequest ResumeAnswer ResumeOffer ResumeRequest
        ResumeResult RoomNotify SearchAnswer SearchRequest SendAnswer SendRequest SetGroupingsAnswer
        SetGroupingsRequest SetPresenceAnswer SetPresenceRequest SetProfileAnswer SetProfileRequest SyncAnswer
        SyncRequest TextRange TypingAnswer TypingNotify TypingRequest Visitor VisitorCredential Voice WatchAnswer
        WatchRequest
    }
}

/// `messages.json` with the bytes that a reflective codec makes of each example's JSON.
fn messages_by_reflection() -> (DescriptorPool, Value) {
    let sources = ["body", "friend", "group", "link", "message", "presence", "refusal", "search"]
        .map(|file| path(&format!("hongyan/v1/{file}.proto")));
    let descriptors = protox::compile(sources, [path("")]).expect("the .proto files compile");
    let pool = DescriptorPool::from_file_descriptor_set(descriptors).expect("the descriptors fit together");
    let mut file = read("messages.json");
    for example in file["messages"].as_array_mut().expect("a list") {
        let name = format!("hongyan.v1.{}", example["message"].as_str().expect("a name"));
        let descriptor = pool.get_message_by_name(&name).expect("the message exists");
        let message = DynamicMessage::deserialize(descriptor, &example["json"]).expect("the JSON fits the message");
        example["hex"] = hex(&message.encode_to_vec()).into();
    }
    (pool, file)
}

#[test]
fn messages() {
    let (pool, file) = messages_by_reflection();
    let mut missing: Vec<_> = pool.all_messages().map(|message| message.name().to_owned()).collect();
    for example in file["messages"].as_array().expect("a list") {
        let (message, bytes) = (example["message"].as_str().expect("a name"), unhex(&example["hex"]));
        // The order of fields is no part of the protocol: a field of a `oneof` may come elsewhere than its number says.
        let descriptor = pool.get_message_by_name(&format!("hongyan.v1.{message}")).expect("the message exists");
        let again = DynamicMessage::decode(descriptor, &again(message, &bytes)[..]).expect("what was encoded decodes");
        assert_eq!(again.encode_to_vec(), bytes, "{message}");
        missing.retain(|name| name != message);
    }
    check("messages.json", &file);
    assert_eq!(missing, [""; 0], "every message has an example");
}

#[test]
fn resume_keys() {
    let cases = [([0x44; 32], 1), ([0x44; 32], 2), ([0x44; 32], u32::MAX), ([0; 32], 1)];
    let vectors = cases.map(|(secret, epoch)| {
        let proof = ResumeProof { ticket: &[], epoch, secret: &secret };
        json!({ "resume_secret": hex(&secret), "epoch": epoch, "psk": hex(&proof.psk()) })
    });
    check(
        "psk.json",
        &json!({
            "about": "psk = HKDF-SHA-256(ikm = resume_secret, no salt, info = \"hongyan resume\" || epoch as u32 \
                      big-endian), 32 bytes.",
            "vectors": vectors,
        }),
    );
}

#[test]
fn proofs_over_tls() {
    let vectors = [(1, TICKET, offer().encode_to_vec()), (u32::MAX, b"t", Vec::new())].map(|(epoch, ticket, offer)| {
        let proof = ResumeProof { ticket, epoch, secret: &RESUME_SECRET };
        json!({ "resume_secret": hex(&RESUME_SECRET), "epoch": epoch, "ticket": hex(ticket), "offer": hex(&offer),
            "proof": hex(&proof.over_tls(&offer)) })
    });
    check(
        "proof.json",
        &json!({
            "about": "proof = HMAC-SHA-256(resume_secret, \"hongyan resume over TLS\" || epoch as u32 big-endian || \
                      length of ticket as u32 big-endian || ticket || offer).",
            "vectors": vectors,
        }),
    );
}

/// A recorded conversation: what each end said, and the bytes that carried it.
struct Transcript {
    client: Connection,
    server: Connection,
    now: Millis,
    steps: Vec<Value>,
}

impl Transcript {
    fn clear(&mut self, from: &str, command: Command, frame: &[u8]) {
        let body = &frame[HEADER_BYTES..];
        self.steps.push(json!({ "from": from, "name": command_name(command), "body": hex(body), "frame": hex(frame) }));
    }

    /// Sends one frame (and REKEY.N before it, if it is due), and records what went over the wire.
    fn encrypted(&mut self, from: &str, command: Command, body: &[u8]) {
        let mut bytes = Vec::new();
        let (sender, receiver) = match from {
            "client" => (&mut self.client, &mut self.server),
            _ => (&mut self.server, &mut self.client),
        };
        sender.write(command, body, self.now, &mut bytes).expect("keys are agreed");
        let received = receiver.receive(self.now, &mut &bytes[..], &mut Vec::new());
        assert!(matches!(received, Ok(Some(Event::Frame(heard, ref said))) if heard == command && said == body));
        for frame in frames(&bytes) {
            let header = Header::decode(frame.first_chunk().expect("a header"), usize::MAX).expect("it was written");
            let command = Command::from_number(header.command).expect("it was written");
            let body = if command.operation == Operation::Rekey { &[] } else { body };
            self.steps.push(json!({
                "from": from, "name": command_name(command), "body": hex(body), "frame": hex(&frame),
                "plaintext": hex(&[&[header.flags()], &header.command.to_be_bytes()[..], body].concat()),
            }));
        }
    }

    /// What follows once keys are agreed, the same after login and resume: a message, and a change of both keys.
    fn talk(&mut self) {
        self.encrypted("client", SEND, &example("SendRequest"));
        self.encrypted("server", Command::answer(Operation::Send), &example("SendAnswer"));
        self.now = self.now + limits::REKEY_AFTER;
        self.encrypted("client", KEEPALIVE, &example("KeepaliveRequest"));
        self.encrypted("server", Command::answer(Operation::Keepalive), &example("KeepaliveAnswer"));
        self.encrypted("client", Command::request(Operation::Logout), &example("LogoutRequest"));
    }

    /// Reads the recorded frames with Noise's default primitives: nothing of this crate's encryption is used.
    fn verify(&self, mut client: snow::HandshakeState, mut server: snow::HandshakeState, first: &[u8], second: &[u8]) {
        let (mut message, mut buffer) = (vec![0; 65_535], vec![0; 65_535]);
        let length = client.write_message(first, &mut message).expect("message 1");
        let said = server.read_message(&message[..length], &mut buffer).expect("message 1");
        assert_eq!(&buffer[..said], first);
        assert!(self.steps[0]["body"].as_str().is_some_and(|body| body.ends_with(&hex(&message[..length]))));
        let length = server.write_message(second, &mut message).expect("message 2");
        let said = client.read_message(&message[..length], &mut buffer).expect("message 2");
        assert_eq!(&buffer[..said], second);
        assert!(self.steps[1]["body"].as_str().is_some_and(|body| body.ends_with(&hex(&message[..length]))));
        let mut client = client.into_transport_mode().expect("the handshake is over");
        let mut server = server.into_transport_mode().expect("the handshake is over");
        for step in self.steps.iter().filter(|step| step["plaintext"].is_string()) {
            let reader = if step["from"] == "client" { &mut server } else { &mut client };
            let frame = unhex(&step["frame"]);
            let length = reader.read_message(&frame[HEADER_BYTES..], &mut buffer).expect("it decrypts");
            assert_eq!(json!(hex(&buffer[..length])), step["plaintext"]);
            if step["name"] == "REKEY.N" {
                reader.rekey_incoming();
            }
        }
    }
}

/// The bytes of the first example of a message.
fn example(message: &str) -> Vec<u8> {
    let (_, file) = messages_by_reflection();
    let examples = file["messages"].as_array().expect("a list");
    unhex(&examples.iter().find(|example| example["message"] == message).expect("it has an example")["hex"])
}

const NK: &str = "Noise_NK_25519_ChaChaPoly_BLAKE2s";
const NK_PSK0: &str = "Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s";

/// Both ends of a handshake with fixed keys and Noise's default primitives.
fn plain_noise(pattern: &str, prologue: &[u8], psk: Option<&[u8; 32]>) -> (snow::HandshakeState, snow::HandshakeState) {
    let builder = |ephemeral| {
        let builder = snow::Builder::new(pattern.parse().expect("a pattern")).prologue(prologue).expect("once");
        let builder = builder.fixed_ephemeral_key_for_testing_only(ephemeral);
        psk.into_iter().fold(builder, |builder, psk| builder.psk(0, psk).expect("once"))
    };
    let key = key();
    let client = builder(&CLIENT_EPHEMERAL).remote_public_key(key.public()).expect("once").build_initiator();
    let server = builder(&SERVER_EPHEMERAL).local_private_key(&SERVER_SECRET).expect("once").build_responder();
    (client.expect("all parameters are given"), server.expect("all parameters are given"))
}

fn keys() -> Value {
    json!({
        "server_secret": hex(&SERVER_SECRET), "server_public": hex(key().public()),
        "client_ephemeral_secret": hex(&CLIENT_EPHEMERAL), "server_ephemeral_secret": hex(&SERVER_EPHEMERAL),
    })
}

#[test]
fn login_transcript() {
    let (now, mut request, mut answer) = (Millis(0), Vec::new(), Vec::new());
    let client = Connection::client_login(key().public(), CLIENT_EPHEMERAL, now, &mut request);
    let mut transcript = Transcript { client, server: server(now), now, steps: Vec::new() };
    assert!(matches!(transcript.server.receive(now, &mut &request[..], &mut answer), Ok(None)));
    assert!(matches!(transcript.client.receive(now, &mut &answer[..], &mut Vec::new()), Ok(Some(Event::Ready))));
    transcript.clear("client", Command::request(Operation::Handshake), &request);
    transcript.clear("server", Command::answer(Operation::Handshake), &answer);
    transcript.encrypted("client", LOGIN, &example("LoginRequest"));
    transcript.server.set_authenticated();
    transcript.encrypted("server", Command::answer(Operation::Login), &example("LoginAnswer"));
    transcript.client.set_authenticated();
    transcript.talk();
    let prologue = noise::login_prologue();
    let (client, server) = plain_noise(NK, &prologue, None);
    transcript.verify(client, server, &[], &[]);
    check(
        "login.json",
        &json!({
            "about": "A login with fixed keys, a message, and the change of both keys after an hour.",
            "pattern": NK, "prologue": hex(&prologue), "keys": keys(), "steps": transcript.steps,
        }),
    );
}

#[test]
fn resume_transcript() {
    let (now, mut request, mut answer) = (Millis(0), Vec::new(), Vec::new());
    let (offered, result) = (example("ResumeOffer"), example("ResumeResult"));
    let offer = proto::ResumeOffer::decode(&offered[..]).expect("it decodes");
    let client = Connection::client_resume(key().public(), proof(3), &offer, CLIENT_EPHEMERAL, now, &mut request);
    let mut transcript = Transcript { client, server: server(now), now, steps: Vec::new() };
    let server = &mut transcript.server;
    let Ok(Some(Event::Resume { id, ticket, epoch, noise })) = server.receive(now, &mut &request[..], &mut answer)
    else {
        panic!("no resume")
    };
    assert_eq!((id, &ticket[..], epoch), (1, TICKET, 3));
    assert_eq!(server.accept_resume(proof(3), &noise), Ok(offer));
    let result_message = proto::ResumeResult::decode(&result[..]).expect("it decodes");
    server.answer_resume(id, &result_message, now, &mut answer).expect("it was accepted");
    let resumed = transcript.client.receive(now, &mut &answer[..], &mut Vec::new());
    assert!(matches!(resumed, Ok(Some(Event::Resumed(ref said))) if **said == result_message));
    transcript.clear("client", Command::request(Operation::Resume), &request);
    transcript.clear("server", Command::answer(Operation::Resume), &answer);
    transcript.encrypted("client", Command::request(Operation::Ack), &example("AckRequest"));
    transcript.encrypted("server", Command::answer(Operation::Ack), &example("AckAnswer"));
    transcript.talk();
    let (prologue, psk) = (proof(3).prologue(), proof(3).psk());
    let (client, server) = plain_noise(NK_PSK0, &prologue, Some(&psk));
    transcript.verify(client, server, &offered, &result);
    check(
        "resume.json",
        &json!({
            "about": "A resume with fixed keys: RESUME.R carries the ResumeOffer as the payload of Noise message 1, \
                      RESUME.A the ResumeResult as that of message 2; then ACK, a message, and the change of both keys.",
            "pattern": NK_PSK0, "prologue": hex(&prologue), "keys": keys(),
            "resume_secret": hex(&RESUME_SECRET), "epoch": 3, "ticket": hex(TICKET), "psk": hex(&psk),
            "offer": hex(&offered), "result": hex(&result), "steps": transcript.steps,
        }),
    );
}

#[test]
fn transcripts_can_be_read_by_this_version() {
    // What a released version wrote must be read by every later one: only the file counts here.
    for (file, end) in [("login.json", "client"), ("resume.json", "client")] {
        let transcript = read(file);
        let (now, mut server) = (Millis(0), server(Millis(0)));
        let mut said = Vec::new();
        for step in transcript["steps"].as_array().expect("a list").iter().filter(|step| step["from"] == end) {
            let frame = unhex(&step["frame"]);
            let (mut input, mut out) = (&frame[..], Vec::new());
            match server.receive(now + Millis(said.len() as u64 * 3_600_000), &mut input, &mut out) {
                Ok(Some(Event::Resume { id, noise, .. })) => {
                    server.accept_resume(proof(3), &noise).expect("the proof is right");
                    let result = proto::ResumeResult::decode(&unhex(&transcript["result"])[..]).expect("it decodes");
                    server.answer_resume(id, &result, now, &mut out).expect("it was accepted");
                }
                Ok(Some(Event::Frame(command, body))) => {
                    assert_eq!(json!(command_name(command)), step["name"]);
                    assert_eq!(json!(hex(&body)), step["body"]);
                    said.push(command);
                    if command == LOGIN {
                        server.set_authenticated();
                    }
                }
                Ok(None) => assert!(matches!(step["name"].as_str(), Some("HANDSHAKE.R" | "REKEY.N"))),
                other => panic!("{file}: {other:?}"),
            }
        }
        assert_eq!(said.len(), 4, "{file}");
    }
}
