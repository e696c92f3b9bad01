//! Queries taken apart as far as it takes to ask them of a system that is well.
//!
//! Not a parser: it knows strings, selectors, brackets and words. What it makes of a query is asked of Prometheus, which
//! refuses what is no query.

/// The parts of a query between `or`s, each of which must answer by itself: the first would hide that a later one cannot.
/// `absent(…)` answers where there is nothing; of it, that of which it must not say so is asked.
pub(super) fn alternatives(query: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut parts = vec![String::new()];
    for piece in pieces(query) {
        match piece {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            "or" if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(piece);
        }
    }
    parts.iter().map(|part| present(part.trim()).to_owned()).collect()
}

fn present(part: &str) -> &str {
    part.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(part)
}

/// The query with comparisons that answer 0 or 1 instead of leaving out what does not meet them.
pub(super) fn unfiltered(query: &str) -> String {
    let compares = |piece: &&str| matches!(*piece, "==" | "!=" | "<" | ">" | "<=" | ">=");
    pieces(query)
        .iter()
        .map(|piece| if compares(piece) { format!("{piece} bool") } else { (*piece).to_owned() })
        .collect()
}

/// Words, operators, blanks; a selector's braces, a range's brackets and a string are one piece each.
fn pieces(query: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = query;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(first_piece(rest));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn first_piece(text: &str) -> usize {
    let first = text.chars().next().unwrap_or_default();
    match first {
        '{' => enclosed(text, '}'),
        '[' => enclosed(text, ']'),
        '"' | '\'' | '`' => quoted(text, first),
        '=' | '!' | '<' | '>' => 1 + usize::from(text[1..].starts_with(['=', '~'])),
        _ if is_of_a_word(first) => text.find(|other| !is_of_a_word(other)).unwrap_or(text.len()),
        other => other.len_utf8(),
    }
}

fn is_of_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':' | '.' | '$')
}

/// The length up to and with the end; a string within may hold it too.
fn enclosed(text: &str, end: char) -> usize {
    let mut at = 1;
    while let Some(next) = text[at..].chars().next() {
        at += if matches!(next, '"' | '\'' | '`') { quoted(&text[at..], next) } else { next.len_utf8() };
        if next == end {
            break;
        }
    }
    at
}

/// The length of a string with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if character == quote && !escaped {
            return at + 1;
        }
        escaped = character == '\\' && !escaped && quote != '`';
    }
    text.len()
}

#[test]
fn a_query_falls_apart_at_its_own_ors_only() {
    let query = r#"max(a{b="x or } y"} > 0) or (c or d) or absent(up{job="e"})"#;
    assert_eq!(alternatives(query), [r#"max(a{b="x or } y"} > 0)"#, "(c or d)", r#"up{job="e"}"#]);
}

#[test]
fn comparisons_of_values_answer_and_those_of_labels_stay() {
    let query = r#"sum by (a) (rate(b{c!="d", e=~"f>g"}[5m])) / 2 >= 0.5 and h != 1"#;
    let asked = r#"sum by (a) (rate(b{c!="d", e=~"f>g"}[5m])) / 2 >= bool 0.5 and h != bool 1"#;
    assert_eq!(unfiltered(query), asked);
}
