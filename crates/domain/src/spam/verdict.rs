//! What becomes of a text: each rule leads to an action by the app's settings, and the strictest action holds.

use serde::{Deserialize, Serialize};

use super::score::{self, SCORE_DEFAULT};
use super::words::{self, Class, Found, WordList};

/// Most targets that an app may let one text have before it counts as the same text to many.
pub const SAME_TEXT_TARGETS_MAX: u32 = 1_000;
/// Longest time, in seconds, for which an app may let texts be compared.
pub const SAME_TEXT_SECONDS_MAX: u32 = 86_400;
/// Characters of a text that an audit keeps, around what was found.
pub const EXCERPT_CHARACTERS_MAX: usize = 80;
/// Characters before what was found.
const EXCERPT_CHARACTERS_BEFORE: usize = 20;

/// What is done with a text, from mild to strict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    #[default]
    Pass,
    /// What was found is hidden; the rest is said.
    Mask,
    /// A message waits until somebody has looked at it; any other text is rejected.
    Review,
    /// It is not said.
    Reject,
}

impl Action {
    /// The name in settings and audits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Mask => "mask",
            Self::Review => "review",
            Self::Reject => "reject",
        }
    }
}

/// What each class of words leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the names of the classes")]
pub struct ClassActions {
    pub politics: Action,
    pub porn: Action,
    pub abuse: Action,
    pub advertising: Action,
    pub other: Action,
}

impl Default for ClassActions {
    fn default() -> Self {
        Self {
            politics: Action::Reject,
            porn: Action::Reject,
            abuse: Action::Mask,
            advertising: Action::Review,
            other: Action::Mask,
        }
    }
}

impl ClassActions {
    fn of(&self, class: Class) -> Action {
        match class {
            Class::Politics => self.politics,
            Class::Porn => self.porn,
            Class::Abuse => self.abuse,
            Class::Advertising => self.advertising,
            Class::Other => self.other,
            Class::Allow => Action::Pass,
        }
    }
}

/// How an app wants texts to be judged. By default nothing happens to any text as long as there are no words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpamSettings {
    /// What words lead to, by class.
    pub words: ClassActions,
    /// What becomes of an advertisement. It has no single words to hide: `mask` means `review`.
    pub advertising: Action,
    /// The score from which on a text is an advertisement.
    pub advertising_score_min: u32,
    /// What becomes of the same text to many; `mask` means `review`.
    pub same_text: Action,
    /// People and rooms to whom somebody may write the same text within `same_text_seconds`.
    pub same_text_targets_max: u32,
    /// Seconds for which texts are compared.
    pub same_text_seconds: u32,
    /// Messages that one user may send in a minute, and at once after a pause; 0 = any number.
    pub messages_per_minute_max: u32,
    /// Days for which audits, and messages that were reviewed, are kept.
    pub audit_days: u32,
}

impl Default for SpamSettings {
    fn default() -> Self {
        Self {
            words: ClassActions::default(),
            advertising: Action::Pass,
            advertising_score_min: SCORE_DEFAULT,
            same_text: Action::Pass,
            same_text_targets_max: 20,
            same_text_seconds: 600,
            messages_per_minute_max: 0,
            audit_days: 30,
        }
    }
}

impl SpamSettings {
    /// The name of a setting that is out of its range, if there is one.
    pub fn out_of_range(&self) -> Option<&'static str> {
        let checks = [
            ("spam.advertising_score_min", self.advertising_score_min > 0),
            ("spam.same_text_targets_max", (1..=SAME_TEXT_TARGETS_MAX).contains(&self.same_text_targets_max)),
            ("spam.same_text_seconds", (1..=SAME_TEXT_SECONDS_MAX).contains(&self.same_text_seconds)),
            ("spam.audit_days", self.audit_days > 0),
        ];
        checks.into_iter().find(|(_, valid)| !valid).map(|(name, _)| name)
    }
}

/// Why a text does not simply pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A word of this class.
    Word(Class),
    /// It looks like an advertisement.
    Advertising,
    /// The same went to many.
    SameText,
}

impl Rule {
    /// The name in audits.
    pub fn name(self) -> &'static str {
        match self {
            Self::Word(class) => class.name(),
            Self::Advertising => "advertisement",
            Self::SameText => "same_text",
        }
    }
}

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What is done.
    pub action: Action,
    /// Why.
    pub rule: Rule,
    /// The part of the text that was found, with what is around it.
    pub excerpt: String,
    /// What may be shown, if the action is [`Action::Mask`].
    pub masked: Option<String>,
}

