//! Puts placeholders where secrets were, in the JSON text of an event's data.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memmem;
use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use crate::error::Error;
use crate::letters::Letters;
use crate::plain::{Plain, part};
use crate::quotes::{closing_quote, ends_string, is_in_key, is_number, strings};

const COMPILED_LIMIT_BYTES: usize = 64 << 20;
/// A secret that is longer is not waited for.
const HELD_LIMIT_BYTES: usize = 4096;
/// Fewer letters of a secret's beginning tell nothing of it.
const LEAST_HELD_BYTES: usize = 4;
const NAME_LIMIT_BYTES: usize = 64;
const FIRST_BYTES: usize = 4;
const PLACEHOLDER: &[u8] = b"[redacted:";

/// What is a secret. At one place values come before shapes, and these before patterns.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Names and values, each found however JSON or URLs spell it, the longest first.
    pub values: Vec<(String, Vec<u8>)>,
    /// What shapes begin with, and the shapes: names and regular expressions of bytes, seen without escapes; with a
    /// group, that is the secret.
    pub shapes: (Vec<String>, Vec<(String, String)>),
    /// What names end with (and what is behind them), and expressions that begin with such a name, or with the one byte in front of it.
    pub named: (Vec<String>, Vec<(String, String)>),
    /// Names and regular expressions of text, each for one string at a time.
    pub patterns: Vec<(String, String)>,
    /// What a secret that may go on in a stream's next piece looks like at the end of one; empty: nothing does.
    pub beginning: String,
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
}

impl<'a> Span<'a> {
    fn of(plain: &Plain<'_>, start: usize, end: usize, name: &'a str) -> Self {
        Self { start: plain.raw_place(start, false), end: plain.raw_place(end, true), name, is_bare: false }
    }

    fn behind(mut self, offset: usize) -> Self {
        self.start += offset;
        self.end += offset;
        self
    }
}

#[derive(Clone, Debug)]
struct Shapes {
    letters: Letters,
    regex: Regex,
    names: Vec<String>,
}

impl Shapes {
    fn new((letters, rules): &(Vec<String>, Vec<(String, String)>)) -> Result<Self, Error> {
        let names = rules.iter().map(|(name, _)| name.clone()).collect();
        let letters: Vec<_> = letters.iter().map(|one| one.as_bytes().to_vec()).collect();
        Ok(Self { letters: Letters::new(&letters)?, regex: compile(rules, false)?, names })
    }

    /// starts: where an expression may begin for letters that were found here.
    fn find<'a>(
        &'a self,
        raw: &[u8],
        plain: &Plain<'_>,
        spans: &mut Vec<Span<'a>>,
        starts: impl Fn(&[u8], usize) -> [Option<usize>; 2],
    ) {
        let bytes = plain.bytes.as_ref();
        let mut groups = self.regex.create_captures();
        let mut from = 0;
        while let Some(hit) = self.letters.find(bytes, from) {
            from = hit + 1;
            for start in starts(bytes, hit).into_iter().flatten() {
                let input = Input::new(bytes).range(start..).anchored(Anchored::Yes);
                if self.regex.search_half(&input).is_none() {
                    continue;
                }
                self.regex.search_captures(&input, &mut groups);
                let Some(name) = groups.pattern().and_then(|pattern| self.names.get(pattern.as_usize())) else {
                    continue;
                };
                let Some(place) = groups.get_group(1).or_else(|| groups.get_group(0)) else { continue };
                if place.start == place.end || part(bytes, place.start..).starts_with(PLACEHOLDER) {
                    continue;
                }
                let mut one = Span::of(plain, place.start, place.end, name);
                let before = place.start.checked_sub(1).and_then(|before| bytes.get(before));
                if before == Some(&b'"') && groups.get_group(1).is_some() {
                    one.end = closing_quote(raw, one.start - 1, one.end);
                }
                from = from.max(place.end);
                spans.push(one);
                break;
            }
        }
    }
}

/// Where the name begins that these letters are the end of, and the byte in front of it.
fn around_name(bytes: &[u8], hit: usize) -> [Option<usize>; 2] {
    let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let name = part(bytes, ..hit).iter().rev().take(NAME_LIMIT_BYTES).take_while(is_of_name).count();
    [(hit - name).checked_sub(1), Some(hit - name)]
}

/// The compiled rules. Time is linear in the text, whatever the expressions are.
#[derive(Clone, Debug)]
pub struct Redactor {
    values: Letters,
    value_names: Vec<(String, Vec<u8>)>,
    shapes: Shapes,
    named: Shapes,
    patterns: Vec<(String, Regex)>,
    beginning: Option<Regex>,
}

