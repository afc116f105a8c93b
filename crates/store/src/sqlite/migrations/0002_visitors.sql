-- Visitors: users without an account, whose names begin with '~'.

-- Visitors may write to this user. access_version is raised when that is taken away, and when a visitor turns out to be an
-- account: decisions about their conversations rest on it.
ALTER TABLE user ADD COLUMN takes_visitors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user ADD COLUMN access_version INTEGER NOT NULL DEFAULT 0;

-- 1: low is a visitor, 2: high is.
ALTER TABLE conversation ADD COLUMN visitor INTEGER NOT NULL DEFAULT 0;

-- In inbox, kind 3: the visitor of the conversation turned out to be an account; payload the two users. An account has such a
-- row, and with it one in user_conversation, for conversations that it is not in itself.

-- `account` is the user that the visitor turned out to be.
CREATE TABLE visitor (
    user        INTEGER NOT NULL PRIMARY KEY,
    first_visit INTEGER NOT NULL,
    last_visit  INTEGER NOT NULL,
    visits      INTEGER NOT NULL,
    page        TEXT NOT NULL,
    referrer    TEXT NOT NULL,
    account     INTEGER
) STRICT;
