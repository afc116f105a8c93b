//! Names of apps and users as tenants choose them: 1-64 bytes of `A-Z a-z 0-9 . _ - @`, case-sensitive (design §6); and
//! names of visitors, which nobody chooses: `~` and 22 characters of base64url.

use std::fmt;
use std::sync::Arc;

/// Longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// What the name of a visitor begins with, and no other name.
const VISITOR_SIGN: char = '~';
/// Characters of a visitor's name after the sign: 16 bytes in base64url.
pub const VISITOR_ID_BYTES: usize = 22;

/// A name that has been checked; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks a name that somebody chose. Names of visitors, which start with `~`, are not made this way.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        let valid = !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(allowed);
        valid.then(|| Self(text.into()))
    }

    /// The name of the visitor of an id, 22 characters of base64url.
    pub fn of_visitor(id: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let valid = id.len() == VISITOR_ID_BYTES && id.bytes().all(allowed);
        valid.then(|| Self(format!("{VISITOR_SIGN}{id}").into()))
    }

    /// Checks a name by which a request addresses somebody, visitor or not.
    pub fn parse_anybody(text: &str) -> Option<Self> {
        match text.strip_prefix(VISITOR_SIGN) {
            Some(id) => Self::of_visitor(id),
            None => Self::parse(text),
        }
    }

    /// The id in the name of a visitor.
    pub fn visitor_id(&self) -> Option<&str> {
        self.0.strip_prefix(VISITOR_SIGN)
    }

    /// Whether it is the name of a visitor.
    pub fn is_visitor(&self) -> bool {
        self.visitor_id().is_some()
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_an_allow_list() {
        for good in ["a", "49", "Li.Lei_01-x@example.com", &"x".repeat(64)] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        for bad in ["", "~visitor", "a b", "a/b", "é", "a\0", "*", ">", &"x".repeat(65)] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_of_visitors_are_their_own() {
        let id = "AAAAAAAAAAAAAAAAAAAA-_";
        let visitor = Name::of_visitor(id).unwrap();
        assert_eq!((visitor.as_str(), visitor.visitor_id()), (&*format!("~{id}"), Some(id)));
        assert_eq!(Name::parse_anybody(visitor.as_str()), Some(visitor.clone()));
        assert_eq!(Name::parse(visitor.as_str()), None);
        assert!(visitor.is_visitor() && !Name::parse(id).unwrap().is_visitor());
        assert_eq!(Name::parse_anybody("ann"), Name::parse("ann"));
        for bad in ["", "short", &format!("{id}A"), "AAAAAAAAAAAAAAAAAAAA+/", "~AAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Name::of_visitor(bad), None, "{bad}");
            assert_eq!(Name::parse_anybody(&format!("~{bad}")), None, "{bad}");
        }
    }
}
