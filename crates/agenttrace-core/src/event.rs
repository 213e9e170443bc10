//! The values that the frame of a line is made of: ids, time, kind. What is valid, and how time is spelled.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The format version that this release writes and reads.
pub const FORMAT_VERSION: u64 = 1;
/// The longest line by default, its LF included.
pub const MAX_LINE_BYTES: usize = 64 << 20;
/// How deep a line may be nested, the line's own object counted.
pub const MAX_DEPTH: usize = 128;
/// Integers of the format stay below this, since JSON readers with doubles round above it.
pub const INTEGER_LIMIT: u64 = 1 << 53;
/// How many `llm_request`s back a `base` may point.
pub const BASE_REACH: usize = 64;

/// Length of a timestamp, always.
pub const TS_LEN: usize = 30;
pub(crate) const NS_PER_S: u64 = 1_000_000_000;

/// A trace id in its text form: 32 lower-case hex digits, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// The id that `text` spells, if it is one.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let text: &[u8; 32] = text.try_into().ok()?;
        is_hex_id(text).then_some(Self(*text))
    }

    /// The id of a line whose frame was found good.
    pub(crate) fn of_line(text: &[u8; 32]) -> Self {
        Self(*text)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// As the line holds it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether `id` is lower-case hex digits, not all of them zero.
#[must_use]
pub fn is_hex_id<const N: usize>(id: &[u8; N]) -> bool {
    // No early return: so the compiler makes a few vector instructions of it.
    let (mut is_hex, mut is_zero) = (true, true);
    for &byte in id {
        is_hex &= (byte.wrapping_sub(b'0') < 10) | (byte.wrapping_sub(b'a') < 6);
        is_zero &= byte == b'0';
    }
    is_hex & !is_zero
}

/// Whether `kind` has the form `[a-z][a-z0-9_]*`.
#[must_use]
pub fn is_kind(kind: &[u8]) -> bool {
    kind.first().is_some_and(u8::is_ascii_lowercase) && kind.iter().all(|&byte| is_kind_byte(byte))
}

pub(crate) fn is_kind_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Whether `ts` is RFC 3339, UTC, nine fraction digits, `Z`, with every field in its range.
#[must_use]
pub fn is_ts(ts: &[u8; TS_LEN]) -> bool {
    const FORM: &[u8; TS_LEN] = b"0000-00-00T00:00:00.000000000Z";
    let mut fits = true;
    for (&form, &byte) in FORM.iter().zip(ts) {
        fits &= if form == b'0' { byte.wrapping_sub(b'0') < 10 } else { byte == form };
    }
    let two = |at: usize| match ts.get(at..at + 2) {
        Some(&[tens, ones]) => u32::from(tens.wrapping_sub(b'0')) * 10 + u32::from(ones.wrapping_sub(b'0')),
        _ => u32::MAX,
    };
    fits && (1..=12).contains(&two(5)) && (1..=31).contains(&two(8)) && two(11) <= 23 && two(14) <= 59 && two(17) <= 60
}

/// Nanoseconds since 1970 UTC in the 30 bytes of a line; years 1970 to 9999, clamped.
#[must_use]
pub fn format_ts(ts_ns: i128) -> [u8; TS_LEN] {
    const LAST_NS: i128 = 253_402_300_800_000_000_000 - 1;
    let ts_ns = ts_ns.clamp(0, LAST_NS).unsigned_abs();
    let (seconds, rest_ns) = match u64::try_from(ts_ns) {
        // Until 2554: a division of 128 bits costs more than all the rest.
        Ok(ts_ns) => (ts_ns / NS_PER_S, ts_ns % NS_PER_S),
        Err(_) => ((ts_ns / u128::from(NS_PER_S)) as u64, (ts_ns % u128::from(NS_PER_S)) as u64),
    };
    let (year, month, day) = civil_from_days(seconds / 86_400);
    let mut ts = *b"0000-00-00T00:00:00.000000000Z";
    put_digits(&mut ts, 0, 4, year);
    put_digits(&mut ts, 5, 2, month);
    put_digits(&mut ts, 8, 2, day);
    put_digits(&mut ts, 11, 2, seconds / 3600 % 24);
    put_digits(&mut ts, 14, 2, seconds / 60 % 60);
    put_digits(&mut ts, 17, 2, seconds % 60);
    put_digits(&mut ts, 20, 9, rest_ns);
    ts
}

/// Writes `value` over `count` digits of a text.
pub(crate) fn put_digits(text: &mut [u8], at: usize, count: usize, mut value: u64) {
    for digit in text.iter_mut().skip(at).take(count).rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Now, in nanoseconds since 1970 UTC.
#[must_use]
pub fn now_ns() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        // A clock before 1970 is clamped like any other time out of range.
        Err(_) => 0,
    }
}
