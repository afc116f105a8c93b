//! Everything that `hongyan chat` says, in both languages. Two tables with the same fields: a missing translation does
//! not compile.

use clap::ValueEnum;
use hongyan_client::proto::RefusalCode;

use crate::happening::{self, Sentences};

/// A language of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// 中文
    Zh,
    /// English
    En,
}

impl Language {
    /// The user's, by the custom of POSIX. `variable` looks up the environment.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG"));
        if locale.is_some_and(|locale| locale.starts_with("zh")) { Self::Zh } else { Self::En }
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::Zh => &ZH,
            Self::En => &EN,
        }
    }
}

/// The words of one language.
#[allow(missing_docs, reason = "the names and both tables say it")]
pub struct Words {
    pub conversations: &'static str,
    pub no_conversations: &'static str,
    pub nothing_open: [&'static str; 4],
    pub no_messages: &'static str,
    pub placeholder: &'static str,
    pub typing: &'static str,
    pub today: &'static str,
    pub yesterday: &'static str,
    /// Monday first.
    pub weekdays: [&'static str; 7],
    pub new_messages: &'static str,
    pub loading: &'static str,
    pub beginning: &'static str,
    pub only_here: &'static str,
    pub edited: &'static str,
    pub recalled: &'static str,
    pub earlier_message: &'static str,
    pub draft: &'static str,
    pub blocked: &'static str,
    pub below: &'static str,
    pub not_sent: &'static str,
    pub no_answer: &'static str,
    // The link.
    pub connecting: &'static str,
    pub signing_in: &'static str,
    pub lost: &'static str,
    pub unreachable: &'static str,
    pub closing: &'static str,
    pub retry_in: &'static str,
    pub retry_key: &'static str,
    pub kept: &'static str,
    pub kicked: &'static str,
    pub revoked: &'static str,
    pub logged_out: &'static str,
    pub unsupported: &'static str,
    pub other_user: &'static str,
    pub store_failed: &'static str,
    pub login_refused: &'static str,
    // The line at the bottom.
    pub keys_compose: &'static str,
    pub keys_select: &'static str,
    pub keys_prompt: &'static str,
    pub keys_help: &'static str,
    pub keys_confirm: &'static str,
    pub replying_to: &'static str,
    pub editing: &'static str,
    pub you: &'static str,
    // Questions and notices.
    pub to_whom: &'static str,
    pub which_reaction: &'static str,
    pub ask_recall: &'static str,
    pub ask_delete: &'static str,
    pub ask_block: &'static str,
    pub ask_quit: &'static str,
    pub bad_name: &'static str,
    pub unknown_command: &'static str,
    pub open_first: &'static str,
    pub no_such_message: &'static str,
    pub only_own: &'static str,
    pub only_text: &'static str,
    pub not_yet_sent: &'static str,
    pub bad_reaction: &'static str,
    pub offline: &'static str,
    pub too_many: &'static str,
    pub outbox_full: &'static str,
    pub admin: &'static str,
    pub owner: &'static str,
    pub members: &'static str,
    pub mentioned: &'static str,
    pub asked_to_join: &'static str,
    pub invited: &'static str,
    pub left_now: &'static str,
    pub group_over: &'static str,
    pub ask_leave: &'static str,
    pub open_group_first: &'static str,
    /// Of what happens to groups.
    pub happenings: &'static Sentences,
    pub blocked_now: &'static str,
    pub unblocked_now: &'static str,
    pub help_title: &'static str,
    /// (keys, what they do); an empty pair begins a new group.
    pub help: &'static [(&'static str, &'static str)],
    refusals: fn(RefusalCode) -> &'static str,
    pub password: &'static str,
    pub session_ended: &'static str,
    pub wrong_password: &'static str,
    pub too_small: &'static str,
}

impl Words {
    /// Why the server said no.
    pub fn refusal(&self, code: RefusalCode) -> &'static str {
        (self.refusals)(code)
    }
}

static EN: Words = Words {
    conversations: "Conversations",
    no_conversations: "None yet. Ctrl-N starts one.",
    nothing_open: [
        "Welcome to Hongyan.",
        "Ctrl-N starts a conversation,",
        "Alt-↓ and Alt-↑ move through the list,",
        "F1 explains the rest.",
    ],
    no_messages: "No messages yet. Say hello!",
    placeholder: "Write a message",
    typing: "typing…",
    today: "Today",
    yesterday: "Yesterday",
    weekdays: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    new_messages: "New messages",
    loading: "loading…",
    beginning: "This is the beginning",
    only_here: "Not connected: only what this device keeps",
    edited: "edited",
    recalled: "message recalled",
    earlier_message: "an earlier message",
    draft: "Draft:",
    blocked: "blocked",
    below: "↓ newer messages",
    not_sent: "not sent",
    no_answer: "no answer from the server",
    connecting: "Connecting…",
    signing_in: "Signing in…",
    lost: "Connection lost.",
    unreachable: "No connection to the server.",
    closing: "The server is restarting.",
    retry_in: "Next attempt in",
    retry_key: "Ctrl-R: now",
    kept: "messages wait",
    kicked: "Signed in on another computer; this one is off. Ctrl-R: sign in here again",
    revoked: "This session was revoked. Ctrl-R: sign in again",
    logged_out: "Signed out. Ctrl-R: sign in again",
    unsupported: "The server needs another version of this program.",
    other_user: "The messages on this device belong to another user.",
    store_failed: "The messages on this device can no longer be written:",
    login_refused: "The server refused the login:",
    keys_compose: "Enter send · ↑ select · Alt-↑↓ conversation · Ctrl-N new · F1 help · Ctrl-Q quit",
    keys_select: "r reply · e edit · + react · x recall · d delete · s resend · Esc back",
    keys_prompt: "Enter ok · ↓↑ choose · Esc back",
    keys_help: "Any key: back",
    keys_confirm: "y yes · n no",
    replying_to: "Reply to",
    editing: "Editing · Esc keeps it as it was",
    you: "you",
    to_whom: "Talk with whom?",
    which_reaction: "Which reaction?",
    ask_recall: "Recall this message for everybody?",
    ask_delete: "Delete this message from your devices? The other person keeps it.",
    ask_block: "Block this person? Neither of you can write to the other.",
    ask_quit: "Messages are not sent yet; they are kept and sent the next time. Quit?",
    bad_name: "A name is 1-64 of A-Z a-z 0-9 . _ - @",
    unknown_command: "No such command; /help lists them, // begins a text with a slash",
    open_first: "Open a conversation first: Ctrl-N",
    no_such_message: "There is no such message",
    only_own: "Only your own messages",
    only_text: "Only text can be edited",
    not_yet_sent: "This message has not been sent yet",
    bad_reaction: "A reaction is an emoji or a short name, at most 32 bytes",
    offline: "not connected",
    too_many: "too much at once; try again",
    outbox_full: "too many messages wait to be sent",
    admin: "admin",
    owner: "owner",
    members: "members",
    mentioned: "you are spoken to",
    asked_to_join: "asked to join; an admin decides",
    invited: "Invited.",
    left_now: "You have left the group.",
    group_over: "no member any more",
    ask_leave: "Leave this group? You will hear nothing more of it.",
    open_group_first: "Open a group first: /to #NAME",
    happenings: &happening::EN,
    blocked_now: "Blocked.",
    unblocked_now: "No longer blocked.",
    help_title: "Keys and commands",
    help: &[
        ("Enter", "send"),
        ("Alt-Enter, Ctrl-J", "new line"),
        ("Alt-↑ Alt-↓", "conversation above, below"),
        ("Tab", "next unread conversation"),
        ("Ctrl-N, /to NAME #GROUP", "new conversation"),
        ("PgUp PgDn, Ctrl-End", "scroll; to the newest"),
        ("Ctrl-R", "connect now"),
        ("F1, ? when empty", "this help"),
        ("Ctrl-Q, Ctrl-D", "quit"),
        ("", ""),
        ("↑ when empty", "select a message, then:"),
        ("r  e  +", "reply, edit, react"),
        ("x  d", "recall for all, delete for me"),
        ("s  k", "failed: send again, drop"),
        ("", ""),
        ("Ctrl-A E W U K, Alt-B F", "edit as in a shell"),
        ("/reply /edit /recall", "as the keys, for the newest"),
        ("/react /delete /block", "/unblock /resend /quit"),
        ("/create /join GROUP", "make a group; come into one"),
        ("/invite /members /leave", "take in, show, go out"),
        ("", ""),
        ("◷ ✓ ✓✓ ✗; in colour", "waiting, sent, delivered, failed; read"),
    ],
    refusals: english,
    password: "Password of",
    session_ended: "The session on this device has ended.",
    wrong_password: "That is not the password.",
    too_small: "Make the window larger.",
};

static ZH: Words = Words {
    conversations: "会话",
    no_conversations: "还没有会话，按 Ctrl-N 新建",
    nothing_open: ["欢迎使用鸿雁。", "按 Ctrl-N 开始新会话，", "Alt-↓ 和 Alt-↑ 切换会话，", "F1 查看全部按键。"],
    no_messages: "还没有消息，打个招呼吧！",
    placeholder: "输入消息",
    typing: "正在输入…",
    today: "今天",
    yesterday: "昨天",
    weekdays: ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"],
    new_messages: "以下是新消息",
    loading: "加载中…",
    beginning: "没有更早的消息了",
    only_here: "未连接：仅显示本机保存的消息",
    edited: "已编辑",
    recalled: "消息已撤回",
    earlier_message: "更早的消息",
    draft: "草稿：",
    blocked: "已屏蔽",
    below: "↓ 下方有新消息",
    not_sent: "发送失败",
    no_answer: "服务器没有应答",
    connecting: "正在连接…",
    signing_in: "正在登录…",
    lost: "连接已断开。",
    unreachable: "无法连接服务器。",
    closing: "服务器正在重启。",
    retry_in: "下次重试",
    retry_key: "Ctrl-R 立即重试",
    kept: "消息稍后自动发送",
    kicked: "您的账号在另一台电脑登录，本机已下线。Ctrl-R 在本机重新登录",
    revoked: "会话已被注销。Ctrl-R 重新登录",
    logged_out: "已退出登录。Ctrl-R 重新登录",
    unsupported: "服务器需要其他版本的客户端。",
    other_user: "本机保存的消息属于另一个用户。",
    store_failed: "无法再写入本机的消息文件：",
    login_refused: "服务器拒绝登录：",
    keys_compose: "Enter 发送 · ↑ 选择 · Alt-↑↓ 会话 · Ctrl-N 新会话 · F1 帮助 · Ctrl-Q 退出",
    keys_select: "r 回复 · e 编辑 · + 表态 · x 撤回 · d 删除 · s 重发 · Esc 返回",
    keys_prompt: "Enter 确定 · ↓↑ 选择 · Esc 返回",
    keys_help: "按任意键返回",
    keys_confirm: "y 是 · n 否",
    replying_to: "回复",
    editing: "编辑中 · Esc 放弃修改",
    you: "我",
    to_whom: "和谁聊天？",
    which_reaction: "选择表态",
    ask_recall: "撤回这条消息？双方都将看不到它。",
    ask_delete: "从您的所有设备删除这条消息？对方仍会保留。",
    ask_block: "屏蔽此人？双方将无法互发消息。",
    ask_quit: "还有消息未发送，已保存在本机，下次启动时发送。退出？",
    bad_name: "名称为 1-64 个字符：A-Z a-z 0-9 . _ - @",
    unknown_command: "没有这个命令；/help 查看命令，以 // 开头可发送斜杠",
    open_first: "请先打开一个会话：Ctrl-N",
    no_such_message: "没有这样的消息",
    only_own: "只能操作自己的消息",
    only_text: "只能编辑文字消息",
    not_yet_sent: "这条消息还没有发送",
    bad_reaction: "表态是一个表情或短名称，最多 32 字节",
    offline: "未连接",
    too_many: "操作太频繁，请重试",
    outbox_full: "等待发送的消息过多",
    admin: "管理员",
    owner: "群主",
    members: "成员",
    mentioned: "有人@我",
    asked_to_join: "已申请加入，等待管理员审核",
    invited: "已邀请。",
    left_now: "已退出群。",
    group_over: "已不在群中",
    ask_leave: "退出此群？之后将收不到群消息。",
    open_group_first: "请先打开一个群：/to #名称",
    happenings: &happening::ZH,
    blocked_now: "已屏蔽。",
    unblocked_now: "已解除屏蔽。",
    help_title: "按键与命令",
    help: &[
        ("Enter", "发送"),
        ("Alt-Enter、Ctrl-J", "换行"),
        ("Alt-↑ Alt-↓", "上一个、下一个会话"),
        ("Tab", "下一个未读会话"),
        ("Ctrl-N、/to 名称 #群", "新会话"),
        ("PgUp PgDn、Ctrl-End", "翻页；回到最新"),
        ("Ctrl-R", "立即连接"),
        ("F1、空行时 ?", "本帮助"),
        ("Ctrl-Q、Ctrl-D", "退出"),
        ("", ""),
        ("空行时 ↑", "选择消息，然后："),
        ("r  e  +", "回复、编辑、表态"),
        ("x  d", "撤回、仅为我删除"),
        ("s  k", "发送失败时：重发、丢弃"),
        ("", ""),
        ("Ctrl-A E W U K、Alt-B F", "与 shell 相同的编辑键"),
        ("/reply /edit /recall", "同上，针对最新消息"),
        ("/react /delete /block", "/unblock /resend /quit"),
        ("/create /join 群", "建群；加入群"),
        ("/invite /members /leave", "邀请、查看成员、退群"),
        ("", ""),
        ("◷ ✓ ✓✓ ✗；彩色 ✓✓", "等待、已发送、已送达、失败；已读"),
    ],
    refusals: chinese,
    password: "密码，用户",
    session_ended: "本机的会话已失效。",
    wrong_password: "密码不正确。",
    too_small: "请放大窗口。",
};

fn english(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Unspecified | RefusalCode::Internal => "the server failed",
        RefusalCode::UnsupportedVersion | RefusalCode::UnknownCommand => "the server does not know this",
        RefusalCode::TooBig => "too long",
        RefusalCode::Malformed | RefusalCode::WrongState | RefusalCode::InvalidArgument => "not valid",
        RefusalCode::Unauthenticated => "user or password is wrong",
        RefusalCode::Kicked => "signed in elsewhere",
        RefusalCode::Revoked => "the session was revoked",
        RefusalCode::ResumeFailed => "the session has ended",
        RefusalCode::RateLimited => "too fast; wait a moment",
        RefusalCode::TryLater => "the server is busy",
        RefusalCode::NotFound => "there is no such user or message",
        RefusalCode::NotAllowed => "not allowed; one of you blocks the other, or it is not yours",
        RefusalCode::Conflict => "was done differently before",
        RefusalCode::TooLate => "too late to change it",
        RefusalCode::QuotaExceeded => "a limit is reached",
        RefusalCode::TimedOut => "the server took too long",
        RefusalCode::SpamRejected => "such a text is not allowed here",
        RefusalCode::HeldForReview => "waits for a review; it appears here if it is released",
    }
}

