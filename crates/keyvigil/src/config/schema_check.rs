//! Compares a configuration with its JSON Schema and names every difference at once: file, key, what is accepted.
//!
//! serde stops at the first error, and an operator who fixes a file one error at a time loses patience. The schema is
//! derived from the same types that serde fills, so the two cannot disagree for long; what this check accepts and
//! serde refuses is still reported. It knows the part of JSON Schema that schemars writes for our types.

use serde_json::Value;

use super::Problem;

/// All differences between `value` and `schema`, in the order of the document.
pub(super) fn check(value: &Value, schema: &Value) -> Vec<Problem> {
    let mut walk = Walk {
        root: schema,
        problems: Vec::new(),
    };
    walk.visit(value, schema, "");
    walk.problems
}

/// The parts of the document that can be looked at further although problems were found in others: without every
/// top-level table that has one.
pub(super) fn sound_part(value: &Value, problems: &[Problem]) -> Value {
    let mut sound = value.clone();
    if let Value::Object(table) = &mut sound {
        table.retain(|name, _| !problems.iter().any(|problem| top_level(&problem.key) == name));
    }
    sound
}

/// The top-level table that a key path starts with.
pub(super) fn top_level(key: &str) -> &str {
    key.split(['.', '[']).next().unwrap_or(key)
}

struct Walk<'a> {
    root: &'a Value,
    problems: Vec<Problem>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, key: &str, problem: String, accepted: String) {
        let key = if key.is_empty() { "(top level)" } else { key };
        self.problems.push(Problem {
            key: key.to_owned(),
            problem,
            accepted,
        });
    }

    fn visit(&mut self, value: &Value, schema: &'a Value, key: &str) {
        let schema = self.resolve(schema);
        if let Some(choices) = alternatives(schema) {
            return self.visit_choice(value, schema, choices, key);
        }
        if let Some(words) = words(schema) {
            if !words.contains(&value) {
                let accepted: Vec<String> = words.iter().map(|word| word.to_string()).collect();
                self.report(key, format!("{value} is not a known value"), accepted.join(", "));
            }
            return;
        }
        if !has_type(value, schema) {
            return self.report(
                key,
                format!("{} is {}", shown(value), type_of(value)),
                types(schema).join(" or "),
            );
        }
        self.visit_range(value, schema, key);
        match value {
            Value::Object(table) => self.visit_table(table, schema, key),
            Value::Array(list) => {
                if let Some(item) = schema.get("items") {
                    for (index, element) in list.iter().enumerate() {
                        self.visit(element, item, &format!("{key}[{index}]"));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn visit_table(&mut self, table: &serde_json::Map<String, Value>, schema: &'a Value, key: &str) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, member) in table {
            let path = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            match properties.and_then(|known| known.get(name)) {
                Some(member_schema) => self.visit(member, member_schema, &path),
                None => match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        let known: Vec<&str> = properties
                            .into_iter()
                            .flatten()
                            .map(|(name, _)| name.as_str())
                            .collect();
                        let problem = match nearest(name, &known) {
                            Some(similar) => format!("unknown key; did you mean `{similar}`?"),
                            None => String::from("unknown key"),
                        };
                        self.report(&path, problem, known.join(", "));
                    }
                    Some(member_schema @ Value::Object(_)) => self.visit(member, member_schema, &path),
                    Some(_) | None => {}
                },
            }
        }
        for name in schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let Some(name) = name.as_str() else { continue };
            if !table.contains_key(name) {
                let path = if key.is_empty() {
                    name.to_owned()
                } else {
                    format!("{key}.{name}")
                };
                let member = properties
                    .and_then(|known| known.get(name))
                    .map(|schema| self.resolve(schema));
                let accepted = member.map(describe).unwrap_or_default();
                self.report(&path, String::from("required, but missing"), accepted);
            }
        }
    }

    /// A value must fit one of several schemas. The errors of the nearest one are the useful ones.
    fn visit_choice(&mut self, value: &Value, schema: &'a Value, choices: &'a [Value], key: &str) {
        let mut best: Option<Vec<Problem>> = None;
        for choice in choices {
            let mut attempt = Walk {
                root: self.root,
                problems: Vec::new(),
            };
            attempt.visit(value, choice, key);
            if attempt.problems.is_empty() {
                return;
            }
            let same_shape = has_type(value, self.resolve(choice));
            if same_shape
                && best
                    .as_ref()
                    .is_none_or(|best| attempt.problems.len() < best.len())
            {
                best = Some(attempt.problems);
            }
        }
        match best {
            // Every choice refused the value itself, so what is accepted is all of them.
            Some(problems) if problems.iter().all(|problem| problem.key == key) => {
                let problem = problems
                    .into_iter()
                    .next()
                    .map(|first| first.problem)
                    .unwrap_or_default();
                self.report(key, problem, describe(schema));
            }
            Some(problems) => self.problems.extend(problems),
            None => self.report(
                key,
                format!("{} is {}", shown(value), type_of(value)),
                describe(schema),
            ),
        }
    }

    fn visit_range(&mut self, value: &Value, schema: &'a Value, key: &str) {
        let Some(number) = value.as_f64() else { return };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let too_small = bound("minimum").is_some_and(|least| number < least);
        let too_large = bound("maximum").is_some_and(|most| number > most);
        if too_small || too_large {
            let accepted = match (bound("minimum"), bound("maximum")) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, Some(most)) => format!("at most {most}"),
                (None, None) => String::new(),
            };
            self.report(key, format!("{value} is out of range"), accepted);
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        // References in our schema go one or two deep; the bound only guards against a schema that refers to itself.
        for _ in 0..16 {
            let Some(pointer) = schema.get("$ref").and_then(Value::as_str) else {
                break;
            };
            match self.root.pointer(pointer.trim_start_matches('#')) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }
}

