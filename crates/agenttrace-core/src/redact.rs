//! Puts placeholders where secrets were, in the JSON text of an event's data.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use base64_simd::STANDARD;
use memchr::memmem;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::error::Error;
use crate::finder::Finder;
use crate::plain::{Plain, part};
use crate::quotes::{ends_string, is_in_key, is_number, strings};

const COMPILED_LIMIT_BYTES: usize = 64 << 20;
/// A secret that is longer is not waited for.
const HELD_LIMIT_BYTES: usize = 4096;
/// Fewer letters of a secret's beginning tell nothing of it.
const LEAST_HELD_BYTES: usize = 4;
/// Likewise of a shape's, which has letters of its own.
const LEAST_CUT_BYTES: usize = 3;
/// A placeholder's name is no longer.
const PLACEHOLDER_LIMIT_BYTES: usize = 200;
/// The rank of patterns, behind all others.
const ASKED_FOR: usize = 3;
pub(crate) const PLACEHOLDER: &[u8] = b"[redacted:";

/// What is a secret. At one place values come before shapes, these before names, and these before patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Names and values, each found however JSON or URLs spell it, the longest first.
    pub values: Vec<(String, Vec<u8>)>,
    /// Secrets by what they look like.
    pub shapes: Vec<Shape>,
    /// Secrets by the name in front of them.
    pub named: Vec<Named>,
    /// Names and regular expressions of text, each for one string at a time.
    pub patterns: Vec<(String, String)>,
}

/// What a secret looks like without escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The rule.
    pub name: String,
    /// How it begins, in three letters at least; of the last four of them one at most should be common.
    pub starts: Vec<String>,
    /// A regular expression of bytes; with a group, that is the secret.
    pub pattern: String,
}

/// What stands behind a name that says secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The rule.
    pub name: String,
    /// One of these stands right in front of the name (of which hyphens that it begins with are no part); none: anything.
    pub before: Vec<String>,
    /// Names in small letters without `-` and `_`, which count for all that are the same but for these; one with hyphens
    /// counts only with them. `*END`: what variables, in capital letters, end with.
    pub names: Vec<String>,
    /// A regular expression of bytes for what is behind the name, with a group, the secret.
    pub behind: String,
}

/// A secret's place, and the rule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// The rule.
    pub name: &'a str,
    is_bare: bool,
    rank: usize,
    /// Base64 of bytes that were cleaned, and how many secrets they held.
    encoded: Option<(Vec<u8>, usize)>,
}

impl<'a> Span<'a> {
    /// rank: of spans at one place the lowest names it.
    pub(crate) fn new(start: usize, end: usize, name: &'a str, rank: usize) -> Self {
        Self { start, end, name, is_bare: false, rank, encoded: None }
    }

    pub(crate) fn at(self, start: usize, end: usize) -> Self {
        Self { start, end, ..self }
    }

    fn order(&self) -> (usize, usize, Reverse<usize>) {
        (self.start, self.rank, Reverse(self.end))
    }

    fn count(&self) -> usize {
        self.encoded.as_ref().map_or(1, |(_, count)| *count)
    }
}

/// The compiled rules. Time is linear in the text, whatever the expressions are.
#[derive(Clone, Debug)]
pub struct Redactor {
    finder: Finder,
    /// Letters of values' beginnings, for a quick look, and the longest value.
    beginnings: HashSet<[u8; LEAST_HELD_BYTES]>,
    longest: usize,
    /// What shapes begin with, cut behind the third letter or later.
    cut_starts: HashSet<Vec<u8>>,
    longest_start: usize,
    patterns: Vec<(String, Regex)>,
}

