//! Instants as the API reads, stores and shows them: UTC, whole milliseconds. No table names here.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
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

/// The reason why a text is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    /// It is neither RFC 3339 nor, where one is possible, a plain date.
    Form,
    /// It is before 1970 or after 9999.
    Range,
}

/// Parses RFC 3339 with any offset. Fractions of a millisecond are cut off, so that every database
/// stores and compares the same instant.
pub(crate) fn parse(text: &str) -> Result<DateTime<Utc>, TimeError> {
    in_range(whole_millis(rfc_3339(text)?))
}

/// Parses the first instant of a range: RFC 3339, or a plain date, of which it is the first
/// instant.
pub(crate) fn parse_start(text: &str) -> Result<DateTime<Utc>, TimeError> {
    if let Some(date) = plain_date(text) {
        return in_range(Some(date.and_time(NaiveTime::MIN).and_utc()));
    }
    let given = rfc_3339(text)?;
    let start = whole_millis(given).ok_or(TimeError::Range)?;
    let lost = given > start;
    in_range(start.checked_add_signed(TimeDelta::milliseconds(lost.into())))
}

/// Parses the last instant of a range: RFC 3339, or a plain date, of which it is the last instant.
pub(crate) fn parse_end(text: &str) -> Result<DateTime<Utc>, TimeError> {
    let Some(date) = plain_date(text) else { return parse(text) };
    let next = date.checked_add_days(Days::new(1)).ok_or(TimeError::Range)?;
    let next = next.and_time(NaiveTime::MIN).and_utc();
    in_range(next.checked_sub_signed(TimeDelta::milliseconds(1)))
}

fn plain_date(text: &str) -> Option<NaiveDate> {
    let is_one = text.len() == 10 && starts_with_date(text);
    is_one.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

fn rfc_3339(text: &str) -> Result<DateTime<Utc>, TimeError> {
    // The parser takes U+2212 for a hyphen, which RFC 3339 does not.
    if !text.is_ascii() || !starts_with_date(text) {
        return Err(TimeError::Form);
    }
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(|_| TimeError::Form)
}

/// Returns whether the text starts with `YYYY-MM-DD`, all of it digits and hyphens: the parser takes
/// spaces for leading zeros.
fn starts_with_date(text: &str) -> bool {
    let form = b"dddd-dd-dd";
    text.len() >= form.len()
        && text.bytes().zip(form).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            _ => byte == b'-',
        })
}

/// Cuts off fractions of a millisecond. A leap second becomes the second after it, because no
/// database stores `:60`.
fn whole_millis(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.timestamp_millis())
}

/// Returns the instant if its year is one that PostgreSQL, MySQL, SQLite's text and RFC 3339 order
/// alike.
fn in_range(time: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, TimeError> {
    time.filter(|time| (1970..=9999).contains(&time.year())).ok_or(TimeError::Range)
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
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plain_date_is_its_whole_day() {
        assert_eq!(show(parse_start("2030-01-02").unwrap()), "2030-01-02T00:00:00Z");
        assert_eq!(show(parse_end("2030-01-02").unwrap()), "2030-01-02T23:59:59.999Z");
        assert!(parse_end("2030-1-2").is_err() && parse_start("10000-01-01").is_err());
    }

    #[test]
    fn fault_c10_a_time_that_is_out_of_range_is_told_from_one_that_is_malformed() {
        for (text, error) in [
            ("1969-12-31T23:59:59Z", TimeError::Range),
            ("0001-01-01T00:00:00Z", TimeError::Range),
            ("9999-12-31T23:59:59-01:00", TimeError::Range),
            ("1969-12-31", TimeError::Range),
            ("10000-01-01", TimeError::Form),
            ("2030-13-01", TimeError::Form),
            ("1969-12-31T23:59:59", TimeError::Form),
            ("", TimeError::Form),
        ] {
            assert_eq!(parse_start(text), Err(error), "{text}");
            assert_eq!(parse_end(text), Err(error), "{text}");
        }
        assert_eq!(parse("1969-12-31T23:59:59Z"), Err(TimeError::Range));
        assert_eq!(show(parse_end("9999-12-31").unwrap()), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn fault_c22_only_digits_and_hyphens_are_a_date() {
        for text in [
            "2030- 1- 2",
            " 2030-1-02",
            "2030-01-+2",
            "2030-01- 2",
            "2030\u{2212}01\u{2212}02",
            "2030-01-02T00:00:00\u{2212}01:00",
            "2030- 1- 2T00:00:00Z",
            "\u{0662}030-01-02",
        ] {
            assert_eq!(parse_start(text), Err(TimeError::Form), "{text}");
            assert_eq!(parse_end(text), Err(TimeError::Form), "{text}");
            assert_eq!(parse(text), Err(TimeError::Form), "{text}");
        }
    }

    #[test]
    fn a_bound_finer_than_a_millisecond_stays_on_its_side() {
        let start = parse_start("2030-01-02T00:00:00.0005Z").unwrap();
        let end = parse_end("2030-01-02T00:00:00.0005Z").unwrap();
        assert!(end < start);
        assert_eq!(show(end), "2030-01-02T00:00:00Z");
    }
}