fn alternatives(schema: &Value) -> Option<&[Value]> {
    ["anyOf", "oneOf"]
        .iter()
        .find_map(|word| schema.get(*word).and_then(Value::as_array))
        .map(Vec::as_slice)
}

fn words(schema: &Value) -> Option<Vec<&Value>> {
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return Some(list.iter().collect());
    }
    schema.get("const").map(|word| vec![word])
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn has_type(value: &Value, schema: &Value) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.iter().any(|name| match *name {
            "number" => value.is_number(),
            name => name == type_of(value),
        })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What a schema accepts, in words.
fn describe(schema: &Value) -> String {
    if let Some(words) = words(schema) {
        return words
            .iter()
            .map(|word| word.to_string())
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(choices) = alternatives(schema) {
        let mut accepted: Vec<String> = choices
            .iter()
            .map(describe)
            .filter(|text| !text.is_empty())
            .collect();
        accepted.dedup();
        return accepted.join(" or ");
    }
    types(schema).join(" or ")
}

/// A value as it may be shown: a string here could be a secret, so only its kind is told.
fn shown(value: &Value) -> String {
    match value {
        Value::String(_) | Value::Array(_) | Value::Object(_) => String::from("the value"),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// The known word that differs in at most two letters.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = known
        .iter()
        .map(|other| (edit_distance(word, other), *other))
        .min()?;
    (distance <= 2).then_some(best)
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, left_char) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right_char) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(left_char != *right_char);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "retries": {"type": "integer", "minimum": 0, "maximum": 5},
                "mode": {"$ref": "#/$defs/Mode"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
                "secret": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["env"],
                    "additionalProperties": false, "properties": {"env": {"type": "string"}}}]},
            },
            "$defs": {
                "Mode": {"oneOf": [{"const": "fast"}, {"const": "safe"}]},
                "Part": {"type": "object", "additionalProperties": false, "properties": {"size": {"type": "integer"}}},
            },
        })
    }

    fn check_all(value: Value, expected: &[&str]) {
        let found: Vec<String> = check(&value, &schema()).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn every_difference_is_named_at_once() {
        check_all(
            json!({"name": "a", "retries": 3, "mode": "safe", "parts": [{"size": 1}], "secret": "x"}),
            &[],
        );
        check_all(
            json!({"retires": 3, "retries": 9, "mode": "quick", "parts": [{"size": 1}, {"size": "big"}]}),
            &[
                "mode: \"quick\" is not a known value; accepted: \"fast\" or \"safe\"",
                "parts[1].size: the value is string; accepted: integer",
                "retires: unknown key; did you mean `retries`?; accepted: mode, name, parts, retries, secret",
                "retries: 9 is out of range; accepted: 0 to 5",
                "name: required, but missing; accepted: string",
            ],
        );
        check_all(json!({"name": 5}), &["name: 5 is integer; accepted: string"]);
        check_all(
            json!({"name": "a", "secret": {"evn": "X"}}),
            &[
                "secret.evn: unknown key; did you mean `env`?; accepted: env",
                "secret.env: required, but missing; accepted: string",
            ],
        );
    }
}
