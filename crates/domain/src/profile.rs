//! Profiles: what users say about themselves, and what they let others do and see (spec 33). Pure data and its limits.

use crate::friend::{FriendPolicy, is_legal_line};
use crate::refusal::Refusal;

/// Longest nickname, in characters.
pub const NICKNAME_CHARACTERS_MAX: usize = 64;
/// Longest address of a picture, in characters.
pub const AVATAR_CHARACTERS_MAX: usize = 256;
/// Longest introduction, in characters.
pub const INTRO_CHARACTERS_MAX: usize = 200;

/// What somebody says they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gender {
    /// Nothing.
    #[default]
    Unspecified,
    /// A woman.
    Female,
    /// A man.
    Male,
    /// Something else.
    Other,
}

/// Who may see something of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Friends, and whoever is in a group with the user.
    #[default]
    Everybody,
    /// Friends.
    Friends,
    /// Nobody else.
    Nobody,
}

/// A user's profile, with what only the user is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// How the user wants to be called; empty: by the name.
    pub nickname: String,
    /// Where the picture is; the server does not read it.
    pub avatar: String,
    /// What they say they are.
    pub gender: Gender,
    /// Year, month and day as one number, such as 20010131; 0 = not told.
    pub birthday: u32,
    /// A few words.
    pub intro: String,
    /// Whom the user lets ask.
    pub policy: FriendPolicy,
    /// Who may see whether the user is there.
    pub presence_to: Audience,
    /// Who may see when the user was last there.
    pub last_seen_to: Audience,
}

/// What a request changes; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of a profile")]
pub struct ProfileChange {
    pub nickname: Option<String>,
    pub avatar: Option<String>,
    pub gender: Option<Gender>,
    pub birthday: Option<u32>,
    pub intro: Option<String>,
    pub policy: Option<FriendPolicy>,
    pub presence_to: Option<Audience>,
    pub last_seen_to: Option<Audience>,
}

impl ProfileChange {
    /// Whether every value is in its range; the refusal names the first that is not.
    pub fn check(&self) -> Result<(), Refusal> {
        let line = |text: &Option<String>, max: usize| text.as_ref().is_none_or(|text| is_legal_line(text, max));
        // Of several lines, but without what a terminal would obey.
        let intro =
            self.intro.as_ref().is_none_or(|text| is_legal_line(&text.replace('\n', " "), INTRO_CHARACTERS_MAX));
        let checks = [
            ("nickname", line(&self.nickname, NICKNAME_CHARACTERS_MAX)),
            ("avatar", line(&self.avatar, AVATAR_CHARACTERS_MAX)),
            ("birthday", self.birthday.is_none_or(is_birthday)),
            ("intro", intro),
        ];
        checks.into_iter().find(|(_, legal)| !legal).map_or(Ok(()), |(name, _)| Err(Refusal::InvalidArgument(name)))
    }

    /// The profile after the change.
    pub fn applied_to(self, profile: &Profile) -> Profile {
        Profile {
            nickname: self.nickname.unwrap_or_else(|| profile.nickname.clone()),
            avatar: self.avatar.unwrap_or_else(|| profile.avatar.clone()),
            gender: self.gender.unwrap_or(profile.gender),
            birthday: self.birthday.unwrap_or(profile.birthday),
            intro: self.intro.unwrap_or_else(|| profile.intro.clone()),
            policy: self.policy.unwrap_or(profile.policy),
            presence_to: self.presence_to.unwrap_or(profile.presence_to),
            last_seen_to: self.last_seen_to.unwrap_or(profile.last_seen_to),
        }
    }
}

/// A day that a calendar has, roughly; 0 is none.
fn is_birthday(date: u32) -> bool {
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    date == 0 || (1_800..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let profile = Profile { nickname: "Ann".into(), birthday: 20010131, ..Profile::default() };
        let change = ProfileChange { intro: Some("hello".into()), birthday: Some(0), ..ProfileChange::default() };
        assert_eq!(change.check(), Ok(()));
        let changed = change.applied_to(&profile);
        assert_eq!((changed.nickname.as_str(), changed.birthday, changed.intro.as_str()), ("Ann", 0, "hello"));
        assert_eq!(ProfileChange::default().applied_to(&profile), profile);
    }

    #[test]
    fn values_have_ranges() {
        let long = |characters: usize| Some("é".repeat(characters));
        let none = ProfileChange::default;
        for (change, expected) in [
            (ProfileChange { nickname: long(NICKNAME_CHARACTERS_MAX), ..none() }, None),
            (ProfileChange { nickname: long(NICKNAME_CHARACTERS_MAX + 1), ..none() }, Some("nickname")),
            (ProfileChange { nickname: Some("a\nb".into()), ..none() }, Some("nickname")),
            (ProfileChange { avatar: long(AVATAR_CHARACTERS_MAX + 1), ..none() }, Some("avatar")),
            (ProfileChange { intro: Some("two\nlines".into()), ..none() }, None),
            (ProfileChange { intro: Some("\u{1B}[2J".into()), ..none() }, Some("intro")),
            (ProfileChange { birthday: Some(20010131), ..none() }, None),
            (ProfileChange { birthday: Some(20011331), ..none() }, Some("birthday")),
            (ProfileChange { birthday: Some(10), ..none() }, Some("birthday")),
        ] {
            let expected = expected.map_or(Ok(()), |name| Err(Refusal::InvalidArgument(name)));
            assert_eq!(change.check(), expected, "{change:?}");
        }
    }
}
