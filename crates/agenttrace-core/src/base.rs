//! `base`, by which an `llm_request` names what it shares with an earlier one: its form, its window, and whether it can be applied.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};

use smallvec::SmallVec;

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
                b"same" => {
                    base.same = json::elements(member.value).ok()?.into_iter().map(string).collect::<Option<_>>()?
                }
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

/// A member of a request: a hash of its name, and its length if it is an array. A hash, since names can be as long as
/// a line, and 64 requests are remembered.
type Measure = (u64, Option<u64>);

/// As many as requests have, or nearly.
type Measures = SmallVec<[Measure; 8]>;

/// The members of an expanded request, in the order of the hashes, each once.
#[derive(Debug, Default)]
pub(crate) struct Shape(Measures);

fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name);
    hasher.finish()
}

impl Shape {
    /// Of a name that is doubled the last counts, as JSON readers have it.
    fn of(mut members: Measures) -> Self {
        members.sort_by_key(|(name, _)| *name);
        members.dedup_by(|later, kept| {
            let is_doubled = later.0 == kept.0;
            if is_doubled {
                *kept = *later;
            }
            is_doubled
        });
        Self(members)
    }

    /// Where the member stands, if there is one.
    fn place_of(&self, name: u64) -> Option<usize> {
        self.0.binary_search_by_key(&name, |(name, _)| *name).ok()
    }

    /// The length of the member, if there is one and it is an array.
    fn length(&self, name: u64) -> Option<Option<u64>> {
        self.0.get(self.place_of(name)?).map(|(_, length)| *length)
    }

    /// Makes of the shape as written, ours, that of the expanded request.
    fn expand(mut self, link: &Link, on: &Self) -> Result<Self, BaseFault> {
        for (name, count) in &link.prefix {
            let own = self.place_of(*name).and_then(|place| self.0.get_mut(place));
            match (own, on.length(*name)) {
                (Some((_, Some(length))), Some(Some(there))) if there >= *count => *length += count,
                _ => return Err(BaseFault::Bad),
            }
        }
        let mut members = Measures::with_capacity(self.0.len() + link.same.len());
        for name in &link.same {
            let there = on.length(*name).ok_or(BaseFault::Bad)?;
            if self.place_of(*name).is_some() {
                return Err(BaseFault::Bad);
            }
            members.push((*name, there));
        }
        members.append(&mut self.0);
        Ok(Self::of(members))
    }
}

/// What of the data of an `llm_request` is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Request,
    Base,
    Other,
}

/// What an `llm_request` shows by itself of its base.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box would be made by one thread and freed by another")]
pub(crate) enum Look {
    /// It names none; its shape, if its request is an object.
    Whole(Option<Shape>),
    /// It names one.
    Based(Shape, Link),
    /// What it names could fit nothing.
    Bad,
    /// It isn't JSON, which only `deep` finds: a request of unknown shape.
    Unknown,
}

/// What `base` says, with hashes in place of names.
#[derive(Debug)]
pub(crate) struct Link {
    seq: u64,
    crc: u32,
    same: SmallVec<[u64; 8]>,
    prefix: SmallVec<[(u64, u64); 2]>,
}

impl Link {
    fn of(base: &Base<'_>) -> Self {
        let same = base.same.iter().map(|name| name_hash(name)).collect();
        let prefix = base.prefix.iter().map(|(name, count)| (name_hash(name), *count)).collect();
        Self { seq: base.seq, crc: base.crc, same, prefix }
    }
}

/// Looks at the data of an `llm_request`.
pub(crate) fn look(data: &[u8]) -> Look {
    match shape_and_base(data) {
        Err(_) => Look::Unknown,
        Ok((shape, None)) => Look::Whole(shape),
        Ok((shape, Some(base))) => match (shape, Base::parse(base)) {
            (Some(shape), Some(base)) => Look::Based(shape, Link::of(&base)),
            _ => Look::Bad,
        },
    }
}

/// The shape of `request` as written, if it is an object, and the text of `base`: both in one pass, since conversations
/// are most of a trace's bytes.
fn shape_and_base(data: &[u8]) -> Result<(Option<Shape>, Option<&[u8]>), JsonError> {
    let (mut members, mut base) = (None, None);
    let (mut section, mut name, mut length) = (Section::Other, 0, None);
    let mut tokens = Tokens::new(data, MAX_DEPTH);
    while let Some(token) = tokens.next()? {
        let is_value_end = !matches!(token, Token::Key | Token::ObjectStart | Token::ArrayStart);
        match (section, token, tokens.depth()) {
            (_, Token::Key, 1) => {
                section = match tokens.key_bytes() {
                    b"request" => Section::Request,
                    b"base" => Section::Base,
                    _ => Section::Other,
                };
                match section {
                    Section::Request => members = None,
                    Section::Base => base = Some((tokens.end(), tokens.end())),
                    Section::Other => {}
                }
            }
            (Section::Request, Token::ObjectStart, 2) => members = Some(Measures::new()),
            (Section::Request, Token::Key, 2) => (name, length) = (name_hash(tokens.key_bytes()), None),
            (Section::Request, Token::ArrayStart, 3) => length = Some(0),
            (Section::Request, _, 3) if is_value_end => length = length.map(|length| length + 1),
            (Section::Request, _, 2) if is_value_end => {
                if let Some(members) = &mut members {
                    members.push((name, length));
                }
            }
            (Section::Base, _, 1) if is_value_end => base = base.map(|(start, _)| (start, tokens.end())),
            _ => {}
        }
    }
    let base = base.and_then(|(start, end)| data.get(start..end)).map(<[u8]>::trim_ascii);
    Ok((members.map(Shape::of), base))
}

/// What is wrong with the base of a request, and the shape of the expanded request if that is known.
pub(crate) fn check(look: Look, window: &Window<Shape>) -> (Option<BaseFault>, Option<Shape>) {
    let (shape, link) = match look {
        Look::Whole(shape) => return (None, shape),
        Look::Bad => return (Some(BaseFault::Bad), None),
        Look::Unknown => return (None, None),
        Look::Based(shape, link) => (shape, link),
    };
    let Some(known) = window.find(link.seq, Some(link.crc)) else {
        return (Some(BaseFault::Missing), None);
    };
    let Some(on) = &known.request else { return (None, None) };
    match shape.expand(&link, on) {
        Ok(expanded) => (None, Some(expanded)),
        Err(fault) => (Some(fault), None),
    }
}
