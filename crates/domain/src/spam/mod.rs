//! Whether a text that others can see is fit to be seen (spec 73): pure, linear in the text. [`normalise`] folds it, [`words`]
//! finds words in it (their edges in `trail`), [`score`] adds up what makes an advertisement, [`likeness`] tells the same text, [`verdict`] decides by
//! the settings of the app. Who asks, and what is kept of it, is logic's and the store's.

pub mod likeness;
pub mod normalise;
pub mod score;
mod trail;
pub mod verdict;
pub mod words;

pub use likeness::{Lately, Likeness};
pub use verdict::{Action, Judgement, Rule, SpamSettings, judge};
pub use words::{Class, WordList, WordsError};

/// What kind of text is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// A message: its body if that is text, and its text projection.
    Message,
    /// What a message is changed to.
    Edit,
    /// The name of a reaction.
    Reaction,
    /// A name in a room.
    RoomName,
    /// What comes with a request for friendship or for joining a group.
    Request,
    /// The name of a group, or of a person in it.
    GroupName,
    /// An announcement or a description of a group.
    GroupText,
    /// A person's name, signature, or other part of a profile.
    Profile,
}

impl TextKind {
    /// Whether a part of it may be hidden. A name with stars in it would be that of many.
    pub fn can_be_masked(self) -> bool {
        match self {
            Self::Message | Self::Edit | Self::Request | Self::GroupText | Self::Profile => true,
            Self::Reaction | Self::RoomName | Self::GroupName => false,
        }
    }

    /// Whether it may wait for a review.
    pub fn can_wait(self) -> bool {
        self == Self::Message
    }

    /// The name in audits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Edit => "edit",
            Self::Reaction => "reaction",
            Self::RoomName => "room_name",
            Self::Request => "request",
            Self::GroupName => "group_name",
            Self::GroupText => "group_text",
            Self::Profile => "profile",
        }
    }
}

#[cfg(test)]
mod corpus {
    use super::*;

    #[test]
    fn nothing_that_people_write_every_day_is_touched() {
        let words = "赌博\n大麻\n六四\n法轮功\n代开发票\n刷单\n裸聊\n约炮\n博彩\nshit\nass\nspam\ncum\n傻逼\n操你妈\n枪支\n毒品\n";
        let words = WordList::compile([(Class::Other, words)]).unwrap();
        let strict = SpamSettings { advertising: Action::Reject, ..SpamSettings::default() };
        for text in include_str!("corpus/everyday.txt").lines() {
            assert_eq!(judge(text, Some(&words), &strict, false), None, "{text}");
        }
    }
}
