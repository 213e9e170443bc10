//! A text without its escapes: what rules look at, with the way back to the bytes that were there.

use std::borrow::Cow;
use std::slice::SliceIndex;

use memchr::{memchr, memchr2};

/// What a window holds before the place it is made for: a name, letter by letter spelled.
const BEHIND_BYTES: usize = 1024;
const GROWN_BYTES: usize = 256;
/// Longer than any escape but for its run of backslashes.
const ESCAPE_BYTES: usize = 16;
const ESCAPES_TRIED: usize = 64;

/// One escape, or a run of backslashes that became one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    plain_end: usize,
    raw_end: usize,
    plain_len: usize,
    raw_len: usize,
}

/// The plain text, and where each of its bytes came from.
#[derive(Debug)]
pub(crate) struct Plain<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) units: Vec<Unit>,
}

impl<'a> Plain<'a> {
    /// Undoes JSON's escapes at whatever depth (JSON in a string in JSON …) and URLs' percent signs. A run of backslashes
    /// counts as one, so depths look alike; whatever is compared with it has to pass here too.
    pub(crate) fn of_any_depth(raw: &'a [u8]) -> Self {
        Self::build(raw, memchr2(b'\\', b'%', raw), undone)
    }

    /// Undoes the escapes of one JSON string (without its quotes) exactly.
    pub(crate) fn of_string(raw: &'a [u8]) -> Self {
        Self::build(raw, memchr(b'\\', raw), |raw, place, plain| match raw.get(place) {
            Some(b'\\') => after_backslash(raw, place + 1, plain).map_or(1, |len| len + 1),
            _ => 0,
        })
    }

    /// undo: appends what an escape at this place stands for, and says how long the escape is; 0: there is none.
    fn build(raw: &'a [u8], first: Option<usize>, undo: impl Fn(&[u8], usize, &mut Vec<u8>) -> usize) -> Self {
        let Some(first) = first else { return Self { bytes: Cow::Borrowed(raw), units: Vec::new() } };
        let mut plain = Vec::with_capacity(raw.len());
        let mut units = Vec::new();
        let (mut copied, mut next) = (0, Some(first));
        while let Some(place) = next {
            plain.extend_from_slice(part(raw, copied..place));
            let before = plain.len();
            let raw_len = undo(raw, place, &mut plain);
            copied = place + raw_len;
            if raw_len > 0 {
                let plain_len = plain.len() - before;
                units.push(Unit { plain_end: plain.len(), raw_end: copied, plain_len, raw_len });
            }
            let from = copied.max(place + 1);
            next = memchr2(b'\\', b'%', raw.get(from..).unwrap_or_default()).map(|found| from + found);
        }
        plain.extend_from_slice(part(raw, copied..));
        Self { bytes: Cow::Owned(plain), units }
    }

    /// The raw place of a plain one; inside an escape its start, or its end with `is_end`.
    pub(crate) fn raw_place(&self, place: usize, is_end: bool) -> usize {
        raw_place(&self.units, 0, place, is_end)
    }
}

/// A stretch of a text without its escapes, at any depth; it grows as it is read.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    raw: &'a [u8],
    origin: usize,
    done: usize,
    bytes: Vec<u8>,
    units: Vec<Unit>,
}

impl<'a> Window<'a> {
    /// Begins some way before this place, and not within an escape.
    pub(crate) fn around(raw: &'a [u8], place: usize) -> Self {
        let mut origin = place.saturating_sub(BEHIND_BYTES);
        for _ in 0..ESCAPES_TRIED {
            let near = origin.saturating_sub(ESCAPE_BYTES);
            let Some(escape) = memchr::memrchr2(b'\\', b'%', part(raw, near..origin)) else { break };
            let last = near + escape;
            origin = last - part(raw, ..last).iter().rev().take_while(|byte| **byte == b'\\').count();
        }
        Self { raw, origin, done: origin, bytes: Vec::new(), units: Vec::new() }
    }

