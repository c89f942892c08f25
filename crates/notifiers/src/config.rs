//! What the operator writes about receivers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use keyvigil_connector::secret::Secret;
use keyvigil_http::EndpointProblem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// A Slack channel, reached by an incoming webhook.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// The address of the incoming webhook. It is a credential: prefer `{ file = "…" }` or `{ env = "…" }`.
    pub webhook_url: SecretSource,
}

/// A PagerDuty service, reached by the Events API v2.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration key of the service: 32 characters. Prefer `{ file = "…" }` or `{ env = "…" }`.
    pub routing_key: SecretSource,
    /// The service region of the PagerDuty account.
    #[serde(default)]
    pub region: PagerDutyRegion,
    /// Another address than the region's, for a relay or a test: `https://host/v2/enqueue`.
    #[serde(default)]
    pub url: Option<String>,
}

/// Where a PagerDuty account lives.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PagerDutyRegion {
    /// `events.pagerduty.com`
    #[default]
    Us,
    /// `events.eu.pagerduty.com`
    Eu,
}

impl PagerDutyConfig {
    /// The address that is called.
    pub fn endpoint(&self) -> &str {
        match (&self.url, self.region) {
            (Some(url), _) => url,
            (None, PagerDutyRegion::Us) => "https://events.pagerduty.com/v2/enqueue",
            (None, PagerDutyRegion::Eu) => "https://events.eu.pagerduty.com/v2/enqueue",
        }
    }
}

/// Where a secret comes from: `"the secret"`, `{ env = "NAME" }` or `{ file = "/path" }`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretSource {
    /// Written into the configuration.
    Literal(Secret),
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without white space around it.
    File(PathBuf),
}

impl SecretSource {
    /// Fetches the secret through the two functions, which are the edge to the environment and the file system.
    pub fn resolve(
        &self,
        env: impl FnOnce(&str) -> Option<String>,
        file: impl FnOnce(&Path) -> io::Result<String>,
    ) -> Result<Secret, SecretProblem> {
        let text = match self {
            Self::Literal(secret) => secret.expose().to_owned(),
            Self::Env(name) => env(name).ok_or_else(|| SecretProblem::NoVariable(name.clone()))?,
            Self::File(path) => {
                file(path).map_err(|error| SecretProblem::NoFile(path.clone(), error.kind()))?
            }
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(SecretProblem::Empty(self.place()));
        }
        Ok(Secret::new(text))
    }

    fn place(&self) -> String {
        match self {
            Self::Literal(_) => "the configuration".to_owned(),
            Self::Env(name) => format!("environment variable {name}"),
            Self::File(path) => format!("file {}", path.display()),
        }
    }
}

/// Why a secret could not be had. Never holds the secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretProblem {
    /// The environment variable is not set, or not UTF-8.
    NoVariable(String),
    /// The file cannot be read.
    NoFile(PathBuf, io::ErrorKind),
    /// Nothing but white space in the place named.
    Empty(String),
}

impl fmt::Display for SecretProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVariable(name) => write!(f, "environment variable {name} is not set, or not UTF-8"),
            Self::NoFile(path, kind) => write!(f, "file {} cannot be read: {kind}", path.display()),
            Self::Empty(place) => write!(f, "{place} holds no secret"),
        }
    }
}

impl std::error::Error for SecretProblem {}

/// Why a receiver cannot be made. Never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BadReceiver {
    /// The address is refused; the key names the setting.
    Address {
        /// `webhook_url`, `url`.
        key: &'static str,
        /// Why.
        problem: EndpointProblem,
    },
    /// The routing key does not have the form of one.
    RoutingKey,
}

impl fmt::Display for BadReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { key, problem } => write!(f, "{key}: {problem}"),
            Self::RoutingKey => f.write_str(
                "routing_key: not an integration key; accepted: the 32 letters and digits that PagerDuty shows for an Events API v2 integration",
            ),
        }
    }
}

impl std::error::Error for BadReceiver {}

impl serde::Serialize for SecretSource {
    /// For showing a configuration: where the secret comes from, never the secret.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |name: &'static str, value: &str| BTreeMap::from([(name, value.to_owned())]);
        match self {
            Self::Literal(_) => serializer.serialize_str("****"),
            Self::Env(name) => place("env", name).serialize(serializer),
            Self::File(path) => place("file", &path.display().to_string()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

/// The two ways to name a place.
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlaceKey {
    Env,
    File,
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: \"text\", { env = \"NAME\" } or { file = \"/path\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretSource, E> {
        Ok(SecretSource::Literal(Secret::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let Some(place) = map.next_key::<PlaceKey>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let source = match place {
            PlaceKey::Env => SecretSource::Env(map.next_value()?),
            PlaceKey::File => SecretSource::File(map.next_value()?),
        };
        if map.next_key::<PlaceKey>()?.is_some() {
            return Err(de::Error::invalid_length(2, &self));
        }
        Ok(source)
    }
}

impl JsonSchema for SecretSource {
    fn schema_name() -> Cow<'static, str> {
        "SecretSource".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let place = |name: &str| {
            json_schema!({
                "type": "object",
                "properties": { name: { "type": "string" } },
                "required": [name],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "Where a secret comes from: \"the secret\", { env = \"NAME\" } or { file = \"/path\" }.",
            "anyOf": [{ "type": "string" }, place("env"), place("file")],
        })
    }
}

#[cfg(test)]
mod tests;
