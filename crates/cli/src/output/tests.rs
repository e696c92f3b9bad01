//! Listings as people and programs read them.

use serde::Serialize;

use super::*;

#[derive(Serialize)]
struct Fruit {
    name: &'static str,
    count: u32,
}

impl Row for Fruit {
    const HEADINGS: &'static [&'static str] = &["NAME", "COUNT"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.to_owned(), self.count.to_string()]
    }
}

fn listing(json: bool, pages: &[&[Fruit]]) -> String {
    let mut out = Vec::new();
    let mut listing = Listing::start(&mut out, json);
    for page in pages {
        listing.page(page).unwrap();
    }
    listing.end("no fruit").unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_has_its_headings_once_and_aligned_columns() {
    let text = listing(false, &[&[Fruit { name: "apple", count: 3 }], &[Fruit { name: "fig", count: 12 }]]);
    assert_eq!(text, "NAME   COUNT\napple  3\nfig   12\n");
}

#[test]
fn json_is_one_array_however_many_pages_it_came_in() {
    let text = listing(true, &[&[Fruit { name: "apple", count: 3 }], &[], &[Fruit { name: "fig", count: 12 }]]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::json!([{"name": "apple", "count": 3}, {"name": "fig", "count": 12}]));
}

#[test]
fn an_empty_listing_says_so() {
    assert_eq!(listing(false, &[]), "no fruit\n");
    assert_eq!(listing(true, &[&[]]), "[]\n");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    assert_eq!(clean("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
}
