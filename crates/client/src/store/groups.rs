//! The rows of groups, and how the two kinds of peers share a column: names have no `#`, so a group's id with one before it
//! is nobody's name.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};

use super::StoreError;
use super::sqlite::{decode, execute, put_covered, seq, signed};
use crate::core::peer::Peer;
use crate::core::rows::GroupRow;
use prost::Message as _;

const GROUP_MARK: char = '#';

/// Since version 2 of the tables.
pub(super) const SCHEMA: &str = "
    CREATE TABLE group_row (
        name TEXT PRIMARY KEY,
        told BLOB NOT NULL,
        cursor INTEGER NOT NULL,
        counted_seq INTEGER NOT NULL,
        acked_seq INTEGER NOT NULL
    ) WITHOUT ROWID;
";

impl ToSql for Peer {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        match self {
            Self::Person(name) => name.to_sql(),
            Self::Group(name) => Ok(format!("{GROUP_MARK}{name}").into()),
        }
    }
}

impl FromSql for Peer {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str().map_err(|_| FromSqlError::InvalidType)?;
        Ok(name.strip_prefix(GROUP_MARK).map_or_else(|| Self::from(name), Self::group_of))
    }
}

pub(super) fn put(connection: &Connection, row: &GroupRow) -> Result<(), rusqlite::Error> {
    let GroupRow { group, cursor, counted_seq, acked_seq, covered } = row;
    execute(
        connection,
        "INSERT OR REPLACE INTO group_row VALUES (?1, ?2, ?3, ?4, ?5)",
        params![group.group, group.encode_to_vec(), signed(*cursor), signed(*counted_seq), signed(*acked_seq)],
    )?;
    put_covered(connection, &Peer::group_of(&group.group), covered)
}

/// All groups, without what is covered of each.
pub(super) fn all(connection: &Connection) -> Result<Vec<GroupRow>, StoreError> {
    let mut statement = connection.prepare("SELECT told, cursor, counted_seq, acked_seq FROM group_row")?;
    let mut rows = statement.query([])?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        let (cursor, counted_seq, acked_seq) = (seq(row, 1)?, seq(row, 2)?, seq(row, 3)?);
        let group = decode(row.get(0)?, "group")?;
        groups.push(GroupRow { group, cursor, counted_seq, acked_seq, covered: Vec::new() });
    }
    Ok(groups)
}
