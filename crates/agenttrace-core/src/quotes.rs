//! Where strings begin and end in JSON text, seen from any place in it.

use crate::plain::{part, run_length};

const KEY_LIMIT_BYTES: usize = 1024;
/// How far behind its first quote a value's end is looked for.
const CLOSING_LIMIT_BYTES: usize = 64 << 10;

pub(crate) fn is_number(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte))
}

/// Whether the quote at this place is no escaped one.
pub(crate) fn ends_string(data: &[u8], quote: usize) -> bool {
    backslashes_before(data, quote).is_multiple_of(2)
}

fn backslashes_before(data: &[u8], place: usize) -> usize {
    part(data, ..place).iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// The insides of all strings of a JSON text.
pub(crate) fn strings(data: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + memchr::memchr(b'"', data.get(from..)?)? + 1;
        let mut end = start;
        loop {
            end += memchr::memchr2(b'"', b'\\', data.get(end..)?)?;
            if data.get(end) == Some(&b'"') {
                break;
            }
            end += 2;
        }
        from = end + 1;
        Some((start, end))
    })
}

pub(crate) fn is_in_key(data: &[u8], place: usize) -> bool {
    let mut end = place;
    let limit = data.len().min(place + KEY_LIMIT_BYTES);
    while let Some(step) = data.get(end..limit).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        end += step;
        if data.get(end) == Some(&b'"') {
            return data.get(end + 1) == Some(&b':');
        }
        end += 2;
    }
    false
}

/// Where a string that begins with the quote at `open` ends, at whatever depth of escaping it stands; not before `from`.
pub(crate) fn closing_quote(raw: &[u8], open: usize, from: usize) -> usize {
    if raw.get(open) != Some(&b'"') {
        return from;
    }
    let depth = backslashes_before(raw, open);
    let mut place = from.saturating_sub(1).max(open + 1);
    let limit = raw.len().min(place + CLOSING_LIMIT_BYTES);
    while let Some(step) = raw.get(place..limit).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        place += step;
        let run = raw.get(place..).map_or(0, run_length);
        place += run;
        if raw.get(place) == Some(&b'"') {
            // A quote of the value itself has twice the backslashes and one more.
            if run < depth || (run - depth).is_multiple_of(2 * (depth + 1)) {
                return (place - run.min(depth)).max(from);
            }
            place += 1;
        }
    }
    from
}
