-- Rooms and their logs. Ids are of the same counter as those of conversations, and keys of de-duplication are in
-- `message_key`.

-- A removed room keeps its row, so that its name is never given again.
CREATE TABLE room (
    id            INTEGER NOT NULL PRIMARY KEY,
    app           INTEGER NOT NULL,
    name          TEXT NOT NULL,
    created       INTEGER NOT NULL,
    removed       INTEGER,
    head_seq      INTEGER NOT NULL DEFAULT 0,
    message_count INTEGER NOT NULL DEFAULT 0,
    low_seq       INTEGER NOT NULL DEFAULT 1,
    UNIQUE (app, name)
) STRICT;

-- Clustered: what is said in a room lands at few places, and is read by page. Text only. `name` is the sender's at that
-- time. flags: 4 silent, 8 uncounted, as in `message`.
CREATE TABLE room_message (
    room          INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    sender        INTEGER NOT NULL,
    client_id     BLOB NOT NULL,
    name          TEXT NOT NULL,
    time          INTEGER NOT NULL,
    message_count INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    reply_to      INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    body          BLOB NOT NULL,
    PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;
