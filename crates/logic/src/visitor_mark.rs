//! Marks: by what a visitor is known again (spec 71). Pure: keys and time are given.
//!
//! ```text
//! v1.<22 characters: the id>.<when it was signed, seconds since 1970>.<number of the key>.<HMAC-SHA-256, base64url>
//! ```
//!
//! The code covers a context, the app, the id and the time, so a mark means nothing in another app. Nothing about the
//! visitor is in it: no fingerprint, no address.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hongyan_domain::name::Name;
use hongyan_domain::time::UnixMillis;

/// Bytes of a key.
pub const VISITOR_KEY_BYTES: usize = 32;
/// Longest mark, in bytes: longer ones are not looked at.
const MARK_BYTES_MAX: usize = 128;
const VERSION: &str = "v1";
const CONTEXT: &[u8] = b"hongyan visitor mark v1";
const DAY_SECONDS: u64 = 86_400;

/// The keys: the first signs, all verify. To rotate, put a new one first and drop the last when the marks that it has
/// signed are too old anyway.
pub struct VisitorKeys(Vec<(u32, hmac::Key)>);

/// Why a mark is refused; for the log, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkFault {
    /// It does not look like one.
    Malformed,
    /// Nobody has the key any more.
    UnknownKey,
    /// Signed for something else, or not by us.
    Forged,
    /// Signed too long ago.
    TooOld,
}

impl VisitorKeys {
    /// Keys by number; at least one.
    pub fn new(keys: impl IntoIterator<Item = (u32, [u8; VISITOR_KEY_BYTES])>) -> Self {
        let keys: Vec<_> =
            keys.into_iter().map(|(number, key)| (number, hmac::Key::new(hmac::HMAC_SHA256, &key))).collect();
        assert!(!keys.is_empty(), "logic needs a key for visitors' marks");
        Self(keys)
    }

    /// The mark of a visitor; `None` for everybody else.
    pub(crate) fn sign(&self, app: &Name, visitor: &Name, now: UnixMillis) -> Option<String> {
        let id = visitor.visitor_id()?;
        let (number, key) = &self.0[0];
        let issued = now.0 / 1_000;
        let code = URL_SAFE_NO_PAD.encode(hmac::sign(key, &covered(app, id, issued)));
        Some(format!("{VERSION}.{id}.{issued}.{number}.{code}"))
    }

    /// The visitor whose mark it is, if it was signed for this app and not more than so many days ago.
    pub(crate) fn verify(&self, mark: &str, app: &Name, now: UnixMillis, days_max: u32) -> Result<Name, MarkFault> {
        let (visitor, issued, number, code) = parse(mark).ok_or(MarkFault::Malformed)?;
        let id = visitor.visitor_id().ok_or(MarkFault::Malformed)?;
        let (_, key) = self.0.iter().find(|(known, _)| *known == number).ok_or(MarkFault::UnknownKey)?;
        let genuine = hmac::verify(key, &covered(app, id, issued), &code).is_ok();
        if !genuine {
            return Err(MarkFault::Forged);
        }
        // One of the future tells that the clock was turned back.
        if (now.0 / 1_000).saturating_sub(issued) > u64::from(days_max) * DAY_SECONDS {
            return Err(MarkFault::TooOld);
        }
        Ok(visitor)
    }
}

/// What the code covers. The app's length goes first, so that no two apps and ids look the same.
fn covered(app: &Name, id: &str, issued: u64) -> Vec<u8> {
    let app = app.as_str().as_bytes();
    [CONTEXT, &(app.len() as u64).to_be_bytes(), app, id.as_bytes(), &issued.to_be_bytes()].concat()
}

