//! The members of a JSON object, as slices of its text.

use crate::event::MAX_DEPTH;
use crate::json::{JsonError, Token, Tokens};

/// A member of an object, as slices of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name as spelled, without its quotes.
    pub name: &'a [u8],
    /// The value as spelled.
    pub value: &'a [u8],
    /// What the value is: a start, a string, a number, a literal.
    pub token: Token,
    /// Where the name's opening quote stands.
    pub start: usize,
    /// Where the value ends.
    pub end: usize,
}

/// The members of the object `text`, in order, each value checked against RFC 8259 but for its UTF-8.
///
/// # Errors
/// Where `text` isn't JSON, isn't an object, or is nested deeper than the format allows.
pub fn members(text: &[u8]) -> Result<Vec<Member<'_>>, JsonError> {
    let mut tokens = Tokens::new(text, MAX_DEPTH);
    if tokens.next()? != Some(Token::ObjectStart) {
        return Err(JsonError { why: "not an object", offset: 0 });
    }
    let mut members = Vec::new();
    while tokens.next()? == Some(Token::Key) {
        let start = tokens.start();
        let name = tokens.key_bytes();
        let (token, value) = tokens.skip_value()?;
        let end = value.end;
        let value = text.get(value).unwrap_or_default();
        members.push(Member { name, value, token, start, end });
    }
    tokens.next()?;
    Ok(members)
}

/// The last of `members` that has this name: the one that JSON readers take.
#[must_use]
pub fn find<'a>(members: &[Member<'a>], name: &[u8]) -> Option<Member<'a>> {
    members.iter().rev().find(|member| member.name == name).copied()
}

/// As [`find`], by what the names mean, however writers spelled them. `name` is of ASCII letters, digits and `_`.
#[must_use]
pub fn find_meant<'a>(members: &[Member<'a>], name: &[u8]) -> Option<Member<'a>> {
    members.iter().rev().find(|member| means(member.name, name)).copied()
}

fn means(spelled: &[u8], name: &[u8]) -> bool {
    if !spelled.contains(&b'\\') {
        return spelled == name;
    }
    let mut rest = spelled;
    name.iter().all(|&wanted| {
        let (code, behind) = match rest {
            [b'\\', b'u', a, b, c, d, behind @ ..] => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default();
                ([a, b, c, d].into_iter().fold(0, |code, next| code << 4 | digit(next)), behind)
            }
            [byte, behind @ ..] => (u32::from(*byte), behind),
            [] => return false,
        };
        rest = behind;
        code == u32::from(wanted)
    }) && rest.is_empty()
}
