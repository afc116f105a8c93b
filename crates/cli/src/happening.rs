//! What has happened to a group, in words of both languages: `{who}` did it, `{what}` is whom or what it is about.

use hongyan_client::proto::group_event::What;
use hongyan_client::proto::{Entry, GroupEvent};

use crate::text;

/// The sentences of one language.
#[allow(missing_docs, reason = "the names and both tables say it")]
pub struct Sentences {
    created: &'static str,
    brought_in: &'static str,
    came_in: &'static str,
    sent_away: &'static str,
    left: &'static str,
    owner: &'static str,
    admin: &'static str,
    no_admin: &'static str,
    muted: &'static str,
    unmuted: &'static str,
    all_muted: &'static str,
    all_unmuted: &'static str,
    title: &'static str,
    announcement: &'static str,
    pinned: &'static str,
    unpinned: &'static str,
    dissolved: &'static str,
    unknown: &'static str,
    /// Between names.
    comma: &'static str,
}

pub static EN: Sentences = Sentences {
    created: "{who} made the group {what}",
    brought_in: "{who} brought in {what}",
    came_in: "{who} came in",
    sent_away: "{who} sent {what} away",
    left: "{who} has left",
    owner: "{what} owns the group now",
    admin: "{what} is an admin now",
    no_admin: "{what} is no admin any more",
    muted: "{who} muted {what}",
    unmuted: "{what} may speak again",
    all_muted: "only owner and admins may speak now",
    all_unmuted: "everybody may speak again",
    title: "{who} called the group {what}",
    announcement: "{who} announced: {what}",
    pinned: "{who} pinned message #{what}",
    unpinned: "{who} unpinned message #{what}",
    dissolved: "{who} ended the group",
    unknown: "something changed in the group",
    comma: ", ",
};

pub static ZH: Sentences = Sentences {
    created: "{who} 创建了群 {what}",
    brought_in: "{who} 邀请 {what} 加入",
    came_in: "{who} 加入了群",
    sent_away: "{who} 将 {what} 移出群",
    left: "{who} 退出了群",
    owner: "{what} 成为群主",
    admin: "{what} 成为管理员",
    no_admin: "{what} 不再是管理员",
    muted: "{who} 禁言了 {what}",
    unmuted: "{what} 已解除禁言",
    all_muted: "已开启全员禁言",
    all_unmuted: "已解除全员禁言",
    title: "{who} 将群名改为 {what}",
    announcement: "{who} 发布公告：{what}",
    pinned: "{who} 置顶了消息 #{what}",
    unpinned: "{who} 取消置顶消息 #{what}",
    dissolved: "{who} 解散了群",
    unknown: "群信息有变更",
    comma: "、",
};

/// What an entry tells, in one line; `None` if it is a message.
pub fn told(entry: &Entry, sentences: &Sentences) -> Option<String> {
    let GroupEvent { what } = entry.event.as_ref()?;
    let names = |users: &[String]| users.join(sentences.comma);
    let (sentence, what) = match what {
        Some(What::Created(title)) => (sentences.created, title.clone()),
        Some(What::Joined(people)) if people.users == [entry.sender.as_str()] => (sentences.came_in, String::new()),
        Some(What::Joined(people)) => (sentences.brought_in, names(&people.users)),
        Some(What::Left(people)) if people.users == [entry.sender.as_str()] => (sentences.left, String::new()),
        Some(What::Left(people)) => (sentences.sent_away, names(&people.users)),
        Some(What::Owner(name)) => (sentences.owner, name.clone()),
        Some(What::Admin(name)) => (sentences.admin, name.clone()),
        Some(What::Member(name)) => (sentences.no_admin, name.clone()),
        Some(What::Silence(silence)) if silence.until_ms == 0 => (sentences.unmuted, silence.user.clone()),
        Some(What::Silence(silence)) => (sentences.muted, silence.user.clone()),
        Some(What::MutedAll(true)) => (sentences.all_muted, String::new()),
        Some(What::MutedAll(false)) => (sentences.all_unmuted, String::new()),
        Some(What::Title(title)) => (sentences.title, title.clone()),
        Some(What::Announcement(text)) => (sentences.announcement, text.clone()),
        Some(What::Pinned(seq)) => (sentences.pinned, seq.to_string()),
        Some(What::Unpinned(seq)) => (sentences.unpinned, seq.to_string()),
        Some(What::Dissolved(_)) => (sentences.dissolved, String::new()),
        None => (sentences.unknown, String::new()),
    };
    // What users have written is put in last, so that nothing in it is taken for a place to fill.
    let parts: Vec<_> = sentence.split("{what}").map(|part| part.replace("{who}", &entry.sender)).collect();
    Some(text::one_line(&parts.join(&what)))
}

#[cfg(test)]
mod tests {
    use hongyan_client::proto::GroupPeople;

    use super::*;

    fn entry(what: What) -> Entry {
        Entry { sender: "ann".into(), event: Some(GroupEvent { what: Some(what) }), ..Default::default() }
    }

    #[test]
    fn who_goes_by_themselves_was_not_sent_away() {
        let people = |names: &[&str]| GroupPeople { users: names.iter().map(|name| (*name).to_owned()).collect() };
        let told = |what| told(&entry(what), &EN).unwrap();
        assert_eq!(told(What::Left(people(&["ann"]))), "ann has left");
        assert_eq!(told(What::Left(people(&["bob"]))), "ann sent bob away");
        assert_eq!(told(What::Joined(people(&["bob", "carol"]))), "ann brought in bob, carol");
        assert_eq!(told(What::Joined(people(&["ann"]))), "ann came in");
    }

    #[test]
    fn what_people_write_fills_nothing() {
        let told = |text: &str| told(&entry(What::Announcement(text.into())), &EN).unwrap();
        assert_eq!(told("{who} and {what}"), "ann announced: {who} and {what}");
        assert_eq!(told("a\nb\u{1b}"), "ann announced: a b\u{FFFD}");
    }

    #[test]
    fn a_message_is_no_happening() {
        assert_eq!(told(&Entry::default(), &EN), None);
    }
}
