//! How the other side of a conversation is typed and shown: a person by name, a group by its id with a `#` before it, which
//! no name has.

use hongyan_client::Peer;

use crate::place;

const GROUP_MARK: char = '#';

/// As it is typed; `None` if nobody can be called so.
pub fn typed(text: &str) -> Option<Peer> {
    match text.strip_prefix(GROUP_MARK) {
        Some(group) => place::is_group(group).then(|| Peer::group_of(group)),
        None => place::is_name(text).then(|| Peer::from(text)),
    }
}

/// As it is shown.
pub fn shown(peer: &Peer) -> String {
    match peer {
        Peer::Person(name) => name.clone(),
        Peer::Group(group) => format!("{GROUP_MARK}{group}"),
    }
}

/// Of the arguments that name a person or a group.
pub fn named(person: Option<&str>, group: Option<&str>) -> Result<Peer, &'static str> {
    match (person, group) {
        (Some(name), _) if place::is_name(name) => Ok(Peer::from(name)),
        (None, Some(group)) if place::is_group(group) => Ok(Peer::group_of(group)),
        (Some(_), _) => Err("a user's name is 1-64 of A-Z a-z 0-9 . _ - @"),
        (None, Some(_)) => Err("a group's id is 1-64 of A-Z a-z 0-9 . _ - @"),
        (None, None) => Err("a person or a group must be named"),
    }
}

/// The key of its name in JSON.
pub fn json_key(peer: &Peer) -> &'static str {
    match peer {
        Peer::Person(_) => "conversation",
        Peer::Group(_) => "group",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_typed() {
        for peer in [Peer::from("bob"), Peer::from("~visitor"), Peer::group_of("spring")] {
            assert_eq!(typed(&shown(&peer)), Some(peer));
        }
        for nobody in ["", "#", "#~x", "a b", "##a", "bob#"] {
            assert_eq!(typed(nobody), None, "{nobody}");
        }
    }
}
