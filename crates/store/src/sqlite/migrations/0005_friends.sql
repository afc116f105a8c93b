-- Friends, groupings, profiles.

-- What is between the two: 1: friends, 2: low has asked high, 3: high has asked low. `asked` is when.
ALTER TABLE conversation ADD COLUMN bond INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;

-- Counter 8 numbers the changes of relations, groupings and profiles.
INSERT INTO counter (kind, next) VALUES (8, 1);

-- What a user has about another; it follows from the row of the two's conversation. tie: 1 friend, 2 the user has asked,
-- 3 the other asks. `befriended` is the version at which they became friends, 0 if they are none. A row of which nothing is
-- left stays, so that devices learn that.
CREATE TABLE relation (
    user       INTEGER NOT NULL,
    other      INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    befriended INTEGER NOT NULL,
    tie        INTEGER NOT NULL,
    blocked    INTEGER NOT NULL,
    remark     TEXT NOT NULL,
    grouping   INTEGER NOT NULL,
    text       TEXT NOT NULL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (user, other)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX relation_version ON relation (user, version);
CREATE INDEX relation_tie ON relation (user, tie, time);

-- `list` is JSON: [{"id": 1, "name": "family"}].
CREATE TABLE groupings (
    user    INTEGER NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    list    TEXT NOT NULL
) STRICT;

-- gender: 1 female, 2 male, 3 other. birthday: 20010131, 0 not told. policy: 0 ask me, 1 allow all, 2 deny all. *_to:
-- 0 everybody, 1 friends, 2 nobody. `policy_version` counts the changes of `policy`: decisions rest on it.
CREATE TABLE profile (
    user           INTEGER NOT NULL PRIMARY KEY,
    version        INTEGER NOT NULL UNIQUE,
    policy_version INTEGER NOT NULL,
    nickname       TEXT NOT NULL,
    avatar         TEXT NOT NULL,
    gender         INTEGER NOT NULL,
    birthday       INTEGER NOT NULL,
    intro          TEXT NOT NULL,
    policy         INTEGER NOT NULL,
    presence_to    INTEGER NOT NULL,
    last_seen_to   INTEGER NOT NULL
) STRICT;

-- In inbox, kind 11: something about the bond with the user `at`, payload one byte; kind 12: the user's own lists have changed,
-- `at` is the version. Rows of kind 12 belong to no conversation: it is 0.

-- The blocks that there are already.
INSERT INTO relation (user, other, version, befriended, tie, blocked, remark, grouping, text, time)
    SELECT user, other, row_number() OVER (ORDER BY user, other), 0, 0, 1, '', 0, '', 0
    FROM (SELECT low AS user, high AS other FROM conversation WHERE blocked & 1
          UNION ALL SELECT high, low FROM conversation WHERE blocked & 2);
UPDATE counter SET next = 1 + (SELECT count(*) FROM relation) WHERE kind = 8;
