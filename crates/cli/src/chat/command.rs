//! What may be typed after a slash. Only shapes; the model does it.

use crate::place;

/// A typed command. What is about a message is about the selected one, or the newest that it can be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens the conversation with a person.
    To(String),
    /// Makes a group of this id.
    Create(String),
    /// Comes into a group, or asks to.
    Join(String),
    /// Takes people into the group on screen.
    Invite(Vec<String>),
    /// Shows who is in it.
    Members,
    /// Goes out of it.
    Leave,
    /// Quotes a message in the next one.
    Reply,
    /// Writes an own message anew.
    Edit,
    /// Takes an own message back.
    Recall,
    /// Gives a reaction, or takes it back.
    React(String),
    /// Hides a message from oneself.
    Delete,
    /// Refuses this person's messages.
    Block,
    /// Accepts them again.
    Unblock,
    /// Tries a failed message again.
    Resend,
    /// Forgets a failed message.
    Discard,
    /// Tries to connect at once.
    Reconnect,
    /// Explains the keys.
    Help,
    /// Ends the program.
    Quit,
}

/// Every command with its argument, for the help.
pub const NAMES: [&str; 18] = [
    "/to NAME",
    "/create GROUP",
    "/join GROUP",
    "/invite NAME",
    "/members",
    "/leave",
    "/reply",
    "/edit",
    "/recall",
    "/react 👍",
    "/delete",
    "/block",
    "/unblock",
    "/resend",
    "/discard",
    "/reconnect",
    "/help",
    "/quit",
];

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// To be sent. A text that begins with a slash is typed with two.
    Text(String),
    /// To be done.
    Command(Command),
    /// A slash, and then something unknown or incomplete.
    Unknown(String),
}

/// Reads a line.
pub fn parse(line: &str) -> Line {
    let Some(rest) = line.strip_prefix('/') else { return Line::Text(line.to_owned()) };
    if rest.starts_with('/') || rest.contains('\n') {
        return Line::Text(rest.strip_prefix('/').map_or_else(|| line.to_owned(), |rest| format!("/{rest}")));
    }
    let (name, argument) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let argument = argument.trim();
    let command = match (name, argument) {
        ("to", name) if !name.is_empty() => Command::To(name.to_owned()),
        ("create", group) if is_group(group) => Command::Create(bare(group)),
        ("join", group) if is_group(group) => Command::Join(bare(group)),
        ("invite", names) if names.split_whitespace().all(place::is_name) && !names.is_empty() => {
            Command::Invite(names.split_whitespace().map(str::to_owned).collect())
        }
        ("members", "") => Command::Members,
        ("leave", "") => Command::Leave,
        ("react", name) if !name.is_empty() => Command::React(name.to_owned()),
        ("reply", "") => Command::Reply,
        ("edit", "") => Command::Edit,
        ("recall", "") => Command::Recall,
        ("delete", "") => Command::Delete,
        ("block", "") => Command::Block,
        ("unblock", "") => Command::Unblock,
        ("resend", "") => Command::Resend,
        ("discard", "") => Command::Discard,
        ("reconnect", "") => Command::Reconnect,
        ("help" | "?", "") => Command::Help,
        ("quit" | "exit" | "q", "") => Command::Quit,
        _ => return Line::Unknown(line.to_owned()),
    };
    Line::Command(command)
}

/// With or without the sign that groups are shown with.
fn bare(group: &str) -> String {
    group.strip_prefix('#').unwrap_or(group).to_owned()
}

fn is_group(group: &str) -> bool {
    place::is_group(&bare(group))
}

/// The only command that begins so, complete.
pub fn completed(line: &str) -> Option<String> {
    let begun = line.strip_prefix('/').filter(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))?;
    let mut matching = NAMES.iter().map(|name| name.split(' ').next().unwrap_or(name));
    let found = matching.find(|name| name[1..].starts_with(begun))?;
    let takes_argument = matches!(found, "/to" | "/react" | "/create" | "/join" | "/invite");
    matching.all(|name| !name[1..].starts_with(begun)).then(|| found.to_owned() + if takes_argument { " " } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_two_begin_a_text() {
        assert_eq!(parse("/to bob "), Line::Command(Command::To("bob".into())));
        assert_eq!(parse("/react 👍"), Line::Command(Command::React("👍".into())));
        assert_eq!(parse("/q"), Line::Command(Command::Quit));
        assert_eq!(parse("//etc/hosts"), Line::Text("/etc/hosts".into()));
        assert_eq!(parse("/a\nb"), Line::Text("/a\nb".into()));
        assert_eq!(parse("a/b"), Line::Text("a/b".into()));
        for unknown in ["/", "/to", "/etc/hosts", "/recall now"] {
            assert_eq!(parse(unknown), Line::Unknown(unknown.into()));
        }
    }

    #[test]
    fn groups_are_named_with_or_without_their_sign() {
        assert_eq!(parse("/create #spring"), Line::Command(Command::Create("spring".into())));
        assert_eq!(parse("/join spring"), Line::Command(Command::Join("spring".into())));
        assert_eq!(parse("/invite bob carol"), Line::Command(Command::Invite(vec!["bob".into(), "carol".into()])));
        for unknown in ["/create", "/create a b", "/invite", "/invite #spring", "/leave now"] {
            assert_eq!(parse(unknown), Line::Unknown(unknown.into()));
        }
    }

    #[test]
    fn every_named_command_is_known() {
        for name in NAMES {
            assert!(matches!(parse(name), Line::Command(_)), "{name}");
        }
    }

    #[test]
    fn the_beginning_of_a_command_is_completed_if_only_one_begins_so() {
        assert_eq!(completed("/t"), Some("/to ".into()));
        assert_eq!(completed("/q"), Some("/quit".into()));
        assert_eq!(completed("/re"), None);
        assert_eq!(completed("/to b"), None);
        assert_eq!(completed("t"), None);
    }
}