impl Redactor {
    /// Compiles the rules.
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
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut firsts: Vec<_> =
            values.iter().map(|(_, value)| value.iter().copied().take(FIRST_BYTES).collect()).collect();
        firsts.sort();
        firsts.dedup();
        let patterns =
            rules.patterns.iter().map(|rule| Ok((rule.0.clone(), compile(std::slice::from_ref(rule), true)?)));
        let beginning = (!rules.beginning.is_empty())
            .then(|| compile(&[("beginning".into(), format!("(?:{})\\z", rules.beginning))], false))
            .transpose()?;
        Ok(Self {
            values: Letters::new(&firsts)?,
            value_names: values,
            shapes: Shapes::new(&rules.shapes)?,
            named: Shapes::new(&rules.named)?,
            patterns: patterns.collect::<Result<_, Error>>()?,
            beginning,
        })
    }

    /// `data`, compact JSON, with `[redacted:NAME]` where rule NAME found a secret, and how many those were. It stays JSON.
    #[must_use]
    pub fn clean<'a>(&self, data: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        let mut spans = self.known(data);
        spans.sort_by_key(|span| span.start);
        let mut inside = strings(data).peekable();
        spans.retain_mut(|span| {
            while inside.next_if(|(_, end)| is_number(part(data, span.start..span.end)) && *end < span.start).is_some()
            {
            }
            stays_json(data, span, inside.peek().copied())
        });
        if !self.patterns.is_empty() {
            for (start, end) in strings(data) {
                self.asked_for(&Plain::of_string(part(data, start..end)), start, &mut spans);
            }
        }
        let spans = merged(spans);
        if spans.is_empty() { (Cow::Borrowed(data), 0) } else { (Cow::Owned(replaced(data, &spans)), spans.len()) }
    }

    /// The secrets of a text that is not JSON as a whole, in order.
    #[must_use]
    pub fn spans(&self, text: &[u8]) -> Vec<Span<'_>> {
        let mut spans = self.known(text);
        if !self.patterns.is_empty() {
            self.asked_for(&Plain { bytes: Cow::Borrowed(text), units: Vec::new() }, 0, &mut spans);
        }
        merged(spans)
    }

    /// How many of the last bytes may be the beginning of a secret that goes on in the next piece.
    #[must_use]
    pub fn held(&self, text: &[u8]) -> usize {
        let window = part(text, text.len().saturating_sub(HELD_LIMIT_BYTES)..);
        let plain = Plain::of_any_depth(window);
        let bytes = plain.bytes.as_ref();
        let shape = self.beginning.as_ref().and_then(|regex| regex.find(bytes)).map(|found| found.start());
        let longest = self.value_names.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
        let value =
            (bytes.len().saturating_sub(longest)..bytes.len().saturating_sub(LEAST_HELD_BYTES - 1)).find(|start| {
                let tail = part(bytes, *start..);
                self.value_names.iter().any(|(_, value)| value.len() > tail.len() && value.starts_with(tail))
            });
        let start = shape.into_iter().chain(value).min().map(|start| plain.raw_place(start, false));
        match start {
            Some(0) if text.len() > window.len() => 0,
            Some(start) => window.len() - start,
            None => 0,
        }
    }

    fn known(&self, raw: &[u8]) -> Vec<Span<'_>> {
        let plain = Plain::of_any_depth(raw);
        let bytes = plain.bytes.as_ref();
        let mut spans: Vec<Span<'_>> = Vec::new();
        if !self.value_names.is_empty() {
            let mut from = 0;
            while let Some(hit) = self.values.find(bytes, from) {
                from = hit + 1;
                if let Some((name, value)) =
                    self.value_names.iter().find(|(_, value)| part(bytes, hit..).starts_with(value))
                {
                    from = hit + value.len();
                    spans.push(Span::of(&plain, hit, from, name));
                }
            }
        }
        self.shapes.find(raw, &plain, &mut spans, |_, hit| [Some(hit), None]);
        self.named.find(raw, &plain, &mut spans, around_name);
        spans
    }

    fn asked_for<'a>(&'a self, plain: &Plain<'_>, offset: usize, spans: &mut Vec<Span<'a>>) {
        let bytes = plain.bytes.as_ref();
        let taken = placeholders(bytes);
        for (name, regex) in &self.patterns {
            for found in regex.find_iter(bytes) {
                for (start, end) in outside(&taken, found.start(), found.end()) {
                    spans.push(Span::of(plain, start, end, name).behind(offset));
                }
            }
        }
    }
}

fn as_plain(value: &[u8]) -> Vec<u8> {
    Plain::of_any_depth(value).bytes.into_owned()
}

fn compile(rules: &[(String, String)], is_text: bool) -> Result<Regex, Error> {
    let build = |patterns: &[&str]| {
        Regex::builder()
            .configure(Regex::config().nfa_size_limit(Some(COMPILED_LIMIT_BYTES)))
            .syntax(syntax::Config::new().unicode(is_text).utf8(false))
            .build_many(patterns)
            .map_err(Box::new)
    };
    let patterns: Vec<&str> = rules.iter().map(|(_, pattern)| pattern.as_str()).collect();
    build(&patterns).map_err(|error| {
        let words = |error: &BuildError| error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
        let found = rules.iter().find_map(|(name, pattern)| Some((name, build(&[pattern]).err()?)));
        let message = match found {
            Some((name, error)) => format!("{name}: {}", words(&error)),
            None => words(&error),
        };
        Error::Pattern { message }
    })
}

/// By place, each byte in one at most; of two that overlap the first is the name of both.
fn merged(mut spans: Vec<Span<'_>>) -> Vec<Span<'_>> {
    spans.sort_by_key(|span| span.start);
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

/// Whether a secret can be taken out of JSON text: it lies in one string, or is a whole number (which becomes a string).
/// For a number `string` is the first that does not end before it.
fn stays_json(data: &[u8], span: &mut Span<'_>, string: Option<(usize, usize)>) -> bool {
    let secret = part(data, span.start..span.end);
    if memchr::memchr_iter(b'"', secret).any(|place| ends_string(data, span.start + place)) {
        return false;
    }
    if is_number(secret) && string.is_none_or(|(start, _)| start > span.start) {
        let before =
            span.start.checked_sub(1).and_then(|place| data.get(place)).is_some_and(|byte| b":,[".contains(byte));
        span.is_bare = before && data.get(span.end).is_some_and(|byte| b",]}".contains(byte));
        return span.is_bare;
    }
    true
}

fn placeholders(bytes: &[u8]) -> Vec<(usize, usize)> {
    let ends = |start| memchr::memchr(b']', part(bytes, start..)).map(|len| (start, start + len + 1));
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
