//! Spans of time in words: `6 d 23 h`, `41 s`.

use std::time::Duration;

/// The two largest units that are not zero.
pub(crate) fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let Some(first) = units.iter().position(|(count, _)| *count > 0) else {
        return "0 s".to_owned();
    };
    let mut words = String::new();
    for (count, unit) in units.iter().skip(first).take(2) {
        if *count > 0 {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(&format!("{count} {unit}"));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (seconds, words) in [
            (0, "0 s"),
            (41, "41 s"),
            (60, "1 min"),
            (3_661, "1 h 1 min"),
            (86_400, "1 d"),
            (604_799, "6 d 23 h"),
            (86_400 + 59, "1 d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }
}
