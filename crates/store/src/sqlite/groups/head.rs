//! The row of a group: what every entry moves, and what decisions rest on. Who caches it for the time of one transaction
//! is [`super::super::batch`].

use hongyan_domain::group::{Facts, HistoryPolicy, JoinPolicy, Policies, Profile};
use hongyan_domain::id::{AppId, ConversationId, UserId};
use hongyan_domain::name::Name;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::accounts::name_from_text;
use super::super::fault::{Fault, Result};
use super::super::marks::{bytes_to_numbers, numbers_to_bytes};

/// A group's row.
#[derive(Clone, Debug)]
pub(in crate::sqlite) struct GroupHead {
    pub id: ConversationId,
    pub name: Name,
    pub owner: UserId,
    pub profile: Profile,
    pub announcement: String,
    pub profile_version: u64,
    pub member_list_version: u64,
    pub mention_all_seq: u64,
    pub head_seq: u64,
    pub message_count: u64,
    pub low_seq: u64,
    pub gone_count: u64,
    pub change_no: u64,
    pub facts: Facts,
}

const LOAD: &str = "SELECT id, name, owner, title, intro, avatar, announcement, profile_version, \
     member_list_version, mention_all_seq, head_seq, message_count, low_seq, gone_count, change_no, dissolved, muted_all, \
     join_policy, history_policy, members_invite, member_count, asking_count, pinned, link FROM group_head WHERE id = ?1";

const SAVE: &str = "UPDATE group_head SET owner = ?2, title = ?3, intro = ?4, avatar = ?5, announcement = ?6, \
     profile_version = ?7, member_list_version = ?8, dissolved = ?9, muted_all = ?10, join_policy = ?11, \
     history_policy = ?12, members_invite = ?13, member_count = ?14, asking_count = ?15, pinned = ?16, link = ?17, \
     mention_all_seq = ?18, head_seq = ?19, message_count = ?20, low_seq = ?21, gone_count = ?22, change_no = ?23 \
     WHERE id = ?1";

/// What an ordinary message moves.
const SAVE_LOG: &str =
    "UPDATE group_head SET mention_all_seq = ?2, head_seq = ?3, message_count = ?4, change_no = ?5 WHERE id = ?1";

impl GroupHead {
    /// By id.
    pub fn load(connection: &Connection, id: ConversationId) -> Result<Option<Self>> {
        let mut statement = connection.prepare_cached(LOAD)?;
        let mut rows = statement.query([id.0])?;
        rows.next()?.map(Self::from_row).transpose()
    }

    fn from_row(row: &Row<'_>) -> Result<Self> {
        let text = |at| row.get::<_, String>(at);
        let pinned = row.get_ref(22)?.as_blob().map_err(rusqlite::Error::from)?;
        let facts = Facts {
            dissolved: row.get(15)?,
            muted_all: row.get(16)?,
            policies: Policies {
                join: join_policy(row.get(17)?)?,
                history: history_policy(row.get(18)?)?,
                members_invite: row.get(19)?,
            },
            member_count: row.get(20)?,
            asking_count: row.get(21)?,
            pinned: bytes_to_numbers(pinned),
            link: text(23)?,
        };
        Ok(Self {
            id: ConversationId(row.get(0)?),
            name: name_from_text(&text(1)?)?,
            owner: UserId(row.get(2)?),
            profile: Profile { title: Some(text(3)?), intro: Some(text(4)?), avatar: Some(text(5)?) },
            announcement: text(6)?,
            profile_version: row.get(7)?,
            member_list_version: row.get(8)?,
            mention_all_seq: row.get(9)?,
            head_seq: row.get(10)?,
            message_count: row.get(11)?,
            low_seq: row.get(12)?,
            gone_count: row.get(13)?,
            change_no: row.get(14)?,
            facts,
        })
    }

    /// Writes all that may have changed.
    pub fn save(&self, connection: &Connection, change_no: u64) -> Result<()> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Facts { dissolved, muted_all, policies, member_count, asking_count, pinned, link } = &self.facts;
        let saved = connection.prepare_cached(SAVE)?.execute(rusqlite::params![
            self.id.0,
            self.owner.0,
            text(&self.profile.title),
            text(&self.profile.intro),
            text(&self.profile.avatar),
            self.announcement,
            self.profile_version,
            self.member_list_version,
            dissolved,
            muted_all,
            policies.join as i64,
            policies.history as i64,
            policies.members_invite,
            member_count,
            asking_count,
            numbers_to_bytes(pinned),
            link,
            self.mention_all_seq,
            self.head_seq,
            self.message_count,
            self.low_seq,
            self.gone_count,
            change_no,
        ])?;
        one(saved)
    }

    /// Writes what an ordinary message moves.
    pub fn save_log(&self, connection: &Connection, change_no: u64) -> Result<()> {
        let mut statement = connection.prepare_cached(SAVE_LOG)?;
        one(statement.execute((self.id.0, self.mention_all_seq, self.head_seq, self.message_count, change_no))?)
    }
}

fn one(saved: usize) -> Result<()> {
    if saved == 1 { Ok(()) } else { Err(Fault::Row("a group that does not exist")) }
}

/// The id of a group.
pub(in crate::sqlite) fn id(connection: &Connection, app: AppId, name: &Name) -> Result<Option<ConversationId>> {
    let mut statement = connection.prepare_cached("SELECT id FROM group_head WHERE app = ?1 AND name = ?2")?;
    Ok(statement.query_row((app.0, name.as_str()), |row| Ok(ConversationId(row.get(0)?))).optional()?)
}

fn join_policy(number: i64) -> Result<JoinPolicy> {
    match number {
        0 => Ok(JoinPolicy::Invited),
        1 => Ok(JoinPolicy::Asked),
        2 => Ok(JoinPolicy::Open),
        _ => Err(Fault::Row("a group with an unknown way in")),
    }
}

fn history_policy(number: i64) -> Result<HistoryPolicy> {
    match number {
        0 => Ok(HistoryPolicy::FromJoining),
        1 => Ok(HistoryPolicy::Everything),
        _ => Err(Fault::Row("a group with an unknown view of its past")),
    }
}
