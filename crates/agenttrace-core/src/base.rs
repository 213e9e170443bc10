//! `base`, by which an `llm_request` names what it shares with an earlier one: its form, its window, and whether it can be applied.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::checksum;
use crate::event::{BASE_REACH, MAX_DEPTH};
use crate::json::{self, JsonError, Member, Token, Tokens};
use crate::line::whole_integer;

/// What `base` says.
pub(crate) struct Base<'a> {
    pub(crate) seq: u64,
    pub(crate) crc: u32,
    pub(crate) same: Vec<&'a [u8]>,
    pub(crate) prefix: Vec<(&'a [u8], u64)>,
}

impl<'a> Base<'a> {
    /// The meaning of the object `text`; none if a type is wrong, a name doubled or a member unknown.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut base = Self { seq: 0, crc: 0, same: Vec::new(), prefix: Vec::new() };
        let mut seen = HashSet::new();
        for member in json::members(text).ok()? {
            if !seen.insert(member.name) {
                return None;
            }
            match member.name {
                b"seq" => base.seq = whole_integer(member.value)?,
                b"crc32c" => base.crc = checksum::from_hex(string(member.value)?)?,
                b"same" => base.same = json::elements(member.value).ok()?.into_iter().map(string).collect::<Option<_>>()?,
                b"prefix" => base.prefix = prefix(member.value)?,
                _ => return None,
            }
        }
        let names: HashSet<_> = base.same.iter().chain(base.prefix.iter().map(|(name, _)| name)).collect();
        let has_all = seen.contains(b"seq".as_slice()) && seen.contains(b"crc32c".as_slice());
        (has_all && names.len() == base.same.len() + base.prefix.len()).then_some(base)
    }
}

fn string(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn prefix(value: &[u8]) -> Option<Vec<(&[u8], u64)>> {
    let members = json::members(value).ok()?;
    members.into_iter().map(|member| Some((member.name, whole_integer(member.value)?))).collect()
}

/// `request` and `base` of the data of an `llm_request`, where they are.
pub(crate) struct Parts<'a> {
    pub(crate) request: Option<Member<'a>>,
    pub(crate) base: Option<Member<'a>>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(data: &'a [u8]) -> Result<Self, JsonError> {
        let members = json::members(data)?;
        Ok(Self { request: json::find(&members, b"request"), base: json::find(&members, b"base") })
    }

    /// `request`, if it is an object.
    pub(crate) fn request_object(&self) -> Option<Member<'a>> {
        self.request.filter(|request| request.token == Token::ObjectStart)
    }
}

/// The last `llm_request`s of one trace.
#[derive(Debug)]
pub(crate) struct Window<T> {
    known: VecDeque<Known<T>>,
}

/// One of them; `request` is none where it isn't known (it is in `body`, or its own base is missing).
#[derive(Debug)]
pub(crate) struct Known<T> {
    pub(crate) seq: u64,
    pub(crate) crc: u32,
    pub(crate) request: Option<T>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { known: VecDeque::new() }
    }
}

impl<T> Window<T> {
    pub(crate) fn push(&mut self, seq: u64, crc: u32, request: Option<T>) {
        if self.known.len() >= BASE_REACH {
            self.known.pop_front();
        }
        self.known.push_back(Known { seq, crc, request });
    }

    /// The nearest with this number, and this checksum if one is asked for.
    pub(crate) fn find(&self, seq: u64, crc: Option<u32>) -> Option<&Known<T>> {
        self.nearest_first().find(|known| known.seq == seq && crc.is_none_or(|crc| crc == known.crc))
    }

    pub(crate) fn nearest_first(&self) -> impl Iterator<Item = &Known<T>> {
        self.known.iter().rev()
    }
}

/// What is wrong with a `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseFault {
    Missing,
    Bad,
}

/// The members of an expanded request, by a hash of their names, with the lengths of those that are arrays.
/// Hashes, since names can be as long as a line, and 64 requests are remembered.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    lengths: HashMap<u64, Option<u64>>,
}

fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

impl Shape {
    /// The shape of the object `request`, in one pass.
    fn of(request: &[u8]) -> Result<Self, JsonError> {
        let mut shape = Self::default();
        let mut tokens = Tokens::new(request, MAX_DEPTH);
        let (mut name, mut length) = (0, None);
        while let Some(token) = tokens.next()? {
            match (token, tokens.depth()) {
                (Token::Key, 1) => (name, length) = (name_hash(tokens.key_bytes()), None),
                (Token::ArrayStart, 2) => length = Some(0),
                (Token::ArrayEnd, 1) => _ = shape.lengths.insert(name, length),
                (Token::ObjectEnd, 1) | (Token::String | Token::Number | Token::Literal, 1) => {
                    shape.lengths.insert(name, None);
                }
                (Token::String | Token::Number | Token::Literal, 2) | (Token::ArrayEnd | Token::ObjectEnd, 2) => {
                    length = length.map(|length| length + 1);
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    /// Makes of the shape as written, ours, that of the expanded request.
    fn expand(&mut self, base: &Base<'_>, on: &Self) -> Result<(), BaseFault> {
        for (name, count) in &base.prefix {
            let name = name_hash(name);
            match (self.lengths.get_mut(&name), on.lengths.get(&name)) {
                (Some(Some(length)), Some(Some(there))) if there >= count => *length += count,
                _ => return Err(BaseFault::Bad),
            }
        }
        for name in &base.same {
            let name = name_hash(name);
            let there = on.lengths.get(&name).ok_or(BaseFault::Bad)?;
            if self.lengths.insert(name, *there).is_some() {
                return Err(BaseFault::Bad);
            }
        }
        Ok(())
    }
}

/// Looks at the data of an `llm_request`: what is wrong with its base, and the shape of its expanded request if that is known.
pub(crate) fn check(data: &[u8], window: &Window<Shape>) -> (Option<BaseFault>, Option<Shape>) {
    // What isn't JSON is only found with `deep`: here it is a request of unknown shape.
    let Ok(parts) = Parts::of(data) else { return (None, None) };
    let request = parts.request_object().map(|request| Shape::of(request.value).unwrap_or_default());
    let Some(base) = parts.base else { return (None, request) };
    let (Some(base), Some(mut shape)) = (Base::parse(base.value), request) else {
        return (Some(BaseFault::Bad), None);
    };
    let Some(known) = window.find(base.seq, Some(base.crc)) else {
        return (Some(BaseFault::Missing), None);
    };
    let Some(on) = &known.request else { return (None, None) };
    match shape.expand(&base, on) {
        Ok(()) => (None, Some(shape)),
        Err(fault) => (Some(fault), None),
    }
}
