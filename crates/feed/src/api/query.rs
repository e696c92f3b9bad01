//! The parameters of a request, checked one by one: a client that misspells one is told so instead of being given everything.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web;
use humantime_serde::re::humantime;
use listener::Problem;

/// The longest text that a filter compares with, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What a request's query string says, each parameter once and all of them known.
pub(super) struct Query {
    given: BTreeMap<String, String>,
}

impl Query {
    /// Reads the query string; `known` are the parameters that there are.
    pub(super) fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let pairs = pairs.map_err(|_| bad("the query string", "`name=value` pairs joined by `&`, percent-encoded"))?;
        let mut given = BTreeMap::new();
        for (name, value) in pairs.into_inner() {
            if !known.contains(&name.as_str()) {
                let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(bad(&format!("`{name}`"), &format!("one of the parameters {}", known.join(", "))));
            }
            if given.contains_key(&name) {
                return Err(bad(&format!("`{name}`"), "to be given once"));
            }
            given.insert(name, value);
        }
        Ok(Self { given })
    }

    /// A parameter of any type that reads itself; `expected` describes it to a person.
    pub(super) fn get<T: FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        let read = |text: &String| text.parse().map_err(|_| bad(&format!("`{name}`"), expected));
        self.given.get(name).map(read).transpose()
    }

    /// A text to compare with.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        match self.given.get(name) {
            Some(text) if text.is_empty() || text.len() > TEXT_BYTES_MAX => {
                Err(bad(&format!("`{name}`"), "a text of 1 to 256 bytes"))
            }
            text => Ok(text.cloned()),
        }
    }

    /// A number of items from 1 to `max`.
    pub(super) fn limit(&self, default: usize, max: usize) -> Result<usize, Problem> {
        let expected = format!("a number from 1 to {max}");
        match self.get("limit", &expected)? {
            Some(limit) if (1..=max).contains(&limit) => Ok(limit),
            Some(_) => Err(bad("`limit`", &expected)),
            None => Ok(default),
        }
    }

    /// A duration of at most `max`.
    pub(super) fn duration(&self, name: &str, max: Duration) -> Result<Option<Duration>, Problem> {
        let expected = || format!("a duration up to {}, such as 30s", humantime::format_duration(max));
        let Some(text) = self.given.get(name) else { return Ok(None) };
        match humantime::parse_duration(text) {
            Ok(duration) if duration <= max => Ok(Some(duration)),
            _ => Err(bad(&format!("`{name}`"), &expected())),
        }
    }

    /// A parameter as it was sent.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }
}

/// 400, naming the parameter and what was expected of it; never what was sent.
pub(super) fn bad(parameter: &str, expected: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "Bad parameter", format!("{parameter}: expected {expected}"))
}
