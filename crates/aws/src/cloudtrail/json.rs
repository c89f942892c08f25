//! Borrowed views of JSON: text that is copied only if it has escapes, and objects whose values are still text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A string of a record. Unlike `Option<Cow<str>>` it does borrow, where it stands in the record without escapes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// An object with its values left as they are. Of several values for one key, the last counts.
#[derive(Clone, Default, Debug)]
pub(crate) struct Object<'a> {
    entries: Vec<(Text<'a>, &'a RawValue)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object { entries })
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'a> Object<'a> {
    /// The object in the text; `None` for anything else. Absent text is an empty object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The object in a value; empty if it is none.
    pub(crate) fn of(value: Option<&'a RawValue>) -> Self {
        let Some(value) = value else {
            return Self::default();
        };
        Self::parse(value.get()).unwrap_or_default()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), *value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A value by its key. AWS writes `keyId`, emulators write `KeyId`: the case of the first letter does not matter.
    /// `null` is absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let found = self
            .entries
            .iter()
            .rev()
            .find(|(name, _)| same_but_for_the_first_case(name.as_str(), key));
        found
            .map(|(_, value)| *value)
            .filter(|value| value.get() != "null")
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A string.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text_of(self.get(key)?)
    }

    /// The string of the first key that has one.
    pub(crate) fn first_text(&self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| self.text(key))
    }

    /// A truth value, also where it is written as a string.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.get() {
            "true" | "\"true\"" | "\"True\"" => Some(true),
            "false" | "\"false\"" | "\"False\"" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative, also where it is written as a string.
    pub(crate) fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.get().trim_matches('"').parse().ok()
    }

    /// An object; empty if there is none.
    pub(crate) fn object(&self, key: &str) -> Self {
        Self::of(self.get(key))
    }

    /// The elements of a list. One value that is no list counts as a list of one; EC2 writes `{"items":[…]}`.
    pub(crate) fn list(&self, key: &str) -> Vec<&'a RawValue> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        match value.get().as_bytes().first() {
            Some(b'[') => serde_json::from_str(value.get()).unwrap_or_default(),
            Some(b'{') if Self::of(Some(value)).has("items") => Self::of(Some(value)).list("items"),
            Some(_) | None => vec![value],
        }
    }

    /// The strings of a list.
    pub(crate) fn texts(&self, key: &str) -> Vec<Cow<'a, str>> {
        self.list(key).into_iter().filter_map(text_of).collect()
    }
}

/// A value as a string, if it is one.
pub(crate) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get())
        .ok()
        .map(|text| text.0)
}

fn same_but_for_the_first_case(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && match (a.as_bytes().split_first(), b.as_bytes().split_first()) {
            (Some((first, rest)), Some((other, others))) => {
                first.eq_ignore_ascii_case(other) && rest == others
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_borrows_where_it_can() {
        let plain: Text<'_> = serde_json::from_str(r#""abc""#).unwrap();
        assert!(matches!(plain.0, Cow::Borrowed("abc")));
        let escaped: Text<'_> = serde_json::from_str(r#""a\nb""#).unwrap();
        assert_eq!(escaped.as_str(), "a\nb");
    }

    #[test]
    fn objects_are_read_leniently() {
        let text = r#"{"KeyId":"k","days":"7","n":9,"on":"true","off":false,"none":null,"big":1e999,
            "list":["a",1,"b"],"one":"x","set":{"items":["c"]},"KeyId":"last"}"#;
        let object = Object::parse(text).unwrap();
        assert_eq!(object.text("keyId").as_deref(), Some("last"));
        assert_eq!(object.text("keyid"), None);
        assert_eq!(
            (object.number("days"), object.number("n"), object.number("big")),
            (Some(7), Some(9), None)
        );
        assert_eq!(
            (object.flag("on"), object.flag("off"), object.flag("n")),
            (Some(true), Some(false), None)
        );
        assert!(!object.has("none"));
        assert_eq!(object.texts("list"), ["a", "b"]);
        assert_eq!(
            (object.texts("one"), object.texts("set")),
            (vec!["x".into()], vec!["c".into()])
        );
        assert!(Object::of(object.get("list")).is_empty());
    }
}