    /// Whether it can be grown to this place at less than a new one would cost.
    pub(crate) fn is_near(&self, place: usize) -> bool {
        place >= self.origin && place <= self.done + BEHIND_BYTES
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn byte(&mut self, place: usize) -> Option<u8> {
        while place >= self.bytes.len() && self.grow() {}
        self.bytes.get(place).copied()
    }

    /// As [`Plain::raw_place`].
    pub(crate) fn raw_place(&self, place: usize, is_end: bool) -> usize {
        raw_place(&self.units, self.origin, place, is_end)
    }

    /// Where the byte at this raw place came to; of an escape, where that begins.
    pub(crate) fn plain_place(&mut self, raw: usize) -> usize {
        while self.done <= raw + ESCAPE_BYTES && self.grow() {}
        let next = self.units.partition_point(|unit| unit.raw_end <= raw);
        if let Some(unit) = self.units.get(next)
            && raw >= unit.raw_end - unit.raw_len
        {
            return unit.plain_end - unit.plain_len;
        }
        let last = next.checked_sub(1).and_then(|last| self.units.get(last));
        last.map_or(raw - self.origin, |unit| unit.plain_end + raw - unit.raw_end)
    }

    fn grow(&mut self) -> bool {
        if self.done >= self.raw.len() {
            return false;
        }
        let limit = self.raw.len().min(self.done + GROWN_BYTES);
        while self.done < limit {
            let found = memchr2(b'\\', b'%', part(self.raw, self.done..limit));
            let place = found.map_or(limit, |found| self.done + found);
            self.bytes.extend_from_slice(part(self.raw, self.done..place));
            self.done = place;
            if found.is_some() {
                self.undo(place);
            }
        }
        true
    }

    fn undo(&mut self, place: usize) {
        let before = self.bytes.len();
        let raw_len = undone(self.raw, place, &mut self.bytes);
        if raw_len == 0 {
            self.bytes.extend(self.raw.get(place));
        }
        self.done = place + raw_len.max(1);
        if raw_len > 0 {
            let plain_len = self.bytes.len() - before;
            self.units.push(Unit { plain_end: self.bytes.len(), raw_end: self.done, plain_len, raw_len });
        }
    }
}

/// Appends what the escape at this place stands for, and says how long it is; 0: there is none.
fn undone(raw: &[u8], place: usize, plain: &mut Vec<u8>) -> usize {
    match raw.get(place) {
        Some(b'%') => percent(raw, place, plain),
        _ => backslashes(raw, place, plain),
    }
}

fn raw_place(units: &[Unit], origin: usize, place: usize, is_end: bool) -> usize {
    let next = units.partition_point(|unit| unit.plain_end <= place);
    if let Some(unit) = units.get(next)
        && place > unit.plain_end - unit.plain_len
    {
        return if is_end { unit.raw_end } else { unit.raw_end - unit.raw_len };
    }
    let last = next.checked_sub(1).and_then(|last| units.get(last));
    let (plain_end, raw_end) = last.map_or((0, origin), |unit| (unit.plain_end, unit.raw_end));
    raw_end + (place - plain_end)
}

fn percent(raw: &[u8], place: usize, plain: &mut Vec<u8>) -> usize {
    match (hex(raw, place + 1), hex(raw, place + 2)) {
        (Some(high), Some(low)) => {
            plain.push(u8::try_from(high * 16 + low).unwrap_or_default());
            3
        }
        _ => 0,
    }
}

fn backslashes(raw: &[u8], place: usize, plain: &mut Vec<u8>) -> usize {
    let run = run_length(part(raw, place..));
    // An even run before a quote: the string ends here, with a backslash.
    if raw.get(place + run) == Some(&b'"') && run.is_multiple_of(2) {
        plain.push(b'\\');
        return run;
    }
    after_backslash(raw, place + run, plain).map_or_else(
        || {
            plain.push(b'\\');
            run
        },
        |len| run + len,
    )
}

/// The bytes of a range; none where it isn't in the text.
pub(crate) fn part(bytes: &[u8], range: impl SliceIndex<[u8], Output = [u8]>) -> &[u8] {
    bytes.get(range).unwrap_or_default()
}

pub(crate) fn run_length(raw: &[u8]) -> usize {
    raw.iter().take_while(|byte| **byte == b'\\').count()
}

/// Appends what the letters behind a backslash stand for, and says how many they are.
fn after_backslash(raw: &[u8], place: usize, plain: &mut Vec<u8>) -> Option<usize> {
    let letter = *raw.get(place)?;
    let byte = match letter {
        b'"' | b'/' | b'\\' | b'\'' => letter,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'u' => return unicode(raw, place, plain),
        _ => return None,
    };
    plain.push(byte);
    Some(1)
}

fn unicode(raw: &[u8], place: usize, plain: &mut Vec<u8>) -> Option<usize> {
    let code = hex4(raw, place + 1)?;
    let mut len = 5;
    let mut found = char::from_u32(code);
    if (0xd800..0xdc00).contains(&code) {
        let run = run_length(raw.get(place + 5..)?);
        let low = hex4(raw, place + 6 + run).filter(|low| (0xdc00..0xe000).contains(low))?;
        if run == 0 || raw.get(place + 5 + run) != Some(&b'u') {
            return None;
        }
        found = char::from_u32(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        len += run + 5;
    }
    plain.extend_from_slice(found?.encode_utf8(&mut [0; 4]).as_bytes());
    Some(len)
}

fn hex4(raw: &[u8], place: usize) -> Option<u32> {
    (0..4).try_fold(0, |value, digit| Some(value * 16 + hex(raw, place + digit)?))
}

fn hex(raw: &[u8], place: usize) -> Option<u32> {
    char::from(*raw.get(place)?).to_digit(16)
}
