//! The time at which a server answered, from the header `Date`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AGE, DATE, HeaderMap};

/// Returns the time at which the server answered; `None` for an answer without a readable `Date`, or
/// for one that a cache has kept.
pub(crate) fn answered_at(headers: &HeaderMap) -> Option<SystemTime> {
    if headers.contains_key(AGE) {
        return None;
    }
    parse(headers.get(DATE)?.to_str().ok()?)
}

/// Parses the form that servers must send, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 5.6.7).
fn parse(text: &str) -> Option<SystemTime> {
    let (_day, date) = text.trim().split_once(", ")?;
    let mut words = date.strip_suffix(" GMT")?.split(' ');
    let mut word = || words.next();
    let day: u64 = word()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    let name = word()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year: u64 = word()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut time = word()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (time.next()??, time.next()??, time.next()??);
    if word().is_some() || time.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_day = u64::from(is_leap && month > 1);
    // The leap days before this year, less those before 1970.
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477;
    let days = (year - 1970) * 365 + leap_days + DAYS_BEFORE.get(month)? + leap_day + day - 1;
    let seconds = days * 86_400 + hours * 3600 + minutes * 60 + seconds;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The days of a year without a leap day that are before each month.
const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_to_the_second_and_nothing_else_is_one() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Mon, 12 Jan 1970 13:46:40 GMT", 1_000_000),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Wed, 31 Dec 2008 23:59:60 GMT", 1_230_768_000),
            ("Sun, 17 Mar 2030 17:46:40 GMT", 1_900_000_000),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
        ] {
            let expected = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for bad in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_from_a_cache_tells_no_time() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Thu, 01 Jan 1970 00:00:00 GMT".parse().unwrap());
        assert_eq!(answered_at(&headers), Some(UNIX_EPOCH));
        headers.insert(AGE, "0".parse().unwrap());
        assert_eq!(answered_at(&headers), None);
    }
}
