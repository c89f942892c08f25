//! What an HTTP status means for the driver, and how long the other side asks to wait.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use keyvigil_connector::failure::FailureClass;
use keyvigil_model::time::Timestamp;

/// A wait that the other side asks for counts up to this: a wrong one must not silence a receiver for days.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The class of a status: `Ok` for 2xx. `wait` is what `Retry-After` said.
pub fn classify(status: u16, wait: Option<Duration>) -> Result<(), FailureClass> {
    Err(match status {
        200..=299 => return Ok(()),
        429 => FailureClass::Throttled(wait),
        // RFC 9110, 15.6.4: the server is overloaded and says until when.
        503 if wait.is_some() => FailureClass::Throttled(wait),
        500..=599 => FailureClass::Transient,
        // Request timeout, misdirected (another connection may do), too early.
        408 | 421 | 425 => FailureClass::Transient,
        401 => FailureClass::Unauthenticated,
        403 => FailureClass::Denied,
        404 | 410 => FailureClass::NotFound,
        // Redirects are not followed: they are how a webhook is made to call something else.
        300..=399 => FailureClass::Permanent,
        400..=499 => FailureClass::Permanent,
        // 1xx is never a final answer, and nothing is defined from 600 on.
        0..=199 | 600.. => FailureClass::Unreadable,
    })
}

/// Reads `Retry-After` (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of section 5.6.7.
///
/// `None` if it is neither; a date in the past is zero; never more than [`MAX_RETRY_AFTER`].
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let span = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than u64 holds is still a number, and a long wait.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        http_date(value)?.since(now)
    };
    Some(span.min(MAX_RETRY_AFTER))
}

fn http_date(value: &str) -> Option<Timestamp> {
    const FORMS: [&str; 3] = [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ];
    for form in FORMS {
        if let Ok(date) = DateTime::strptime(form, value) {
            let instant = TimeZone::UTC.to_timestamp(date).ok()?;
            return Some(Timestamp::from_micros(instant.as_microsecond()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class() {
        let wait = Some(Duration::from_secs(7));
        for status in 100..=599 {
            let expected = match status {
                100..=199 => Err(FailureClass::Unreadable),
                200..=299 => Ok(()),
                401 => Err(FailureClass::Unauthenticated),
                403 => Err(FailureClass::Denied),
                404 | 410 => Err(FailureClass::NotFound),
                408 | 421 | 425 => Err(FailureClass::Transient),
                429 => Err(FailureClass::Throttled(None)),
                300..=499 => Err(FailureClass::Permanent),
                _ => Err(FailureClass::Transient),
            };
            assert_eq!(classify(status, None), expected, "{status}");
            let with_wait = match status {
                429 | 503 => Err(FailureClass::Throttled(wait)),
                _ => expected,
            };
            assert_eq!(classify(status, wait), with_wait, "{status} with Retry-After");
        }
        for status in [0, 99, 600, 999, u16::MAX] {
            assert_eq!(classify(status, None), Err(FailureClass::Unreadable), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse_rfc3339("1994-11-06T08:49:00Z").unwrap();
        let seconds = |count| Some(Duration::from_secs(count));
        for (value, expected) in [
            ("0", seconds(0)),
            ("30", seconds(30)),
            (" 30 ", seconds(30)),
            ("3601", seconds(3600)),
            ("99999999999999999999999999", seconds(3600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", seconds(37)),
            ("Sun Nov  6 08:49:37 1994", seconds(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", seconds(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", seconds(3600)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(retry_after(value, now), expected, "{value:?}");
        }
    }
}