/// Judges a text. `None`: nothing speaks against it. `same_text` says that the same went to too many.
pub fn judge(text: &str, words: Option<&WordList>, settings: &SpamSettings, same_text: bool) -> Option<Judgement> {
    let found = words.map_or_else(Vec::new, |words| words.find(text));
    let by_words = found.iter().map(|found| (settings.words.of(found.class), Rule::Word(found.class), found.start));
    let strictest = by_words.max_by_key(|(action, ..)| *action);
    let whole = |action| if action == Action::Mask { Action::Review } else { action };
    let repeated = same_text.then_some((whole(settings.same_text), Rule::SameText, 0));
    let looks_at_score = settings.advertising != Action::Pass;
    let advertises = looks_at_score && score::score(text) >= settings.advertising_score_min;
    let advertisement = advertises.then_some((whole(settings.advertising), Rule::Advertising, 0));
    let candidates = [advertisement, repeated, strictest];
    let (action, rule, start) = candidates.into_iter().flatten().max_by_key(|(action, ..)| *action)?;
    let masked = (action == Action::Mask).then(|| words::mask(text, &hidden(&found, settings)));
    (action != Action::Pass).then(|| Judgement { action, rule, excerpt: excerpt(text, start), masked })
}

/// Words of classes that are let pass stay.
fn hidden(found: &[Found], settings: &SpamSettings) -> Vec<Found> {
    found.iter().filter(|found| settings.words.of(found.class) != Action::Pass).copied().collect()
}

fn excerpt(text: &str, start: usize) -> String {
    let before = text[..start].char_indices().rev().take(EXCERPT_CHARACTERS_BEFORE).last().map_or(start, |(at, _)| at);
    text[before..].chars().take(EXCERPT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> WordList {
        WordList::compile([(Class::Porn, "赌博"), (Class::Abuse, "笨蛋"), (Class::Other, "香蕉")]).unwrap()
    }

    fn judged(text: &str, settings: &SpamSettings) -> Option<(Action, Rule)> {
        judge(text, Some(&words()), settings, false).map(|judgement| (judgement.action, judgement.rule))
    }

    #[test]
    fn nothing_happens_without_words_and_settings() {
        let settings = SpamSettings::default();
        assert_eq!(settings.out_of_range(), None);
        for text in ["赌博", "代开发票，刷单，加微信 abc12345", ""] {
            assert_eq!(judge(text, None, &settings, true), None, "{text}");
        }
    }

    #[test]
    fn the_strictest_action_holds() {
        let mut settings = SpamSettings::default();
        assert_eq!(judged("你这个笨蛋", &settings), Some((Action::Mask, Rule::Word(Class::Abuse))));
        assert_eq!(judged("笨蛋才赌博，香蕉", &settings), Some((Action::Reject, Rule::Word(Class::Porn))));
        settings.words.porn = Action::Pass;
        assert_eq!(judged("赌博", &settings), None);
        let masked = judge("笨蛋才赌博", Some(&words()), &settings, false).unwrap().masked;
        assert_eq!(masked.as_deref(), Some("**才赌博"));
        settings.advertising = Action::Mask;
        let advertisement = "专业代开发票，刷单，加微信 fapiao8866";
        assert_eq!(judged(advertisement, &settings), Some((Action::Review, Rule::Advertising)));
        settings.advertising = Action::Reject;
        assert_eq!(judged(&format!("笨蛋{advertisement}"), &settings), Some((Action::Reject, Rule::Advertising)));
        settings.same_text = Action::Reject;
        let again = judge("笨蛋", Some(&words()), &settings, true).unwrap();
        assert_eq!((again.action, again.rule, again.masked), (Action::Reject, Rule::SameText, None));
    }

    #[test]
    fn an_audit_keeps_what_was_found() {
        let text = format!("{}赌博{}", "前".repeat(100), "后".repeat(100));
        let judgement = judge(&text, Some(&words()), &SpamSettings::default(), false).unwrap();
        let expected = format!("{}赌博{}", "前".repeat(20), "后".repeat(58));
        assert_eq!(judgement.excerpt, expected);
    }

    #[test]
    fn settings_are_read_with_defaults_and_nothing_unknown() {
        assert_eq!(
            SpamSettings { same_text_seconds: 0, ..Default::default() }.out_of_range(),
            Some("spam.same_text_seconds")
        );
        assert_eq!(SpamSettings { audit_days: 0, ..Default::default() }.out_of_range(), Some("spam.audit_days"));
    }
}
