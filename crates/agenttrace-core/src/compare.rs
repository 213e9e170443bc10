//! A value in a line against a constant, as jq orders them, where that can be told from the bytes.

use std::cmp::Ordering;

use crate::event::MAX_DEPTH;
use crate::json::{JsonError, Token, Tokens};

/// So many digits a double keeps, whatever they are.
const SURE_DIGITS: usize = 15;

/// What must be between the value and the constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The value is neither null nor false.
    True,
}

/// `.a.b > 5`: what is at a path against a constant.
#[derive(Clone, Debug)]
pub struct Comparison {
    keys: Vec<Vec<u8>>,
    mark: Mark,
    constant: Vec<u8>,
}

impl Comparison {
    /// mark: `==`, `!=`, `<`, `<=`, `>`, `>=`, `true` (neither null nor false). constant: JSON, no object or array. None
    /// for another mark.
    #[must_use]
    pub fn new(keys: &[String], mark: &str, constant: &str) -> Option<Self> {
        let mark = match mark {
            "==" => Mark::Equal,
            "!=" => Mark::NotEqual,
            "<" => Mark::Less,
            "<=" => Mark::LessOrEqual,
            ">" => Mark::Greater,
            ">=" => Mark::GreaterOrEqual,
            "true" => Mark::True,
            _ => return None,
        };
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        Some(Self { keys, mark, constant: constant.as_bytes().to_vec() })
    }

    /// Whether it may hold for `line`: false only where it is sure not to, and sure not to fail.
    #[must_use]
    pub fn may_hold(&self, line: &[u8]) -> bool {
        let mut tokens = Tokens::new(line, MAX_DEPTH);
        match lookup(&mut tokens, line, &self.keys) {
            Ok(Found::Value(value)) => self.holds(value).unwrap_or(true),
            Ok(Found::Nothing) => self.holds(b"null").unwrap_or(true),
            Ok(Found::Unclear) | Err(_) => true,
        }
    }

    /// None where the bytes don't tell.
    fn holds(&self, value: &[u8]) -> Option<bool> {
        if self.mark == Mark::True {
            return Some(value != b"null" && value != b"false");
        }
        let order = compare(value, &self.constant)?;
        Some(match self.mark {
            Mark::Equal => order.is_eq(),
            Mark::NotEqual => order.is_ne(),
            Mark::Less => order.is_lt(),
            Mark::LessOrEqual => order.is_le(),
            Mark::Greater => order.is_gt(),
            Mark::GreaterOrEqual | Mark::True => order.is_ge(),
        })
    }
}

enum Found<'a> {
    Value(&'a [u8]),
    /// It isn't there, or something on the way is null: that counts as null.
    Nothing,
    /// A name stands twice or has escapes; something on the way is no object.
    Unclear,
}

fn lookup<'a>(tokens: &mut Tokens<'a>, line: &'a [u8], keys: &[Vec<u8>]) -> Result<Found<'a>, JsonError> {
    let Some((key, deeper)) = keys.split_first() else {
        let (_, place) = tokens.skip_value()?;
        return Ok(Found::Value(line.get(place).unwrap_or_default()));
    };
    match tokens.next()? {
        Some(Token::ObjectStart) => {}
        Some(Token::Literal) if tokens.bytes() == b"null" => return Ok(Found::Nothing),
        _ => return Ok(Found::Unclear),
    }
    let mut found = None;
    while tokens.next()? == Some(Token::Key) {
        let name = tokens.key_bytes();
        if name.contains(&b'\\') {
            return Ok(Found::Unclear);
        }
        if name != key.as_slice() {
            tokens.skip_value()?;
            continue;
        }
        if found.is_some() {
            return Ok(Found::Unclear);
        }
        match lookup(tokens, line, deeper)? {
            // The rest of it was not read.
            Found::Unclear => return Ok(Found::Unclear),
            inner => found = Some(inner),
        }
    }
    Ok(found.unwrap_or(Found::Nothing))
}

