//! The JSON Schema of the configuration as a tree of keys, which is what the reference and the example are made from.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// One key.
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// Its meaning: the doc comment in the code, as one line.
    pub(crate) doc: String,
    /// What it holds.
    pub(crate) shape: Shape,
}

/// What a key holds.
pub(crate) enum Shape {
    /// One value.
    Value(OneValue),
    /// A table: `[key]`.
    Table(Vec<Entry>),
    /// Any number of tables: `[[key]]`.
    Tables(Vec<Entry>),
}

/// One value.
pub(crate) struct OneValue {
    /// For people: `integer, 1 to 300`.
    pub(crate) accepted: String,
    /// What is in effect without it; `None` if it must be there.
    pub(crate) default: Option<Value>,
}

/// The keys at the top of the file.
pub(crate) fn entries(schema: &Value) -> Result<Vec<Entry>> {
    let definitions = schema["$defs"].as_object().context("the schema has no $defs")?;
    table(schema, definitions)
}

fn table(schema: &Value, definitions: &Map<String, Value>) -> Result<Vec<Entry>> {
    let properties = schema["properties"]
        .as_object()
        .context("a table without properties")?;
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|it| it == name))
    };
    let mut found = Vec::new();
    for (name, property) in properties {
        let shape = shape(property, required(name), definitions).with_context(|| name.clone())?;
        let resolved = resolve(property, definitions)?;
        let doc = property["description"]
            .as_str()
            .or(resolved["description"].as_str());
        found.push(Entry {
            name: name.clone(),
            doc: doc
                .with_context(|| format!("{name} has no doc comment"))?
                .replace('\n', " "),
            shape,
        });
    }
    // What must be written comes first, then what it is called, then the alphabet; tables last, as TOML wants it.
    found.sort_by_key(|entry| {
        let (rank, named) = match &entry.shape {
            Shape::Value(value) => (
                u8::from(value.default.is_some()),
                entry.name != "name" && entry.name != "id",
            ),
            Shape::Table(_) => (2, false),
            Shape::Tables(_) => (3, false),
        };
        (rank, named, entry.name.clone())
    });
    Ok(found)
}

fn shape(property: &Value, required: bool, definitions: &Map<String, Value>) -> Result<Shape> {
    let resolved = resolve(property, definitions)?;
    if resolved["properties"].is_object() {
        return Ok(Shape::Table(table(resolved, definitions)?));
    }
    if resolved["type"] == "array" {
        let item = resolve(&resolved["items"], definitions)?;
        if item["properties"].is_object() {
            return Ok(Shape::Tables(table(item, definitions)?));
        }
    }
    let default = match (required, property.get("default").or(resolved.get("default"))) {
        (true, _) => None,
        (false, Some(default)) => Some(default.clone()),
        (false, None) => bail!("neither required nor with a default"),
    };
    Ok(Shape::Value(OneValue {
        accepted: accepted(resolved, definitions)?,
        default,
    }))
}

/// Follows `$ref`, also in `anyOf [T, null]`.
fn resolve<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> Result<&'a Value> {
    let inner = schema["anyOf"]
        .as_array()
        .and_then(|kinds| kinds.iter().find(|kind| kind["$ref"].is_string()))
        .unwrap_or(schema);
    let Some(reference) = inner["$ref"].as_str() else {
        return Ok(inner);
    };
    let name = reference.trim_start_matches("#/$defs/");
    definitions
        .get(name)
        .with_context(|| format!("unknown {reference}"))
}

fn accepted(schema: &Value, definitions: &Map<String, Value>) -> Result<String> {
    if let Some(choices) = schema["oneOf"].as_array() {
        let words: Vec<String> = choices
            .iter()
            .filter_map(|choice| choice["const"].as_str())
            .map(|word| format!("`{word}`"))
            .collect();
        return Ok(words.join(", "));
    }
    if schema["anyOf"].is_array() {
        // The one shape of this kind: a secret.
        return Ok(String::from("text, `{ file = \"…\" }` or `{ env = \"…\" }`"));
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or(""),
        other => bail!("a type that the generator does not know: {other}"),
    };
    Ok(match kind {
        "string" => String::from("text"),
        "boolean" => String::from("`true`, `false`"),
        "array" => {
            let item = accepted(resolve(&schema["items"], definitions)?, definitions)?;
            format!("list of {item}")
        }
        "integer" | "number" => {
            let bound = |name: &str| schema[name].as_f64().map(|number| number.to_string());
            match (bound("minimum"), bound("maximum")) {
                (Some(low), Some(high)) => format!("{kind}, {low} to {high}"),
                _ => kind.to_owned(),
            }
        }
        other => bail!("a type that the generator does not know: {other}"),
    })
}
