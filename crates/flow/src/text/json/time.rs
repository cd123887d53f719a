//! Points in time as text (RFC 3339, UTC) and as a number.

use super::text;
use crate::TimeNs;
use crate::text::write::{field, number};

/// Appends a time as `"2026-01-02T03:04:05.000000006Z"` and as nanoseconds since 1970.
///
/// The number may be beyond 2^53, where readers that keep numbers as floating point lose digits. The text has them all.
pub(super) fn both_forms(out: &mut Vec<u8>, text_name: &str, number_name: &str, time: TimeNs) {
    text(out, text_name);
    out.push(b'"');
    let (days, second) = (time.seconds() / 86400, time.seconds() % 86400);
    let (year, month, day) = date_of(days);
    for (value, width, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
        (second % 60, 2, b'.'),
        (time.0 % 1_000_000_000, 9, b'Z'),
    ] {
        digits(out, value, width);
        out.push(after);
    }
    out.push(b'"');
    field(out, number_name, time.0);
}

/// Appends a number with zeros before it.
fn digits(out: &mut Vec<u8>, value: u64, width: u32) {
    let len = value.checked_ilog10().unwrap_or_default() + 1;
    for _ in len..width {
        out.push(b'0');
    }
    number(out, value);
}

/// Year, month and day of a day since 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last one of a year, in eras of 400 years (146097 days).
fn date_of(days: u64) -> (u64, u64, u64) {
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{both_forms, date_of};
    use crate::TimeNs;

    #[test]
    fn times_are_rfc_3339_with_nine_digits() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z"),
            (951_868_800_000_000_001, "2000-03-01T00:00:00.000000001Z"),
            (1_767_323_045_006_000_000, "2026-01-02T03:04:05.006000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            let mut out = Vec::new();
            both_forms(&mut out, "", ",", TimeNs(ns));
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{text}\",{ns}"));
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = (1969, 12, 31);
        for days in 0..220_000 {
            let (year, month, day) = date_of(days);
            let next_day = (year, month, day) == (before.0, before.1, before.2 + 1);
            let next_month = (year, month, day) == (before.0, before.1 + 1, 1);
            let next_year = (year, month, day) == (before.0 + 1, 1, 1) && before.1 == 12;
            assert!((next_day && day <= 31) || next_month || next_year, "{before:?} {days}");
            before = (year, month, day);
        }
    }
}
