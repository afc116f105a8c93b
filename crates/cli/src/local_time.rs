//! Moments (milliseconds since 1970) as the clock on the user's wall shows them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

fn zoned(unix_ms: u64, zone: &TimeZone) -> Zoned {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    // A server may say anything; the end of time is as good as any.
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_zoned(zone.clone())
}

/// The day.
pub fn date(unix_ms: u64, zone: &TimeZone) -> Date {
    zoned(unix_ms, zone).date()
}

/// Such as `09:05`.
pub fn hours_minutes(unix_ms: u64, zone: &TimeZone) -> String {
    zoned(unix_ms, zone).strftime("%H:%M").to_string()
}

/// Such as `2026-11-02 09:05:07`.
pub fn date_time(unix_ms: u64, zone: &TimeZone) -> String {
    zoned(unix_ms, zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// RFC 3339 in UTC, for machines.
pub fn rfc3339(unix_ms: u64) -> String {
    zoned(unix_ms, &TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_the_zone_of_the_user() {
        let moment = 1_762_041_600_123;
        let shanghai = TimeZone::fixed(jiff::tz::offset(8));
        assert_eq!(rfc3339(moment), "2025-11-02T00:00:00.123Z");
        assert_eq!(date_time(moment, &shanghai), "2025-11-02 08:00:00");
        assert_eq!(hours_minutes(moment, &shanghai), "08:00");
        assert_eq!(date(moment - 1000, &TimeZone::UTC).to_string(), "2025-11-01");
    }

    #[test]
    fn nonsense_is_a_moment_too() {
        assert!(hours_minutes(u64::MAX, &TimeZone::UTC).contains(':'));
    }
}
