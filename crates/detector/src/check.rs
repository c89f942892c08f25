//! What a rule or a control says about itself.

use keyvigil_model::severity::Severity;

/// The description of a rule or a control, for listings, documentation and findings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckMeta {
    /// Dotted and stable.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// The severity of a finding whose circumstances raise or lower nothing.
    pub severity: Severity,
    /// Requirements and techniques it touches: `SOC2 CC6.1`, `CIS AWS 4.6`, `ATT&CK T1485`.
    pub references: &'static [&'static str],
    /// The source text of its file. The page for people is in its head: see [`CheckMeta::doc`].
    pub source: &'static str,
}

impl CheckMeta {
    /// The manual page: the `//!` comment at the head of the file, as Markdown.
    pub fn doc(&self) -> String {
        let mut page = String::new();
        for line in self.source.lines() {
            let Some(text) = line.strip_prefix("//!") else {
                break;
            };
            page.push_str(text.strip_prefix(' ').unwrap_or(text));
            page.push('\n');
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_the_head_of_the_file() {
        let meta = CheckMeta {
            id: "a.b",
            title: "t",
            severity: Severity::Low,
            references: &[],
            source: "//! One.\n//!\n//! Two.\nuse x;\n//! not this\n",
        };
        assert_eq!(meta.doc(), "One.\n\nTwo.\n");
    }
}