/// In jq's order: null, false, true, numbers, strings, arrays, objects. None where the bytes don't tell.
fn compare(value: &[u8], constant: &[u8]) -> Option<Ordering> {
    let ranks = (rank(value)?, rank(constant)?);
    match ranks {
        (3, 3) => number(value)?.partial_cmp(&number(constant)?),
        (4, 4) if !value.contains(&b'\\') && !constant.contains(&b'\\') => Some(text(value).cmp(text(constant))),
        (4.., 4..) if ranks.0 == ranks.1 => None,
        _ => Some(ranks.0.cmp(&ranks.1)),
    }
}

fn rank(value: &[u8]) -> Option<u8> {
    Some(match value.first()? {
        b'n' => 0,
        b'f' => 1,
        b't' => 2,
        b'"' => 4,
        b'[' => 5,
        b'{' => 6,
        _ => 3,
    })
}

/// Without its quotes.
fn text(value: &[u8]) -> &[u8] {
    value.get(1..value.len().wrapping_sub(1)).unwrap_or_default()
}

/// A number that is the same to every reader: few digits, no exponent.
fn number(value: &[u8]) -> Option<f64> {
    let is_plain = value.len() <= SURE_DIGITS && value.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-'));
    if is_plain { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_hold(keys: &[&str], mark: &str, constant: &str, line: &str) -> bool {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        Comparison::new(&keys, mark, constant).is_none_or(|comparison| comparison.may_hold(line.as_bytes()))
    }

    #[test]
    fn values_are_ordered_as_by_jq() {
        let values = ["null", "false", "true", "-2", "0.5", "1", "10", r#""""#, r#""B""#, r#""a""#, r#""é""#];
        for (left, value) in values.iter().enumerate() {
            for (right, constant) in values.iter().enumerate() {
                let line = format!(r#"{{"x":0,"a":{value}}}"#);
                for (mark, expected) in [
                    ("==", left == right),
                    ("!=", left != right),
                    ("<", left < right),
                    ("<=", left <= right),
                    (">", left > right),
                    (">=", left >= right),
                ] {
                    assert_eq!(may_hold(&["a"], mark, constant, &line), expected, "{value} {mark} {constant}");
                }
            }
            assert_eq!(may_hold(&["a"], "true", "null", &format!(r#"{{"a":{value}}}"#)), left > 1);
        }
        assert!(!may_hold(&["a"], "<", r#""z""#, r#"{"a":[]}"#));
        assert!(may_hold(&["a"], ">", r#""z""#, r#"{"a":{}}"#));
        assert!(!may_hold(&["a"], "==", "0", r#"{"a":-0.1}"#));
        assert!(may_hold(&["a"], "==", "0", r#"{"a":-0.0}"#));
    }

    #[test]
    fn what_is_not_there_is_null() {
        for line in [r"{}", r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":{"b":null}}"#] {
            assert!(!may_hold(&["a", "b"], ">", "1", line));
            assert!(may_hold(&["a", "b"], "<", "1", line));
            assert!(!may_hold(&["a", "b"], "true", "null", line));
        }
    }

    #[test]
    fn what_is_unclear_may_hold() {
        for line in [
            r#"{"a":[]}"#,
            r#"{"a":"text"}"#,
            r#"{"a":{"b":1},"a":{"b":9}}"#,
            r#"{"a":{"b":1,"b":9}}"#,
            r#"{"a":{"b":1},"\u0061":{"b":9}}"#,
            r#"{"a":{"b":1,"\u0062":9}}"#,
            r#"{"a":{"b":9007199254740993}}"#,
            r#"{"a":{"b":1e0}}"#,
            r#"{"a":{"b":1}"#,
        ] {
            assert!(may_hold(&["a", "b"], "==", "9", line), "{line}");
        }
        assert!(may_hold(&["a"], "==", "9007199254740993", r#"{"a":1}"#));
        assert!(may_hold(&["a"], "==", r#""x""#, r#"{"a":"\u0078"}"#));
    }
}
