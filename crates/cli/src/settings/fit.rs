//! Fits the merged layers to the types, key by key, so that every wrong key gets its own line.
//!
//! The defaults serve as the pattern: what they do not have is unknown, and a text from the environment is read as the
//! kind of value that the default is (numbers, truth values, comma lists). Nothing here knows any single setting but the
//! names of the secret ones, whose values are never repeated in a message.

use config::{Value as Found, ValueKind};
use serde_json::{Map, Value};

use super::{App, Key, Problem, Problems, Settings, bounds};

/// The section whose keys are names that the user chooses.
const APPS: &str = "apps";

/// Keys whose values must not show up in a message.
const SECRETS: [&str; 2] = ["client_secret", "token"];

/// The merged layers as [`Settings`], or every key that does not fit.
pub(super) fn fit(merged: Found) -> Result<Settings, Problems> {
    let mut fitting = Fitting::default();
    let pattern = pattern_of(&Settings::default());
    let tree = fitting.table(merged, &pattern, &Key::new(""));
    if fitting.problems.is_empty() {
        // Each key fitted on its own, so only a combination could fail here; there is no such type today.
        serde_json::from_value(Value::Object(tree)).map_err(|error| Problems(vec![Problem::general(error.to_string())]))
    } else {
        fitting.problems.sort_by(|a, b| a.key.cmp(&b.key));
        Err(Problems(fitting.problems))
    }
}

/// A value's JSON; our settings always have one.
pub(super) fn pattern_of<T: serde::Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[derive(Default)]
struct Fitting {
    problems: Vec<Problem>,
}

impl Fitting {
    fn table(&mut self, found: Found, pattern: &Map<String, Value>, key: &Key) -> Map<String, Value> {
        let origin = origin(&found);
        let ValueKind::Table(entries) = found.kind else {
            self.problems.push(Problem::with(
                key.clone(),
                format!("a section was expected{origin}, with keys such as {}", names(pattern)),
            ));
            return Map::new();
        };
        let mut fitted = Map::new();
        for (name, value) in entries {
            let child = key.child(&name);
            let outcome = if child.toml() == APPS {
                Some(Value::Object(self.apps(value, &child)))
            } else {
                match pattern.get(&name) {
                    None => self.unknown(&value, &child, pattern),
                    Some(Value::Object(inner)) => Some(Value::Object(self.table(value, inner, &child))),
                    Some(default) => self.leaf(value, default, &child),
                }
            };
            if let Some(outcome) = outcome {
                fitted.insert(name, outcome);
            }
        }
        fitted
    }

    fn apps(&mut self, found: Found, key: &Key) -> Map<String, Value> {
        let pattern = pattern_of(&App::default());
        let ValueKind::Table(entries) = found.kind else {
            self.problems.push(Problem::with(key.clone(), "expected a section for each app, such as [apps.demo]"));
            return Map::new();
        };
        let mut fitted = Map::new();
        for (name, value) in entries {
            let child = key.child(&name);
            match name.parse::<events::AppName>() {
                Ok(_) => {
                    let app = self.table(value, &pattern, &child);
                    fitted.insert(name, Value::Object(app));
                }
                Err(why) => self.problems.push(Problem::with(child, format!("{why}; rename the app"))),
            }
        }
        fitted
    }

    fn unknown(&mut self, found: &Found, key: &Key, siblings: &Map<String, Value>) -> Option<Value> {
        let what = format!("unknown key{}; known here: {}", origin(found), names(siblings));
        self.problems.push(Problem::with(key.clone(), what));
        None
    }

    fn leaf(&mut self, found: Found, default: &Value, key: &Key) -> Option<Value> {
        let origin = origin(&found);
        let is_text = matches!(found.kind, ValueKind::String(_));
        let value = match json(found) {
            Value::String(text) => coerce(text, default),
            value => value,
        };
        // Every section fills what is missing from its defaults, so a tree with this one key shows whether it fits.
        let fits = serde_json::from_value::<Settings>(nest(key, value.clone()));
        let secret = key.toml().rsplit('.').next().is_some_and(|last| SECRETS.contains(&last));
        let why = match fits {
            Ok(_) => match bounds::exceeded(&value, default) {
                Some(why) => why,
                None => return Some(value),
            },
            Err(_) if secret => "a text in quotes was expected".to_owned(),
            Err(error) => explain(&error, default, is_text),
        };
        let found = if secret { "its value".to_owned() } else { value.to_string() };
        self.problems.push(Problem::with(key.clone(), format!("{found} does not fit{origin}: {why}")));
        None
    }
}

/// Reads a text as the kind of value that the default is. What does not read stays text, for serde to refuse.
fn coerce(text: String, default: &Value) -> Value {
    match default {
        Value::Bool(_) => text.trim().parse().map_or(Value::String(text), Value::Bool),
        Value::Number(_) => match serde_json::from_str::<serde_json::Number>(text.trim()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text),
        },
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        Value::Null | Value::String(_) | Value::Object(_) => Value::String(text),
    }
}

fn json(found: Found) -> Value {
    match found.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(truth) => truth.into(),
        ValueKind::I64(number) => number.into(),
        ValueKind::U64(number) => number.into(),
        ValueKind::I128(number) => number.to_string().into(),
        ValueKind::U128(number) => number.to_string().into(),
        ValueKind::Float(number) => number.into(),
        ValueKind::String(text) => text.into(),
        ValueKind::Array(items) => items.into_iter().map(json).collect(),
        ValueKind::Table(entries) => entries.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}

fn nest(key: &Key, value: Value) -> Value {
    key.toml().rsplit('.').fold(value, |inner, name| Value::Object(Map::from_iter([(name.to_owned(), inner)])))
}

/// What was expected, from serde's words and the default as an example.
fn explain(error: &serde_json::Error, default: &Value, is_text: bool) -> String {
    let kind = match default {
        Value::Bool(_) => "true or false was expected".to_owned(),
        Value::Number(number) if is_text => {
            let whole = if number.is_f64() { "a number" } else { "a whole number" };
            format!("{whole} was expected")
        }
        _ => {
            // "invalid value: string "5", expected a duration": what was found is said already.
            let told = error.to_string();
            match told.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected ")) {
                Some((_, expected)) => format!("expected {expected}"),
                None => told,
            }
        }
    };
    match default {
        Value::Null => kind,
        Value::Array(_) => format!("{kind}; a comma separated list is read from the environment"),
        example => format!("{kind}; an example is {example}"),
    }
}

/// Only the environment names itself; the other layer is the file.
fn origin(found: &Found) -> &'static str {
    if found.origin().is_some() { " (from the environment)" } else { " (from the file)" }
}

fn names(pattern: &Map<String, Value>) -> String {
    pattern.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
