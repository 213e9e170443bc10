//! What an index keeps of lines, found by the thread that examines them.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::event::TS_LEN;
use crate::line::Line;
use crate::select;

/// What one line says of its event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    /// When, in nanoseconds since 1970.
    pub(crate) ts_ns: u64,
    /// The span's id as a number; an id is never 0, which is no span.
    pub(crate) span: u64,
    pub(crate) parent: u64,
    /// Its place in [`Marks::kinds`].
    pub(crate) kind: u32,
    pub(crate) is_error: bool,
}

/// The marks of the lines of a piece, one for each, of damaged ones an empty one.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) lines: Vec<Mark>,
    pub(crate) kinds: Vec<Vec<u8>>,
    /// The whole seconds that were read last: nearly always those of the next line too.
    second: Option<([u8; SECOND_LEN], u64)>,
}

const SECOND_LEN: usize = b"2026-11-22T06:40:00".len();

impl Marks {
    /// The next piece begins. Kinds too: a hostile trace has more of them than a list is for.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.kinds.clear();
    }

    /// Of a line that isn't one.
    pub(crate) fn push_none(&mut self) {
        self.lines.push(Mark::default());
    }

    pub(crate) fn push(&mut self, line: &Line<'_>) {
        let mark = Mark {
            ts_ns: self.ts_ns(line.ts),
            span: number(line.span_id),
            parent: number(line.parent_span_id),
            kind: self.kind(line.kind),
            is_error: is_error(line),
        };
        self.lines.push(mark);
    }

    fn kind(&mut self, kind: &[u8]) -> u32 {
        let known = self.kinds.iter().position(|known| known == kind);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(kind.to_vec());
            self.kinds.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn ts_ns(&mut self, ts: &[u8; TS_LEN]) -> u64 {
        let Some((second, _)) = ts.split_first_chunk::<SECOND_LEN>() else { return 0 };
        let seconds = match self.second {
            Some((known, seconds)) if known == *second => seconds,
            _ => {
                let seconds = seconds_of(second);
                self.second = Some((*second, seconds));
                seconds
            }
        };
        seconds.saturating_mul(1_000_000_000).saturating_add(digits(ts, SECOND_LEN + 1, 9))
    }
}

/// The number that `count` digits from `at` on spell; the form of `text` was looked at.
fn digits(text: &[u8], at: usize, count: usize) -> u64 {
    let digits = text.get(at..at + count).unwrap_or_default();
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')))
}

/// Seconds since 1970; 0 before that. Days by Howard Hinnant, "chrono-compatible low-level date algorithms".
fn seconds_of(second: &[u8; SECOND_LEN]) -> u64 {
    let (year, month, day) = (digits(second, 0, 4), digits(second, 5, 2), digits(second, 8, 2));
    let year = year - u64::from(month <= 2 && year > 0);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.saturating_sub(1);
    let (era, year_of_era) = (year / 400, year % 400);
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = days.saturating_sub(719_468);
    days * 86_400 + digits(second, 11, 2) * 3600 + digits(second, 14, 2) * 60 + digits(second, 17, 2)
}

/// A span's id as a number, 0 for none. Its form was looked at: digits, and small letters up to f.
fn number(id: Option<&[u8; 16]>) -> u64 {
    let digit = |byte: u8| u64::from(byte & 0xf) + if byte.is_ascii_digit() { 0 } else { 9 };
    id.map_or(0, |id| id.iter().fold(0, |number, &byte| number << 4 | digit(byte)))
}

/// Whether the event is an error. Its data is parsed only where a name stands that could make it one, or an escape
/// that may spell a letter of one.
fn is_error(line: &Line<'_>) -> bool {
    static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"error\""));
    static STATUS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"status\""));
    static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u00"));
    let data = line.data_bytes();
    let may_be = matches!(line.kind, b"error" | b"process_end" | b"trace_end")
        || ERROR.find(data).is_some()
        || STATUS.find(data).is_some()
        || ESCAPE.find(data).is_some();
    may_be && select::is_error(line.kind, data)
}
