//! Points in time as keyvigil stores and compares them: microseconds since the Unix epoch, always UTC.

use std::fmt;
use std::time::Duration;

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A UTC calendar day, counted from 1970-01-01. The access ledger is kept by day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(pub i32);

/// The text was not an RFC 3339 date-time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotRfc3339;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch; saturates.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// The UTC day that holds this instant.
    pub fn day(self) -> Day {
        // A 64-bit count of microseconds spans 213 million days: always inside i32.
        Day(self.as_secs().div_euclid(SECONDS_PER_DAY) as i32)
    }

    /// This instant moved forward; saturates.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(span)))
    }

    /// This instant moved back; saturates.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(span)))
    }

    /// Time from `earlier` to `self`; zero if `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance between two instants, whichever is first.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }

    /// Reads an RFC 3339 date-time, as every cloud audit log writes it.
    pub fn parse_rfc3339(text: &str) -> Result<Self, NotRfc3339> {
        if let Some(fast) = parse_plain_utc(text.as_bytes()) {
            return Ok(fast);
        }
        let parsed: jiff::Timestamp = text.parse().map_err(|_| NotRfc3339)?;
        Ok(Self(parsed.as_microsecond()))
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// `2023-07-10T12:00:00Z`, the only form that CloudTrail writes; anything else is left to the full parser.
fn parse_plain_utc(text: &[u8]) -> Option<Timestamp> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'Z',
    ] = *text
    else {
        return None;
    };
    let digits = |list: &[u8]| {
        list.iter().try_fold(0i64, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let year = digits(&[y1, y2, y3, y4])?;
    let (month, day) = (digits(&[m1, m2])?, digits(&[d1, d2])?);
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[n1, n2])?, digits(&[s1, s2])?);
    // Day 29 and later is left to the full parser, which knows the months.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_secs(seconds))
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. March-based years put the leap day last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(value) => write!(f, "{value}"),
            // Outside years -9999..9999: nothing real, still printable.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Day {
    /// Midnight UTC at the start of the day.
    pub fn start(self) -> Timestamp {
        Timestamp::from_secs(i64::from(self.0) * SECONDS_PER_DAY)
    }

    /// The next day.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.start().to_string();
        write!(f, "{}", text.get(..10).unwrap_or(&text))
    }
}

impl fmt::Display for NotRfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 date-time such as 2026-01-31T12:00:00Z")
    }
}

impl std::error::Error for NotRfc3339 {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, micros: i64) {
        assert_eq!(
            Timestamp::parse_rfc3339(text),
            Ok(Timestamp::from_micros(micros)),
            "{text}"
        );
    }

    #[test]
    fn reads_the_forms_that_clouds_write() {
        check("1970-01-01T00:00:00Z", 0);
        check("2023-07-10T12:00:00Z", 1_688_990_400_000_000);
        check("2024-02-29T23:59:59Z", 1_709_251_199_000_000);
        check("2023-07-10T12:00:00.5Z", 1_688_990_400_500_000);
        check("2023-07-10T14:00:00+02:00", 1_688_990_400_000_000);
    }

    #[test]
    fn the_fast_path_agrees_with_the_full_parser() {
        for day in 0..60_000 {
            let text = Timestamp::from_secs(day * SECONDS_PER_DAY + 3_661).to_string();
            let slow: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(
                Timestamp::parse_rfc3339(&text).unwrap().as_micros(),
                slow.as_microsecond(),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for text in [
            "",
            "yesterday",
            "2023-13-01T00:00:00Z",
            "2023-02-30T00:00:00Z",
            "2023-01-01T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(NotRfc3339), "{text}");
        }
    }

    #[test]
    fn prints_what_it_reads() {
        let time = Timestamp::from_secs(1_688_990_400);
        assert_eq!(time.to_string(), "2023-07-10T12:00:00Z");
        assert_eq!(time.day().to_string(), "2023-07-10");
        assert_eq!(time.since(time.plus(Duration::from_secs(1))), Duration::ZERO);
    }
}
