-- Apps, users, sessions, direct conversations, inboxes, the change feed.
--
-- Ids are counter << 10 | virtual shard. Times are milliseconds since 1970, days are days since 1970.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('log_epoch', 1);

-- Next counter by kind of id: 1 app, 2 user, 3 conversation, 4 device. Never goes back.
CREATE TABLE counter (
    kind INTEGER NOT NULL PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT;
INSERT INTO counter (kind, next) VALUES (1, 1), (2, 1), (3, 1), (4, 1);

CREATE TABLE app (
    id       INTEGER NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    settings TEXT NOT NULL, -- JSON
    created  INTEGER NOT NULL
) STRICT;

CREATE TABLE app_key (
    app       INTEGER NOT NULL,
    key_id    TEXT NOT NULL,
    algorithm INTEGER NOT NULL, -- 1 HS256, 2 EdDSA
    material  BLOB NOT NULL,
    created   INTEGER NOT NULL,
    revoked   INTEGER,
    PRIMARY KEY (app, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id            INTEGER NOT NULL PRIMARY KEY,
    app           INTEGER NOT NULL,
    name          TEXT NOT NULL,
    password_hash TEXT,
    disabled      INTEGER NOT NULL DEFAULT 0,
    created       INTEGER NOT NULL,
    UNIQUE (app, name)
) STRICT;

-- Apart from names, because it changes with every message.
CREATE TABLE user_head (
    user       INTEGER NOT NULL PRIMARY KEY,
    inbox_head INTEGER NOT NULL DEFAULT 0,
    inbox_low  INTEGER NOT NULL DEFAULT 1,
    change_no  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE device (
    id           INTEGER NOT NULL PRIMARY KEY,
    user         INTEGER NOT NULL,
    device_id    BLOB NOT NULL,
    term         INTEGER NOT NULL,
    inbox_cursor INTEGER NOT NULL DEFAULT 0,
    used         INTEGER NOT NULL,
    UNIQUE (user, device_id)
) STRICT;

-- `number` is the order of opening. Ended ones stay until no ticket can name them any more.
CREATE TABLE session (
    number   INTEGER NOT NULL PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    app      INTEGER NOT NULL,
    user     INTEGER NOT NULL,
    device   INTEGER NOT NULL,
    term     INTEGER NOT NULL,
    opened   INTEGER NOT NULL, -- when its connection began
    reason   INTEGER, -- NULL alive, 1 same term, 2 revoked, 3 logged out
    ended    INTEGER
) STRICT;
CREATE INDEX session_alive ON session (user) WHERE reason IS NULL;
CREATE INDEX session_ended ON session (ended) WHERE ended IS NOT NULL;

-- A direct conversation of two users, low <= high. low_count counts the countable messages of `low`; those of `high` are
-- the rest. gone_count and gone_low_count are the two counts just below low_seq, where retention has come to.
CREATE TABLE conversation (
    id             INTEGER NOT NULL PRIMARY KEY,
    app            INTEGER NOT NULL,
    low            INTEGER NOT NULL,
    high           INTEGER NOT NULL,
    head_seq       INTEGER NOT NULL DEFAULT 0,
    message_count  INTEGER NOT NULL DEFAULT 0,
    low_count      INTEGER NOT NULL DEFAULT 0,
    access_version INTEGER NOT NULL DEFAULT 0,
    blocked        INTEGER NOT NULL DEFAULT 0, -- 1: low blocks high, 2: high blocks low
    low_seq        INTEGER NOT NULL DEFAULT 1,
    gone_count     INTEGER NOT NULL DEFAULT 0,
    gone_low_count INTEGER NOT NULL DEFAULT 0,
    change_no      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (app, low, high)
) STRICT;

-- In order of arrival: a third less is written than with rows clustered by conversation (design §15).
-- flags: 1 edited, 2 recalled, 4 silent, 8 uncounted, 16 has reactions.
CREATE TABLE message (
    number        INTEGER NOT NULL PRIMARY KEY,
    conversation  INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    sender        INTEGER NOT NULL,
    client_id     BLOB NOT NULL,
    time          INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    low_count     INTEGER NOT NULL,
    seen_seq      INTEGER NOT NULL,
    changed_seq   INTEGER NOT NULL,
    change_of     INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    reply_to      INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    body_type     INTEGER NOT NULL,
    text          TEXT NOT NULL,
    body          BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_place ON message (conversation, seq);

-- De-duplication: who got in gets the same answer again, whatever has become of the message.
CREATE TABLE message_key (
    conversation  INTEGER NOT NULL,
    sender        INTEGER NOT NULL,
    client_id     BLOB NOT NULL,
    digest        INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    inbox_seq     INTEGER NOT NULL,
    time          INTEGER NOT NULL,
    PRIMARY KEY (conversation, sender, client_id)
) STRICT, WITHOUT ROWID;

-- `given` is the entry that announced it.
CREATE TABLE reaction (
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    name         TEXT NOT NULL,
    user         INTEGER NOT NULL,
    given        INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq, name, user)
) STRICT, WITHOUT ROWID;

-- kind 0: the row `at` of the conversation; 1: a read mark at `at`, payload what remained unread; 2: deleted for this user
-- up to `at`, payload single seqs. Payloads are big-endian 64-bit integers. Without a day a row is as old as the one before
-- it.
CREATE TABLE inbox (
    user         INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    day          INTEGER,
    kind         INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    payload      BLOB,
    PRIMARY KEY (user, seq)
) STRICT, WITHOUT ROWID;

-- What a user has in a conversation. `activity` is the newest inbox entry about it.
CREATE TABLE user_conversation (
    user          INTEGER NOT NULL,
    conversation  INTEGER NOT NULL,
    activity      INTEGER NOT NULL DEFAULT 0,
    read_seq      INTEGER NOT NULL DEFAULT 0,
    read_count    INTEGER NOT NULL DEFAULT 0,
    read_own      INTEGER NOT NULL DEFAULT 0,
    delivered_seq INTEGER NOT NULL DEFAULT 0,
    deleted_seq   INTEGER NOT NULL DEFAULT 0,
    deleted_count INTEGER NOT NULL DEFAULT 0,
    deleted_own   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE deletion (
    user         INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (user, conversation, seq)
) STRICT, WITHOUT ROWID;

-- The change feed: one narrow row per commit that moved a head. Its first number is log_epoch << 31, so that numbers of
-- two epochs never meet. The newest row always stays.
CREATE TABLE change (
    no      INTEGER NOT NULL PRIMARY KEY,
    records BLOB NOT NULL
) STRICT;
INSERT INTO change (no, records) VALUES (2147483648, x'');