/// Only the one spelling that [`VisitorKeys::sign`] writes.
fn parse(mark: &str) -> Option<(Name, u64, u32, Vec<u8>)> {
    if mark.len() > MARK_BYTES_MAX {
        return None;
    }
    let mut parts = mark.split('.');
    let mut next = || parts.next();
    let (version, id, issued, number, code) = (next()?, next()?, next()?, next()?, next()?);
    if version != VERSION || next().is_some() {
        return None;
    }
    let (seconds, key): (u64, u32) = (issued.parse().ok()?, number.parse().ok()?);
    if seconds.to_string() != issued || key.to_string() != number {
        return None;
    }
    Some((Name::of_visitor(id)?, seconds, key, URL_SAFE_NO_PAD.decode(code).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_780_000_000_500);
    const DAYS: u32 = 365;

    fn name(text: &str) -> Name {
        Name::parse_anybody(text).unwrap()
    }

    fn visitor() -> Name {
        name("~AAAAAAAAAAAAAAAAAAAAAQ")
    }

    #[test]
    fn a_mark_has_one_spelling_and_no_bit_may_change() {
        let keys = VisitorKeys::new([(3, [7; 32])]);
        let mark = keys.sign(&name("shop"), &visitor(), NOW).unwrap();
        assert!(mark.starts_with("v1.AAAAAAAAAAAAAAAAAAAAAQ.1780000000.3."), "{mark}");
        let verify = |mark: &str| keys.verify(mark, &name("shop"), NOW, DAYS);
        assert_eq!(verify(&mark), Ok(visitor()));
        for at in 0..mark.len() {
            assert!(verify(&mark[..at]).is_err(), "cut at {at}");
            for bit in 0..7 {
                let mut altered = mark.clone().into_bytes();
                altered[at] ^= 1 << bit;
                let altered = String::from_utf8(altered).unwrap();
                assert!(verify(&altered).is_err(), "{altered}");
            }
        }
        for strange in ["", ".", "v1....", &format!("{mark}."), &format!("{mark}="), &format!(" {mark}")] {
            assert_eq!(verify(strange), Err(MarkFault::Malformed), "{strange}");
        }
        assert_eq!(verify(&mark.replace(".3.", ".03.")), Err(MarkFault::Malformed));
        assert_eq!(verify(&mark.replace(".1780000000.", ".+1780000000.")), Err(MarkFault::Malformed));
        assert_eq!(verify(&format!("{mark}{}", "A".repeat(1_000_000))), Err(MarkFault::Malformed));
    }

    #[test]
    fn it_never_changes() {
        // Browsers keep marks for a year: another way to sign would make every visitor a new one.
        let mark = VisitorKeys::new([(3, [7; 32])]).sign(&name("shop"), &visitor(), NOW).unwrap();
        assert_eq!(mark, "v1.AAAAAAAAAAAAAAAAAAAAAQ.1780000000.3.iAeKoPGGtvs2uoiqgKLgs-Lpda5CFoW3ExfQwjkYzkw");
    }

    #[test]
    fn a_mark_holds_in_its_app_for_its_time() {
        let keys = VisitorKeys::new([(1, [7; 32])]);
        let mark = keys.sign(&name("shop"), &visitor(), NOW).unwrap();
        assert_eq!(keys.verify(&mark, &name("shopA"), NOW, DAYS), Err(MarkFault::Forged));
        let later = |days: u64| UnixMillis(NOW.0 + days * DAY_SECONDS * 1_000);
        assert_eq!(keys.verify(&mark, &name("shop"), later(365), DAYS), Ok(visitor()));
        assert_eq!(keys.verify(&mark, &name("shop"), later(366), DAYS), Err(MarkFault::TooOld));
        assert_eq!(keys.verify(&mark, &name("shop"), UnixMillis(0), DAYS), Ok(visitor()));
    }

    #[test]
    fn old_keys_verify_and_the_newest_signs() {
        let old = VisitorKeys::new([(1, [1; 32])]).sign(&name("shop"), &visitor(), NOW).unwrap();
        let rotated = VisitorKeys::new([(2, [2; 32]), (1, [1; 32])]);
        assert_eq!(rotated.verify(&old, &name("shop"), NOW, DAYS), Ok(visitor()));
        let new = rotated.sign(&name("shop"), &visitor(), NOW).unwrap();
        let dropped = VisitorKeys::new([(2, [2; 32])]);
        assert_eq!(dropped.verify(&new, &name("shop"), NOW, DAYS), Ok(visitor()));
        assert_eq!(dropped.verify(&old, &name("shop"), NOW, DAYS), Err(MarkFault::UnknownKey));
        let moved = old.replace(".1.", ".2.");
        assert_eq!(rotated.verify(&moved, &name("shop"), NOW, DAYS), Err(MarkFault::Forged));
    }

    #[test]
    fn only_visitors_have_marks() {
        assert_eq!(VisitorKeys::new([(1, [1; 32])]).sign(&name("shop"), &name("ann"), NOW), None);
    }
}
