-- Lists of words, what became of texts, messages that wait for a review (spec 73).

-- Raised in the same transaction as a list changes, so that whoever reads the app knows of it.
ALTER TABLE app ADD COLUMN words_version INTEGER NOT NULL DEFAULT 0;

-- One row for each class that an app has a list of, one word a line: a list is always read and replaced as a whole, and as rows
-- a hundred thousand words would hold up the writer. The text is the last column, so that heads are read without it.
CREATE TABLE spam_words (
    app     INTEGER NOT NULL,
    class   TEXT NOT NULL,
    version INTEGER NOT NULL,
    words   INTEGER NOT NULL, -- lines
    changed INTEGER NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (app, class)
) STRICT;

-- `digest` is of the folded text, so that the same one is recognised; `excerpt` is the part that was found.
CREATE TABLE spam_audit (
    number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    app     INTEGER NOT NULL,
    user    INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    action  TEXT NOT NULL,
    rule    TEXT NOT NULL,
    digest  INTEGER NOT NULL,
    excerpt TEXT NOT NULL
) STRICT;
CREATE INDEX spam_audit_of ON spam_audit (app, number);

-- A message that waits is in no log and has no number. `place` is the addressee, or the room with its name and that of the
-- sender there. state: 0 waits, 1 released, 2 discarded. flags as in `message`.
CREATE TABLE spam_held (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    app        INTEGER NOT NULL,
    sender     INTEGER NOT NULL,
    client_id  BLOB NOT NULL,
    place      INTEGER NOT NULL,
    room_name  TEXT,
    room_from  TEXT,
    digest     INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    rule       TEXT NOT NULL,
    state      INTEGER NOT NULL DEFAULT 0,
    flags      INTEGER NOT NULL,
    reply_to   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body_type  INTEGER NOT NULL,
    text       TEXT NOT NULL,
    body       BLOB NOT NULL,
    UNIQUE (place, sender, client_id)
) STRICT;
CREATE INDEX spam_held_waits ON spam_held (app, number) WHERE state = 0;
CREATE INDEX spam_held_of ON spam_held (sender) WHERE state = 0;
CREATE INDEX spam_held_time ON spam_held (app, time);
