-- Groups. Their entries are rows of `message`, where low_count counts the countable messages of the row's sender; keys of
-- de-duplication are in `message_key` (those of requests that make a group under conversation 0, with its id as seq); marks
-- and deletions are in `user_conversation`, whose activity stays 0.

-- In groups, JSON: whom a message mentions, or what an entry tells that is no message.
ALTER TABLE message ADD COLUMN extra TEXT;

-- In inbox, kind 4: the user came into the group (`at` 1) or is out of it (0); kind 5: the row `at` mentions the user.

-- Ids are of the same counter as those of conversations. A dissolved group keeps its row, and its log can be read.
CREATE TABLE group_head (
    id                  INTEGER NOT NULL PRIMARY KEY,
    app                 INTEGER NOT NULL,
    name                TEXT NOT NULL,
    created             INTEGER NOT NULL,
    dissolved           INTEGER NOT NULL DEFAULT 0,
    owner               INTEGER NOT NULL,
    title               TEXT NOT NULL DEFAULT '',
    intro               TEXT NOT NULL DEFAULT '',
    avatar              TEXT NOT NULL DEFAULT '',
    announcement        TEXT NOT NULL DEFAULT '',
    link                TEXT NOT NULL DEFAULT '',
    join_policy         INTEGER NOT NULL DEFAULT 0, -- 0 invited, 1 asked, 2 open
    history_policy      INTEGER NOT NULL DEFAULT 0, -- 0 from joining, 1 everything
    members_invite      INTEGER NOT NULL DEFAULT 0,
    muted_all           INTEGER NOT NULL DEFAULT 0,
    pinned              BLOB NOT NULL DEFAULT x'', -- big-endian 64-bit integers
    profile_version     INTEGER NOT NULL DEFAULT 1,
    member_list_version INTEGER NOT NULL DEFAULT 1,
    member_count        INTEGER NOT NULL DEFAULT 0,
    asking_count        INTEGER NOT NULL DEFAULT 0,
    mention_all_seq     INTEGER NOT NULL DEFAULT 0,
    head_seq            INTEGER NOT NULL DEFAULT 0,
    message_count       INTEGER NOT NULL DEFAULT 0,
    low_seq             INTEGER NOT NULL DEFAULT 1,
    gone_count          INTEGER NOT NULL DEFAULT 0,
    change_no           INTEGER NOT NULL DEFAULT 0,
    UNIQUE (app, name)
) STRICT;

-- Who is in. own_count counts their countable messages.
CREATE TABLE group_member (
    grp           INTEGER NOT NULL,
    user          INTEGER NOT NULL,
    role          INTEGER NOT NULL, -- 0 member, 1 admin, 2 owner
    nickname      TEXT NOT NULL DEFAULT '',
    joined        INTEGER NOT NULL,
    muted_until   INTEGER NOT NULL DEFAULT 0,
    mentioned_seq INTEGER NOT NULL DEFAULT 0,
    own_count     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (grp, user)
) STRICT, WITHOUT ROWID;

-- What somebody may see: from the first to the last entry of each of their stays; without a last one they are in.
-- from_count counts messages below the first.
CREATE TABLE group_stay (
    grp        INTEGER NOT NULL,
    user       INTEGER NOT NULL,
    from_seq   INTEGER NOT NULL,
    from_count INTEGER NOT NULL,
    to_seq     INTEGER,
    to_count   INTEGER,
    PRIMARY KEY (grp, user, from_seq)
) STRICT, WITHOUT ROWID;

-- Somebody's countable messages, to find how many lie above a mark.
CREATE TABLE group_own (
    grp       INTEGER NOT NULL,
    user      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    own_count INTEGER NOT NULL,
    PRIMARY KEY (grp, user, seq)
) STRICT, WITHOUT ROWID;

-- Requests to join that wait.
CREATE TABLE group_asking (
    grp  INTEGER NOT NULL,
    user INTEGER NOT NULL,
    text TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (grp, user)
) STRICT, WITHOUT ROWID;

-- The groups that somebody is in, or was: follows `group_stay`, at the user's place. change_no is that of the last change of
-- their marks there.
CREATE TABLE user_group (
    user      INTEGER NOT NULL,
    grp       INTEGER NOT NULL,
    member    INTEGER NOT NULL,
    change_no INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, grp)
) STRICT, WITHOUT ROWID;

-- Those who keep order, to be told that somebody asks.
CREATE INDEX group_keeper ON group_member (grp) WHERE role > 0;
