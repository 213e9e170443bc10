//! JSON as a line holds it: one spelling for each string, no white space, nothing that the format's profile bars.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2_iter};

use crate::json::{JsonError, NOT_UTF8, Token, Tokens};

/// `text`, one JSON value, without white space outside strings, each string with the fewest escapes, each number as it was.
///
/// # Errors
/// For what is not JSON in UTF-8, doubled keys, lone surrogates, and more than `max_depth` open containers.
pub fn compact(text: &[u8], max_depth: usize) -> Result<Vec<u8>, JsonError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(JsonError { why: NOT_UTF8, offset: error.valid_up_to() });
    }
    let mut out = Vec::with_capacity(text.len());
    let mut names: Vec<Names> = Vec::new();
    let mut tokens = Tokens::new(text, max_depth);
    let mut wants_comma = false;
    while let Some(token) = tokens.next()? {
        let is_end = matches!(token, Token::ObjectEnd | Token::ArrayEnd);
        if wants_comma && !is_end {
            out.push(b',');
        }
        wants_comma = !matches!(token, Token::ObjectStart | Token::ArrayStart | Token::Key);
        match token {
            Token::Key => {
                let start = out.len();
                push_string(tokens.key_bytes(), tokens.start(), &mut out)?;
                if !names.last_mut().is_none_or(|names| names.insert(&out, start..out.len())) {
                    return Err(JsonError { why: "a member's name is doubled", offset: tokens.start() });
                }
                out.push(b':');
            }
            Token::String => {
                let inner = tokens.bytes();
                let inner = inner.get(1..inner.len().wrapping_sub(1)).unwrap_or_default();
                push_string(inner, tokens.start(), &mut out)?;
            }
            _ => out.extend_from_slice(tokens.bytes()),
        }
        match token {
            Token::ObjectStart => names.push(Names::default()),
            Token::ObjectEnd => drop(names.pop()),
            _ => {}
        }
    }
    Ok(out)
}

/// Whether `text`, JSON, may hold a null or may nest deeper than `depth`: a look that is much cheaper than reading it.
#[must_use]
pub fn may_surprise(text: &[u8], depth: usize) -> bool {
    static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"null"));
    memchr2_iter(b'{', b'[', text).nth(depth).is_some() || NULL.find(text).is_some()
}

/// The names of one open object, as spelled in the output: each has one spelling there.
#[derive(Default)]
struct Names {
    few: Vec<Range<usize>>,
    many: HashSet<Vec<u8>>,
}

impl Names {
    /// Comparing with each one is fastest for few names and quadratic for many.
    const FEW: usize = 16;

    /// Whether the name is new.
    fn insert(&mut self, out: &[u8], name: Range<usize>) -> bool {
        let spelled = out.get(name.clone()).unwrap_or_default();
        if self.many.is_empty() {
            if self.few.iter().any(|other| out.get(other.clone()) == Some(spelled)) {
                return false;
            }
            self.few.push(name);
            if self.few.len() > Self::FEW {
                self.many = self.few.drain(..).filter_map(|name| out.get(name).map(<[u8]>::to_vec)).collect();
            }
            return true;
        }
        self.many.insert(spelled.to_vec())
    }
}

/// Writes the string whose inside is `inner` (its escapes are well formed) with the fewest escapes.
fn push_string(inner: &[u8], offset: usize, out: &mut Vec<u8>) -> Result<(), JsonError> {
    out.push(b'"');
    let mut rest = inner;
    while let Some(at) = memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let len = match escape {
            [_, b'u', ..] => push_unicode(escape, out)
                .ok_or(JsonError { why: "a lone surrogate", offset: offset + 1 + (inner.len() - escape.len()) })?,
            [_, b'/', ..] => {
                out.push(b'/');
                2
            }
            [_, short, ..] => {
                out.extend_from_slice(&[b'\\', *short]);
                2
            }
            _ => escape.len(),
        };
        rest = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
    Ok(())
}

/// Writes what `\uXXXX` (or a pair of them) stands for; returns the length of the escape, none for a lone surrogate.
fn push_unicode(escape: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let high = code_unit(escape)?;
    let (code, len) = if (0xd800..0xdc00).contains(&high) {
        let low = escape.get(6..).filter(|rest| rest.starts_with(b"\\u")).and_then(code_unit)?;
        let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        (0x1_0000 + ((high - 0xd800) << 10) + low, 12)
    } else {
        (high, 6)
    };
    push_char(char::from_u32(code)?, out);
    Some(len)
}

fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

fn push_char(char: char, out: &mut Vec<u8>) {
    let short = match char {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\0'..='\u{1f}' => {
            let code = char as u8;
            let low = code & 0xf;
            let low = low + if low < 10 { b'0' } else { b'a' - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (code >> 4), low]);
            return;
        }
        _ => {
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