impl Redactor {
    /// Takes the rules; expressions of shapes and names are compiled when they are first tried.
    ///
    /// # Errors
    /// [`Error::Pattern`], with the rule's name in it.
    pub fn new(rules: &Rules) -> Result<Self, Error> {
        let mut values: Vec<_> = rules
            .values
            .iter()
            .map(|(name, value)| (name.clone(), as_plain(value)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        // One may hold another: the longest first.
        values.sort_by_key(|(_, value)| Reverse(value.len()));
        let patterns = rules.patterns.iter().map(|(name, pattern)| Ok((name.clone(), compile(name, pattern)?)));
        let starts = || rules.shapes.iter().flat_map(|shape| shape.starts.iter().map(String::as_bytes));
        Ok(Self {
            beginnings: values.iter().filter_map(|(_, value)| value.first_chunk().copied()).collect(),
            longest: values.first().map_or(0, |(_, value)| value.len()),
            cut_starts: starts().flat_map(cut_ends).map(<[u8]>::to_vec).collect(),
            longest_start: starts().map(<[u8]>::len).max().unwrap_or_default(),
            finder: Finder::new(rules, values)?,
            patterns: patterns.collect::<Result<_, Error>>()?,
        })
    }

    /// `data`, compact JSON, with `[redacted:NAME]` where rule NAME found a secret, and how many those were. It stays JSON.
    #[must_use]
    pub fn clean<'a>(&self, data: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        let mut spans = self.finder.search(data, Some(&|letters| self.cleaned_base64(letters))).spans;
        if spans.is_empty() && self.patterns.is_empty() {
            return (Cow::Borrowed(data), 0);
        }
        spans.sort_by_key(Span::order);
        let mut inside = None;
        spans.retain_mut(|span| {
            if is_number(part(data, span.start..span.end)) {
                let inside = inside.get_or_insert_with(|| strings(data).peekable());
                while inside.next_if(|(_, end)| *end < span.start).is_some() {}
                return number_stays_json(data, span, inside.peek().copied());
            }
            stays_json(data, span)
        });
        if !self.patterns.is_empty() {
            for (start, end) in strings(data) {
                self.asked_for(&Plain::of_string(part(data, start..end)), start, &mut spans);
            }
        }
        let spans = merged(spans);
        if spans.is_empty() {
            return (Cow::Borrowed(data), 0);
        }
        (Cow::Owned(replaced(data, &spans)), spans.iter().map(Span::count).sum())
    }

    /// The secrets of a text that is not JSON as a whole, in order.
    #[must_use]
    pub fn spans(&self, text: &[u8]) -> Vec<Span<'_>> {
        let mut spans = self.finder.search(text, None).spans;
        if !self.patterns.is_empty() {
            self.asked_for(&Plain { bytes: Cow::Borrowed(text), units: Vec::new() }, 0, &mut spans);
        }
        merged(spans)
    }

    /// How many of the last bytes may be the beginning of a secret that goes on in the next piece.
    #[must_use]
    pub fn held(&self, text: &[u8]) -> usize {
        let window = part(text, text.len().saturating_sub(HELD_LIMIT_BYTES)..);
        let shape = self.finder.search(window, None).open;
        let lengths = LEAST_CUT_BYTES..=window.len().min(self.longest_start);
        let cut = lengths.rev().map(|len| window.len() - len).find(|at| self.cut_starts.contains(part(window, *at..)));
        let start = shape.into_iter().chain(cut).chain(self.begun_value(window)).min();
        let Some(start) = start.filter(|start| *start > 0 || text.len() == window.len()) else { return 0 };
        let start = text.len() - window.len() + start;
        // A secret that ends in what another may begin with is not cut.
        let whole = self.spans(text).into_iter().find(|span| span.start < start && start < span.end);
        let held = text.len() - whole.map_or(start, |span| span.start);
        if held > HELD_LIMIT_BYTES { 0 } else { held }
    }

    /// Where a value begins that the end of this text cuts.
    fn begun_value(&self, window: &[u8]) -> Option<usize> {
        if self.longest == 0 {
            return None;
        }
        // An escape may spell each of its letters.
        let is_spelled = memchr::memchr2(b'\\', b'%', window).is_some();
        let plain = is_spelled.then(|| Plain::of_any_depth(window));
        let bytes = plain.as_ref().map_or(window, |plain| plain.bytes.as_ref());
        let from = bytes.len().saturating_sub(self.longest);
        let is_begun = |tail: &[u8]| {
            self.finder.values.iter().any(|(_, value)| value.len() > tail.len() && value.starts_with(tail))
        };
        let mut fours = part(bytes, from..).windows(LEAST_HELD_BYTES).enumerate();
        let start = fours.find_map(|(place, four)| {
            let is_likely = four.first_chunk().is_some_and(|four| self.beginnings.contains(four));
            (is_likely && is_begun(part(bytes, from + place..))).then_some(from + place)
        });
        start.map(|start| plain.as_ref().map_or(start, |plain| plain.raw_place(start, false)))
    }

