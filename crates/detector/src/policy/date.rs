//! Dates in the policy: a day (its first instant, UTC) or an instant.

use keyvigil_model::time::Timestamp;

/// Reads `2026-12-31` (the first instant of that day, UTC) or an RFC 3339 date-time.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() == 10 {
        return Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z")).ok();
    }
    Timestamp::parse_rfc3339(text).ok()
}

/// Whether something that expires then still holds. An unreadable date never holds: a mistake must not hide findings.
pub fn holds(expires: &str, now: Timestamp) -> bool {
    parse(expires).is_some_and(|end| now < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_a_validity_at_its_start() {
        let midnight = Timestamp::parse_rfc3339("2026-12-31T00:00:00Z").unwrap();
        let before = Timestamp::parse_rfc3339("2026-12-30T23:59:59Z").unwrap();
        assert!(holds("2026-12-31", before));
        assert!(!holds("2026-12-31", midnight));
        assert!(!holds("never", before));
        assert!(holds("2026-12-31T12:00:00Z", midnight));
    }
}
