//! Text that is safe in Slack: without invisible characters, bounded, and escaped where Slack reads markup.

use keyvigil_model::untrusted::Untrusted;

/// What one character costs in a JSON document that is written in ASCII, which is the strictest way to count it.
fn cost(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        other => 6 * other.len_utf16(),
    }
}

/// What a text costs; see [`clip`].
pub(super) fn cost_of(text: &str) -> usize {
    text.chars().map(cost).sum()
}

/// For `plain_text` and rich-text elements, where Slack reads no markup: control, bidirectional and zero-width
/// characters are dropped, and the rest is cut so that it takes at most `room` characters of JSON, however it is
/// encoded. Never empty: Slack refuses empty texts.
pub(super) fn clip(text: &str, room: usize) -> String {
    let visible = Untrusted::from(text).one_line(room);
    if visible.trim().is_empty() {
        return "-".to_owned();
    }
    if cost_of(&visible) <= room {
        return visible;
    }
    let mut left = room.saturating_sub(cost('…'));
    let mut cut = String::new();
    for character in visible.chars() {
        let Some(rest) = left.checked_sub(cost(character)) else {
            break;
        };
        left = rest;
        cut.push(character);
    }
    cut.push('…');
    cut
}

/// For the `text` of a message, which Slack reads as mrkdwn and which holds only words of ours: the three characters
/// that start markup are escaped; of those that format, for which there is no escape, the ones that no identifier
/// contains are replaced by look-alikes.
pub(super) fn mrkdwn(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '*' => safe.push('∗'),
            '~' => safe.push('∼'),
            '`' => safe.push('\''),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_what_they_cost() {
        for (text, room, expected) in [
            ("abc", 10, "abc"),
            ("abcdefghijkl", 10, "abcd…"),
            ("say \"x\"", 9, "say \"x\""),
            ("say \"xy\"", 9, "say…"),
            ("\u{1f511}\u{1f511}\u{1f511}", 30, "\u{1f511}\u{1f511}…"),
            ("a\u{202e}b\nc\u{1b}", 10, "abc"),
            ("", 10, "-"),
            ("\u{200b} \n", 10, "-"),
        ] {
            assert_eq!(clip(text, room), expected, "{text:?}");
            assert!(cost_of(&clip(text, room)) <= room, "{text:?}");
        }
    }

    #[test]
    fn mrkdwn_makes_no_link_and_no_mention_any_more() {
        assert_eq!(
            mrkdwn("<!channel> *b* _i_ ~s~ `c` a&b"),
            "&lt;!channel&gt; ∗b∗ _i_ ∼s∼ 'c' a&amp;b"
        );
    }
}