    /// The span of base64 (its place is not known here) with a cleaned text; nothing for letters that are no base64.
    fn cleaned_base64(&self, letters: &[u8]) -> Option<Option<Span<'_>>> {
        let bytes = STANDARD.decode_to_vec(letters).ok()?;
        let spans = self.spans(&bytes);
        Some(spans.first().map(|first| Span {
            encoded: Some((STANDARD.encode_to_string(replaced(&bytes, &spans)).into_bytes(), spans.len())),
            ..first.clone()
        }))
    }

    fn asked_for<'a>(&'a self, plain: &Plain<'_>, offset: usize, spans: &mut Vec<Span<'a>>) {
        let bytes = plain.bytes.as_ref();
        let taken = placeholders(bytes);
        for (name, regex) in &self.patterns {
            for found in regex.find_iter(bytes) {
                for (start, end) in outside(&taken, found.start(), found.end()) {
                    let (start, end) = (plain.raw_place(start, false), plain.raw_place(end, true));
                    spans.push(Span::new(offset + start, offset + end, name, ASKED_FOR));
                }
            }
        }
    }
}

/// A beginning as the end of a text may cut it; one of three letters is whole.
fn cut_ends(start: &[u8]) -> impl Iterator<Item = &[u8]> {
    let longest = start.len().saturating_sub(1).max(LEAST_CUT_BYTES);
    (LEAST_CUT_BYTES..=longest).map(|len| part(start, ..len)).filter(|cut| !cut.is_empty())
}

fn as_plain(value: &[u8]) -> Vec<u8> {
    Plain::of_any_depth(value).bytes.into_owned()
}

fn compile(name: &str, pattern: &str) -> Result<Regex, Error> {
    let regex = Regex::builder()
        .configure(Regex::config().nfa_size_limit(Some(COMPILED_LIMIT_BYTES)))
        .syntax(syntax::Config::new().utf8(false))
        .build(pattern);
    regex.map_err(|error| {
        let why = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
        Error::Pattern { message: format!("{name}: {why}") }
    })
}

/// By place, each byte in one at most; of two that overlap the first is the name of both.
fn merged(mut spans: Vec<Span<'_>>) -> Vec<Span<'_>> {
    spans.sort_by_key(Span::order);
    let mut merged: Vec<Span<'_>> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

fn replaced(data: &[u8], spans: &[Span<'_>]) -> Vec<u8> {
    let mut cleaned = Vec::with_capacity(data.len());
    let mut copied = 0;
    let mut keys: HashMap<&str, usize> = HashMap::new();
    for span in spans {
        cleaned.extend_from_slice(part(data, copied..span.start));
        copied = span.end;
        if let Some((letters, _)) = &span.encoded {
            cleaned.extend_from_slice(letters);
            continue;
        }
        let quote = if span.is_bare { "\"" } else { "" };
        let mut number = String::new();
        if is_in_key(data, span.end) {
            // No name may stand twice in an object.
            let count = keys.entry(span.name).or_default();
            *count += 1;
            if *count > 1 {
                number = format!("-{count}");
            }
        }
        cleaned.extend_from_slice(format!("{quote}[redacted:{}{number}]{quote}", span.name).as_bytes());
    }
    cleaned.extend_from_slice(part(data, copied..));
    cleaned
}

/// Whether a secret can be taken out of JSON text: it lies in one string.
fn stays_json(data: &[u8], span: &Span<'_>) -> bool {
    let secret = part(data, span.start..span.end);
    !memchr::memchr_iter(b'"', secret).any(|place| ends_string(data, span.start + place))
}

/// Likewise for digits, which may be a whole number too; that becomes a string. string: the first that does not end before it.
fn number_stays_json(data: &[u8], span: &mut Span<'_>, string: Option<(usize, usize)>) -> bool {
    if string.is_some_and(|(start, _)| start <= span.start) {
        return true;
    }
    let before = span.start.checked_sub(1).and_then(|place| data.get(place)).is_some_and(|byte| b":,[".contains(byte));
    span.is_bare = before && data.get(span.end).is_some_and(|byte| b",]}".contains(byte));
    span.is_bare
}

fn placeholders(bytes: &[u8]) -> Vec<(usize, usize)> {
    let ends = |start: usize| {
        let near = part(bytes, start..bytes.len().min(start + PLACEHOLDER_LIMIT_BYTES));
        memchr::memchr(b']', near).map(|len| (start, start + len + 1))
    };
    memmem::find_iter(bytes, PLACEHOLDER).filter_map(ends).collect()
}

/// What of start..end is in none of these.
fn outside(taken: &[(usize, usize)], start: usize, end: usize) -> Vec<(usize, usize)> {
    let mut free = Vec::new();
    let mut from = start;
    for (taken_start, taken_end) in taken.iter().skip(taken.partition_point(|(_, taken_end)| *taken_end <= start)) {
        if *taken_start >= end {
            break;
        }
        free.push((from, *taken_start));
        from = *taken_end;
    }
    free.push((from, end));
    free.retain(|(from, to)| from < to);
    free
}
