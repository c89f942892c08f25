//! Patterns that select keys, principals, resources and accounts: text in which `*` stands for any text.

use keyvigil_model::key::KeyRef;

/// Whether the text matches a pattern in which `*` stands for any text, also none. Case matters.
pub fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut rest = rest;
    // The leftmost place for each piece leaves the most room for the next ones.
    while let Some((piece, after)) = rest.split_once('*') {
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = &text[at + piece.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

/// Whether any of the patterns matches.
pub fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether any of the patterns names the key: by its full name, its bare id, or an alias of it.
pub fn any_key(patterns: &[String], key: &KeyRef) -> bool {
    let name = key.id.as_str();
    let bare = bare_id(name);
    for pattern in patterns {
        if matches(pattern, name) || matches(pattern, bare) {
            return true;
        }
        if let Some(alias) = &key.alias
            && matches(pattern, alias.raw())
        {
            return true;
        }
    }
    false
}

/// The last part of a full name: the id of a key, or `alias/x`.
fn bare_id(name: &str) -> &str {
    if let Some((_, id)) = name.rsplit_once(":key/") {
        return id;
    }
    match name.rsplit_once(":alias/") {
        Some((prefix, _)) => &name[prefix.len() + 1..],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::id::KeyId;
    use keyvigil_model::key::KeyForm;
    use keyvigil_model::untrusted::Untrusted;

    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*b", "abc", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("a*a", "a", false),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            (
                "arn:aws:iam::*:role/ci-*",
                "arn:aws:iam::111122223333:role/ci-deploy",
                true,
            ),
            ("**", "x", true),
            ("é*", "éa", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_key_is_named_by_arn_id_or_alias() {
        let key = KeyRef {
            id: KeyId::from("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
            form: KeyForm::Canonical,
            account: None,
            region: None,
            alias: Some(Untrusted::from("alias/prod-db")),
        };
        for (pattern, expected) in [
            ("arn:aws:kms:*:111122223333:key/*", true),
            ("1234abcd-*", true),
            ("alias/prod-*", true),
            ("alias/dev-*", false),
            ("prod-db", false),
        ] {
            assert_eq!(any_key(&[pattern.to_owned()], &key), expected, "{pattern}");
        }
    }
}
