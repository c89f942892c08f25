//! Text that an attacker may have chosen: user agents, session names, aliases, tags, error texts.

use std::fmt;
use std::sync::Arc;

/// Text chosen by whoever made the call. It has no `Display`: each sink must escape it in its own way.
///
/// `Debug` prints it with Rust's escapes, so control characters never reach a terminal or a log as they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Untrusted(Arc<str>);

impl Untrusted {
    /// Marks text as untrusted.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text as it came. Compare it, hash it, store it; never print it without an escape.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// For plain text on one line: control, bidirectional and zero-width characters are dropped, and the
    /// rest is cut to `max_chars` characters (with `…` where something was cut). Still not escaped for any markup.
    pub fn one_line(&self, max_chars: usize) -> String {
        let mut visible = self.0.chars().filter(|character| !is_invisible(*character));
        let mut line: String = visible.by_ref().take(max_chars).collect();
        if visible.next().is_some() {
            line.push('…');
        }
        line
    }
}

/// Characters that change how other text looks without being seen.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' |
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' |
            '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_dropped_and_length_is_bounded() {
        assert_eq!(Untrusted::from("a\u{202e}b\n\u{1b}[31mc").one_line(20), "ab[31mc");
        assert_eq!(Untrusted::from("abcdef").one_line(3), "abc…");
        assert_eq!(Untrusted::from("abc").one_line(3), "abc");
    }
}
