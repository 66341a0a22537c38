//! Instants as the API reads, stores and shows them: UTC, whole milliseconds. No table names here.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, SecondsFormat, Utc};
use tower_clerk::clock::{Clock as _, SystemClock};

/// Returns the current time in the precision of the database.
pub(crate) fn now() -> DateTime<Utc> {
    let now = DateTime::<Utc>::from(SystemClock::new().now());
    whole_millis(now).unwrap_or(now)
}

/// Returns an instant as answers show it: RFC 3339 with `Z`.
pub(crate) fn show(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Parses RFC 3339 with any offset. Fractions of a millisecond are cut off, so that every database
/// stores and compares the same instant.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    whole_millis(time).filter(in_range)
}

/// Parses the first instant of a range: RFC 3339, or a plain date, of which it is the first
/// instant.
pub(crate) fn parse_start(text: &str) -> Option<DateTime<Utc>> {
    match plain_date(text) {
        Some(date) => Some(date.and_time(NaiveTime::MIN).and_utc()).filter(in_range),
        None => {
            let given = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
            let start = whole_millis(given)?;
            let lost = given > start;
            start.checked_add_signed(chrono::TimeDelta::milliseconds(lost.into())).filter(in_range)
        }
    }
}

/// Parses the last instant of a range: RFC 3339, or a plain date, of which it is the last instant.
pub(crate) fn parse_end(text: &str) -> Option<DateTime<Utc>> {
    match plain_date(text) {
        Some(date) => {
            let next = date.checked_add_days(Days::new(1))?.and_time(NaiveTime::MIN).and_utc();
            next.checked_sub_signed(chrono::TimeDelta::milliseconds(1)).filter(in_range)
        }
        None => parse(text),
    }
}

fn plain_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// Cuts off fractions of a millisecond. A leap second becomes the second after it, because no
/// database stores `:60`.
fn whole_millis(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.timestamp_millis())
}

/// Returns whether the year is one that PostgreSQL, MySQL, SQLite's text and RFC 3339 order alike.
fn in_range(time: &DateTime<Utc>) -> bool {
    (1970..=9999).contains(&time.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_utc_however_it_was_given() {
        for (given, shown) in [
            ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"),
            ("2030-01-02T03:04:05+02:00", "2030-01-02T01:04:05Z"),
            ("2030-01-02T03:04:05.123456789-00:30", "2030-01-02T03:34:05.123Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(show(parse(given).unwrap()), shown);
        }
    }

    #[test]
    fn what_no_database_could_keep_is_refused() {
        for text in [
            "",
            "tomorrow",
            "2030-01-02",
            "2030-01-02T03:04:05",
            "2030-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "10000-01-01T00:00:00Z",
            "1893456000",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_plain_date_is_its_whole_day() {
        assert_eq!(show(parse_start("2030-01-02").unwrap()), "2030-01-02T00:00:00Z");
        assert_eq!(show(parse_end("2030-01-02").unwrap()), "2030-01-02T23:59:59.999Z");
        assert!(parse_end("2030-1-2").is_none() && parse_start("10000-01-01").is_none());
    }

    #[test]
    fn a_bound_finer_than_a_millisecond_stays_on_its_side() {
        let start = parse_start("2030-01-02T00:00:00.0005Z").unwrap();
        let end = parse_end("2030-01-02T00:00:00.0005Z").unwrap();
        assert!(end < start);
        assert_eq!(show(end), "2030-01-02T00:00:00Z");
    }
}
