//! Takes addresses and tokens out of texts that others wrote: an error page that echoes the request, a proxy's answer.

use keyvigil_connector::secret::Secret;
use reqwest::Url;

/// Parts of an address shorter than this are words such as `v2`, not tokens.
const SHORTEST: usize = 8;

/// What must not appear in a text.
pub(crate) struct Redactor<'a> {
    hidden: Vec<&'a str>,
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(url: &'a Url, secrets: &'a [Secret]) -> Self {
        let mut hidden: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        hidden.push(url.as_str());
        hidden.push(url.path());
        // Also piece by piece: an echo may be split or escaped in another way.
        hidden.extend(url.path().split('/'));
        hidden.extend(url.query().unwrap_or("").split(['&', '=']));
        hidden.retain(|text| text.len() >= SHORTEST);
        // The longest first, so that no part of one is left because a shorter one was taken out.
        hidden.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { hidden }
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for hidden in &self.hidden {
            if clean.contains(hidden) {
                clean = clean.replace(hidden, "****");
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_taken_out_whole_and_in_parts() {
        let text = "https://hooks.example/services/T0AAAAAAA/B0BBBBBBB/cccccccccccc?token=dddddddddddd";
        let url = Url::parse(text).unwrap();
        let secrets = [Secret::new(text), Secret::new("routing-key-1234")];
        let redactor = Redactor::new(&url, &secrets);
        for echo in [
            text,
            "POST /services/T0AAAAAAA/B0BBBBBBB/cccccccccccc HTTP/1.1",
            "\\/services\\/T0AAAAAAA\\/B0BBBBBBB\\/cccccccccccc",
            "token dddddddddddd and key routing-key-1234",
        ] {
            let clean = redactor.redact(echo);
            for secret in [
                "T0AAAAAAA",
                "B0BBBBBBB",
                "cccccccc",
                "dddddddd",
                "routing-key-1234",
            ] {
                assert!(!clean.contains(secret), "{secret} in {clean}");
            }
        }
        assert_eq!(redactor.redact("invalid_blocks"), "invalid_blocks");
    }
}
