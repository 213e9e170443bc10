//! Parts of events for those who ask no more of them: the members that were named, and of what holds them the type.

use std::collections::BTreeMap;

use crate::event::MAX_DEPTH;
use crate::json::{JsonError, Token, Tokens};

/// Which members are copied, and how much of them.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    members: BTreeMap<Vec<u8>, Projection>,
    is_whole: bool,
}

impl Projection {
    /// Wants what is at `keys`: all of it, or (as of all that it lies in) its type, and whether it is null or false.
    pub fn want(&mut self, keys: &[String], is_whole: bool) {
        let mut at = self;
        for key in keys {
            at = at.members.entry(key.as_bytes().to_vec()).or_default();
        }
        at.is_whole |= is_whole;
    }

    /// Appends what is wanted of `line`, an event with or without its LF; all of a line that is no JSON.
    pub fn copy(&self, line: &[u8], out: &mut Vec<u8>) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let before = out.len();
        let mut tokens = Tokens::new(line, MAX_DEPTH);
        // What follows the value is an error too.
        if self.value(&mut tokens, line, out).and_then(|()| tokens.next()).is_err() {
            out.truncate(before);
            out.extend_from_slice(line);
        }
    }

    fn value(&self, tokens: &mut Tokens<'_>, line: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
        let (depth, from) = (tokens.depth(), out.len());
        if self.is_whole {
            let (_, place) = tokens.skip_value()?;
            out.extend_from_slice(line.get(place).unwrap_or_default());
            return Ok(());
        }
        match tokens.next()? {
            Some(Token::ObjectStart) => return self.object(tokens, line, out),
            Some(Token::ArrayStart) => out.extend_from_slice(b"[]"),
            Some(Token::String) => out.extend_from_slice(b"\"\""),
            _ => out.extend_from_slice(tokens.bytes()),
        }
        while tokens.depth() > depth {
            tokens.next()?;
        }
        debug_assert!(out.len() > from, "a value was copied");
        Ok(())
    }

    fn object(&self, tokens: &mut Tokens<'_>, line: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
        out.push(b'{');
        let mut is_first = true;
        while tokens.next()? == Some(Token::Key) {
            let name = tokens.key_bytes();
            // Of a name with escapes only who reads them knows which it is. Of equal names the last counts, here as there.
            let whole = Self { is_whole: true, ..Self::default() };
            let wanted = if name.contains(&b'\\') { Some(&whole) } else { self.members.get(name) };
            let Some(wanted) = wanted else {
                tokens.skip_value()?;
                continue;
            };
            if !is_first {
                out.push(b',');
            }
            is_first = false;
            out.extend_from_slice(tokens.bytes());
            wanted.value(tokens, line, out)?;
        }
        out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projected(wanted: &[(&str, bool)], line: &str) -> String {
        let mut projection = Projection::default();
        for (path, is_whole) in wanted {
            let keys: Vec<String> = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
            projection.want(&keys, *is_whole);
        }
        let mut out = b"before".to_vec();
        projection.copy(line.as_bytes(), &mut out);
        String::from_utf8(out.split_off(6)).unwrap_or_default()
    }

    #[test]
    fn what_is_wanted_is_copied_and_nothing_else() {
        let line = r#"{"kind":"a","data":{"n": 1e1000 ,"text":"long","deep":{"x":[1,{"n":2}]}},"seq":3}"#;
        assert_eq!(projected(&[("data.n", true)], line), r#"{"data":{"n":1e1000}}"#);
        assert_eq!(
            projected(&[("data.deep", true), ("kind", true)], line),
            r#"{"kind":"a","data":{"deep":{"x":[1,{"n":2}]}}}"#
        );
        assert_eq!(projected(&[("data.none", true)], line), r#"{"data":{}}"#);
        assert_eq!(projected(&[("", true)], line), line);
        assert_eq!(projected(&[], line), "{}");
    }

    #[test]
    fn of_what_is_stepped_through_the_type_is_left() {
        let line = r#"{"a":"text","b":[[1]],"c":-1.50,"d":null,"e":false,"f":{"g":{"h":1}}}"#;
        let wanted: Vec<(&str, bool)> = ["a", "b", "c", "d", "e", "f.g", "f.x"].map(|key| (key, false)).to_vec();
        assert_eq!(projected(&wanted, line), r#"{"a":"","b":[],"c":-1.50,"d":null,"e":false,"f":{"g":{}}}"#);
        assert_eq!(projected(&[("a.x", true), ("b.x", true), ("c.x", true)], line), r#"{"a":"","b":[],"c":-1.50}"#);
    }

    #[test]
    fn equal_names_and_names_with_escapes_stay() {
        let line = r#"{"a":{"x":1},"a":{"y":2},"\u0061":{"z":[3]},"b":0}"#;
        assert_eq!(projected(&[("a.x", true)], line), r#"{"a":{"x":1},"a":{},"\u0061":{"z":[3]}}"#);
    }

    #[test]
    fn a_line_that_is_no_json_stays_as_it_is() {
        for line in [r#"{"a":1"#, r#"{"a":0}{"a":1}"#, "", r#"{"a":tru}"#, "nan", "[1,2"] {
            assert_eq!(projected(&[("a", true)], line), line);
        }
        assert_eq!(projected(&[("a", true)], "[1,2]\n"), "[]");
    }
}