fn chinese(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Unspecified | RefusalCode::Internal => "服务器出错",
        RefusalCode::UnsupportedVersion | RefusalCode::UnknownCommand => "服务器不支持此操作",
        RefusalCode::TooBig => "内容过长",
        RefusalCode::Malformed | RefusalCode::WrongState | RefusalCode::InvalidArgument => "内容无效",
        RefusalCode::Unauthenticated => "用户名或密码错误",
        RefusalCode::Kicked => "已在别处登录",
        RefusalCode::Revoked => "会话已被注销",
        RefusalCode::ResumeFailed => "会话已失效",
        RefusalCode::RateLimited => "操作过快，请稍候",
        RefusalCode::TryLater => "服务器繁忙",
        RefusalCode::NotFound => "没有这个用户或消息",
        RefusalCode::NotAllowed => "不允许：一方屏蔽了另一方，或消息不属于您",
        RefusalCode::Conflict => "与之前的操作冲突",
        RefusalCode::TooLate => "已超过可修改的时间",
        RefusalCode::QuotaExceeded => "已达到上限",
        RefusalCode::TimedOut => "服务器超时",
        RefusalCode::SpamRejected => "内容不符合规定",
        RefusalCode::HeldForReview => "内容待审核，通过后会显示在这里",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_follows_the_locale() {
        let of = |set: &[(&str, &str)]| {
            let find = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
            Language::of_environment(find)
        };
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Language::Zh);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")]), Language::En);
        assert_eq!(of(&[("LANG", "en_GB"), ("LC_ALL", ""), ("LC_MESSAGES", "zh_TW")]), Language::Zh);
        assert_eq!(of(&[]), Language::En);
    }

    #[test]
    fn both_helps_explain_the_same_things() {
        assert_eq!(EN.help.len(), ZH.help.len());
        let groups = |words: &Words| words.help.iter().map(|(keys, _)| keys.is_empty()).collect::<Vec<_>>();
        assert_eq!(groups(&EN), groups(&ZH));
    }
}
