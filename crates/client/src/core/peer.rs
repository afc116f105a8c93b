//! With whom a conversation is: the key of everything that a client keeps of it. A group may have the id of a person, so
//! the name alone says nothing. The wire has two fields for it, of which one is empty.

use hongyan_wire::proto::send_request::To;

/// The other side of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// One person.
    Person(String),
    /// Everybody of a group.
    Group(String),
}

impl Peer {
    /// A group.
    pub fn group_of(name: impl Into<String>) -> Self {
        Self::Group(name.into())
    }

    /// The person's name or the group's id.
    pub fn name(&self) -> &str {
        match self {
            Self::Person(name) | Self::Group(name) => name,
        }
    }

    /// The name, if it is a person.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person(name) => Some(name),
            Self::Group(_) => None,
        }
    }

    /// The id, if it is a group.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::Person(_) => None,
            Self::Group(name) => Some(name),
        }
    }

    /// Of the two fields of a message on the wire.
    pub(crate) fn of_fields(user: String, group: String) -> Self {
        if group.is_empty() { Self::Person(user) } else { Self::Group(group) }
    }

    /// As the fields `user` and `group` of a message on the wire.
    pub fn fields(&self) -> (String, String) {
        match self {
            Self::Person(name) => (name.clone(), String::new()),
            Self::Group(name) => (String::new(), name.clone()),
        }
    }

    /// To whom a message goes; `None` if to nobody, or into a room, where nothing is kept for later.
    pub fn of_addressee(to: Option<&To>) -> Option<Self> {
        match to? {
            To::User(name) => Some(Self::Person(name.clone())),
            To::Group(name) => Some(Self::Group(name.clone())),
            To::Room(_) => None,
        }
    }
}

impl From<Peer> for To {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Person(name) => Self::User(name),
            Peer::Group(name) => Self::Group(name),
        }
    }
}

impl From<&Peer> for Peer {
    fn from(peer: &Peer) -> Self {
        peer.clone()
    }
}

/// A name alone is a person's.
impl From<&str> for Peer {
    fn from(name: &str) -> Self {
        Self::Person(name.to_owned())
    }
}

/// A name alone is a person's.
impl From<String> for Peer {
    fn from(name: String) -> Self {
        Self::Person(name)
    }
}

/// A name alone is a person's.
impl From<&String> for Peer {
    fn from(name: &String) -> Self {
        Self::Person(name.clone())
    }
}
