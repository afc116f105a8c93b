//! The planted bugs, all of them: what is wrong while one is alive, and which promises it may break. Each is one place in
//! the code, behind `hongyan_fault::mutant!`; a test keeps this list and the code together.
//!
//! Names like `open-im-server#320` are reports of the same failure in the field.

use hongyan_checker::Report;

/// A bug that is alive when it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// As in `mutant!("…")`.
    pub name: &'static str,
    /// What is wrong.
    pub story: &'static str,
    /// Which of I1..I14 it may break.
    pub invariants: &'static [&'static str],
}

impl Mutant {
    /// Whether what was found is what the bug may break.
    pub fn explains(&self, report: &Report) -> bool {
        report.by_invariant.iter().any(|(broken, _)| self.invariants.contains(&broken.to_string().as_str()))
    }
}

const fn mutant(name: &'static str, invariants: &'static [&'static str], story: &'static str) -> Mutant {
    Mutant { name, story, invariants }
}

/// By crate, from the wire to the disk.
pub const MUTANTS: &[Mutant] = &[
    // wire
    mutant(
        "length believed",
        &["I12"],
        "A frame is cut out of what has arrived by the length in its header, whether so much has arrived or not \
         (NanoMQ CVE-2026-25627).",
    ),
    // cluster
    mutant(
        "old hold ends new connection",
        &["I1", "I9", "I11"],
        "When the hold of a lost connection is over, its session's route is removed, although the session has long come \
         back on another: it is connected and told nothing (WuKongIM#929, #397).",
    ),
    mutant(
        "suspended is connected",
        &["I9"],
        "A session whose connection is lost counts as connected until its hold is over.",
    ),
    // gate
    mutant(
        "lost connection leaves a ghost",
        &["I9", "I12"],
        "Whose connection is lost is not suspended: table and router keep the session until it comes back, for ever if it \
         was ended meanwhile (open-im-server#3421).",
    ),
    mutant(
        "kicked stays present",
        &["I9", "I12"],
        "A session that was ended is told so and cut, but stays in table and router (open-im-server#3421).",
    ),
    mutant(
        "superseded counted twice",
        &["I12"],
        "A session that comes back before its old connection is known to be gone is counted once more: the count of \
         sessions only grows (open-im-server#3421).",
    ),
    mutant(
        "ack covers what is under way",
        &["I8"],
        "An acknowledgement of some rows is taken for all that were written to the connection, and their authors are \
         told that they were delivered.",
    ),
    mutant(
        "delivered when written",
        &["I8"],
        "Authors are told that a row was delivered when it is written to the reader's connection, not when the reader \
         acknowledges it.",
    ),
    mutant(
        "receipt in inbox numbers",
        &["I8"],
        "A delivered receipt carries the row's number in the reader's inbox instead of its number in the conversation.",
    ),
    mutant(
        "two batches in flight",
        &["I4"],
        "A batch of sends is started although the one before is not answered: they overtake each other on their way to \
         the writer.",
    ),
    mutant(
        "feed tells one device",
        &["I1", "I11"],
        "The change feed's news of an inbox reach only the first of its user's devices: a dropped push is healed on that \
         one alone.",
    ),
    mutant(
        "revoked socket lives on",
        &["I13"],
        "A revocation forbids the session to come back, but its open connection goes on and is told everything \
         (Mattermost CVE-2026-9162).",
    ),
    // logic
    mutant(
        "refused again and overtaken",
        &["I4"],
        "What was sent behind a message that is refused a second time goes through.",
    ),
    mutant(
        "refusal never forgotten",
        &["I11"],
        "After a refusal a client sends nothing new in the conversation, until its connection breaks.",
    ),
    mutant(
        "next message lifts the hold",
        &["I4"],
        "After a retryable refusal any later message of the conversation goes through, not only the refused one: it \
         overtakes it.",
    ),
    mutant(
        "repeat refused",
        &["I1", "I7"],
        "A message that is sent again is judged by today's rights, before anybody looks whether it got in yesterday: its \
         author is told that it was refused, its reader shows it.",
    ),
    mutant(
        "id belongs to the digest",
        &["I1", "I7"],
        "The digest of a request covers its id, which differs on another connection: every repeat is refused as a \
         conflict (openim-sdk-core PR#845).",
    ),
    mutant(
        "block holds for strangers only",
        &["I10"],
        "Blocks are looked at for the first message of a conversation only.",
    ),
    mutant(
        "one cache for all apps",
        &["I1", "I2", "I10"],
        "Users are remembered by name without their app: a message goes to the namesake in another tenant (Centrifugo \
         CVE-2026-49998).",
    ),
    mutant(
        "mark counts for the other",
        &["I14"],
        "A read mark below the head is stored with the other person's count of own messages: what is unread is wrong \
         from then on.",
    ),
    mutant(
        "read told up to the head",
        &["I8"],
        "Whoever reads a part of a conversation is told to have read all of it.",
    ),
    mutant(
        "own reading told as theirs",
        &["I8"],
        "The mark that goes with a message is told to its author's own devices as the other person's.",
    ),
    mutant(
        "receipts of the wrong side",
        &["I8"],
        "Whoever asks after a reconnect how far the other person is gets told how far he is himself.",
    ),
    mutant(
        "end of the page is the end",
        &["I1", "I11"],
        "A page of the inbox says that there is more only if it was cut short itself, not if the inbox goes on behind it.",
    ),
    mutant(
        "missed change comes empty",
        &["I1", "I2"],
        "A page of the inbox does not enclose the changed row: devices that were away when a message was edited or taken \
         back go on showing the old one.",
    ),
    // client
    mutant(
        "cursor over a gap",
        &["I1", "I6"],
        "A push moves the cursor to its own place, whatever is missing below: what was dropped is never asked for \
         (gim#46, open-im-server#320).",
    ),
    mutant(
        "own answer leaps the cursor",
        &["I1", "I6"],
        "The answer to an own message moves the cursor to that message's place: what others wrote just before is taken \
         for known (gim#46).",
    ),
    mutant(
        "gap never asked for",
        &["I1", "I11"],
        "Pushes above a gap are set aside for the missing one, which nobody asks for.",
    ),
    mutant(
        "shown above a gap",
        &["I3", "I4"],
        "Pushes above a gap are shown at once, and again when the gap is closed (open-im-server#320).",
    ),
    mutant("hint ignored", &["I1", "I11"], "The client does nothing when it is told that its inbox goes on."),
    mutant(
        "gap acknowledged",
        &["I8"],
        "The client acknowledges the highest row that it was pushed instead of the last before the first gap.",
    ),
    mutant(
        "overtaken page shown",
        &["I3"],
        "Rows of a page that pushes have brought while it was on its way are shown a second time (tindroid#86).",
    ),
    mutant(
        "own message not recognised",
        &["I3"],
        "An own message whose answer was lost is shown as another device's when the inbox brings it, and then once more \
         when it is sent again (openim-sdk-core PR#845).",
    ),
    mutant(
        "own above a gap forgotten",
        &["I3"],
        "With the connection the client forgets which places above the gap its own messages have: the inbox brings them \
         as somebody else's.",
    ),
    mutant(
        "cursor kept when acknowledged",
        &["I3"],
        "The cursor is written down only with an acknowledgement: after a crash what own messages had moved it over is \
         shown again.",
    ),
    mutant(
        "rows kept one by one",
        &["I3"],
        "What one burst brings is written down in several transactions: a crash between a message and the cursor shows \
         it twice.",
    ),
    mutant(
        "login believes the server's cursor",
        &["I3", "I6"],
        "After a login the client goes back to the cursor that the server remembers, which may be older than its own.",
    ),
    mutant(
        "new id after restart",
        &["I2", "I3", "I7"],
        "A message that waits in the outbox over a restart gets a new id: if it was stored before, it is stored twice \
         (WuKongIM#94).",
    ),
    mutant(
        "outbox numbered by its length",
        &["I1", "I4", "I11"],
        "After a restart the outbox goes on counting from the number of its rows: new messages overtake old ones, or take \
         their places.",
    ),
    mutant(
        "in flight forgotten with the link",
        &["I11"],
        "What was not answered when a connection broke is not sent again on the next.",
    ),
    mutant(
        "sent means done",
        &["I11"],
        "A message leaves the stored outbox when it is sent, not when it is acknowledged: a crash loses it.",
    ),
    mutant(
        "read mark not repeated",
        &["I14"],
        "A read mark that was lost with its connection waits for the next mark instead of being sent again.",
    ),
    mutant(
        "counted twice",
        &["I14"],
        "Messages that the server's list has counted are counted again when the inbox brings them.",
    ),
    mutant(
        "receipt goes down",
        &["I8"],
        "The last word about how far the other person is counts, not the highest: an older answer overwrites a newer \
         push.",
    ),
    mutant(
        "dial without end",
        &["I11", "I12"],
        "A dial that is never answered is never given up: the device stays down for good.",
    ),
    // The simulator's store
    mutant(
        "ack before sync",
        &["I1", "I5", "I7"],
        "A commit is told and answered before the disk has synced it (nats-server#7564).",
    ),
    mutant(
        "push before commit",
        &["I1", "I2", "I5", "I8"],
        "A commit is told to devices before it is durable, and not again afterwards (EMQX CVE-2026-8741).",
    ),
    mutant(
        "hidden messages change visibly",
        &["I12", "I3"],
        "Whoever has deleted a message for themselves is pushed the whole of it again when somebody reacts to it.",
    ),
    mutant("no deduplication", &["I3", "I7"], "A repeated message is stored again under another number (WuKongIM#94)."),
    mutant(
        "number from a cache",
        &["I5"],
        "A number is drawn before it is known whether the entry gets in: a refusal leaves a hole (open-im-server#3249).",
    ),
    mutant(
        "number reused after restart",
        &["I4", "I5"],
        "After a restart the last number of every conversation is given a second time (turms#1569).",
    ),
    mutant("kick forgotten", &["I9", "I12", "I13"], "A login ends no earlier session of its device or term."),
    mutant(
        "double kick",
        &["I11", "I12", "I13"],
        "A login that ends an earlier session ends itself with it (open-im-server#3449).",
    ),
    mutant(
        "old session kept during a login",
        &["I12"],
        "A client whose login was not answered resumes the session that the login has ended, and takes it for revoked.",
    ),
    mutant("read mark goes back", &["I14"], "A read mark moves to wherever was asked last, downwards too."),
    mutant("unread off by one", &["I14"], "What is unread above a read mark is one too many."),
    mutant("recall keeps body", &["I2"], "A message that was taken back keeps its body."),
    mutant("feed forgets", &["I1", "I11"], "The change feed does not name the inboxes that have grown."),
    mutant("inbox skips a row", &["I1", "I5", "I11", "I12"], "A page of the inbox leaves its second row out."),
    // The embedded store
    mutant(
        "publish before commit",
        &["I1", "I2", "I5"],
        "The embedded store tells devices before COMMIT has returned (EMQX CVE-2026-8741).",
    ),
    mutant(
        "answer before sync",
        &["I1", "I5", "I12"],
        "The embedded store answers before the disk is synced: synchronous = normal (nats-server#7564).",
    ),
];
