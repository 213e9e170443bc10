//! Sealing and opening one line: pure, on slices. It knows nothing of other lines, files or streams.

use std::ops::Range;

use memchr::{memchr3, memrchr};

use crate::checksum;
use crate::error::{Error, why};
use crate::event::{self, FORMAT_VERSION, INTEGER_LIMIT, MAX_DEPTH, TS_LEN};
use crate::json::{self, Member, Token};

/// Length of a seal with the brace that closes the line: `,"crc32c":"xxxxxxxx"}`.
pub const SEAL_LEN: usize = 21;

/// The frame of a line that has the form of one. Whether its seal fits is asked with [`Line::check`].
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Format version.
    pub v: u64,
    /// The trace, 32 hex digits.
    pub trace_id: &'a [u8; 32],
    /// When, 30 bytes.
    pub ts: &'a [u8; TS_LEN],
    /// Position in the trace.
    pub seq: u64,
    /// What happened.
    pub kind: &'a [u8],
    /// The piece of work, 16 hex digits.
    pub span_id: Option<&'a [u8; 16]>,
    /// What that is part of.
    pub parent_span_id: Option<&'a [u8; 16]>,
    /// Where `data` lies in the line.
    pub data: Range<usize>,
    /// The stored seal; none for an unsealed line.
    pub seal: Option<u32>,
    bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The frame of `line` (without LF) by its places, of an unsealed line by parsing it.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(line: &'a [u8]) -> Result<Self, Error> {
        match memchr3(b'\n', b'\r', 0, line).and_then(|at| line.get(at)) {
            Some(0) => Err(Error::malformed(why::NUL)),
            Some(b'\r') => Err(Error::malformed(why::CR)),
            Some(_) => Err(Error::malformed(why::LF)),
            None => Self::parse_clean(line).map_err(Error::malformed),
        }
    }

    /// As [`Self::parse`], for a line that is known to hold neither NUL nor CR nor LF.
    pub(crate) fn parse_clean(line: &'a [u8]) -> Result<Self, &'static str> {
        Self::parse_next(line, &mut Opening::default())
    }

    /// As [`Self::parse_clean`]; what was found good in the line before isn't looked at again.
    #[inline]
    pub(crate) fn parse_next(line: &'a [u8], known: &mut Opening) -> Result<Self, &'static str> {
        match split_seal(line) {
            Some((inside, seal)) => sealed_frame(line, inside, seal, known),
            None => unsealed_frame(line),
        }
    }

    /// The bytes of `data` as stored.
    #[must_use]
    pub fn data_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.data.clone()).unwrap_or_default()
    }

    /// All of it, without LF.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// CRC-32C of what the seal covers; of an unsealed line, of the bytes before its last `}`.
    #[must_use]
    pub fn crc(&self) -> u32 {
        let len = match self.seal {
            Some(_) => self.bytes.len().saturating_sub(SEAL_LEN),
            None => memrchr(b'}', self.bytes).unwrap_or(0),
        };
        checksum::crc32c(self.bytes.get(..len).unwrap_or_default())
    }

    /// Compares `crc`, this line's [`Self::crc`], with the seal, and the version with ours.
    ///
    /// # Errors
    /// [`Error::Checksum`], [`Error::UnsupportedVersion`].
    pub fn check(&self, crc: u32) -> Result<(), Error> {
        match self.seal {
            Some(expected) if expected != crc => Err(Error::Checksum { expected, got: crc }),
            _ if self.v != FORMAT_VERSION => Err(Error::UnsupportedVersion { got: self.v }),
            _ => Ok(()),
        }
    }

    /// Whether `data` is JSON in UTF-8 and within the depth of a line. Unsealed lines were parsed whole already.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn check_data(&self) -> Result<(), Error> {
        json::validate(self.data_bytes(), MAX_DEPTH - 1).map_err(|_| Error::malformed(why::DATA_NOT_JSON))
    }
}

/// Opens one line, with its LF or without: its form, its seal, its version.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Checksum`], [`Error::UnsupportedVersion`].
pub fn open(line: &[u8]) -> Result<Line<'_>, Error> {
    let opened = Line::parse(line.strip_suffix(b"\n").unwrap_or(line))?;
    opened.check(opened.crc())?;
    Ok(opened)
}

/// Seals a compact unsealed line, with its LF or without: the same bytes with the seal as last member, and LF.
///
/// # Errors
/// [`Error::Invalid`] if it doesn't end in `}` or is sealed already.
pub fn seal(line: &[u8]) -> Result<Vec<u8>, Error> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if split_seal(line).is_some() {
        return Err(Error::Invalid { why: why::SEALED_ALREADY });
    }
    let inside = line.strip_suffix(b"}").ok_or(Error::Invalid { why: why::NOT_CLOSED })?;
    let mut sealed = Vec::with_capacity(inside.len() + SEAL_LEN + 1);
    sealed.extend_from_slice(inside);
    push_seal(&mut sealed, checksum::crc32c(inside));
    Ok(sealed)
}

/// A line's beginning up to `"data":`, and its data, as the sealed line with its LF. Neither is judged.
#[must_use]
pub fn seal_event(head: &[u8], data: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(head.len() + data.len() + SEAL_LEN + 1);
    sealed.extend_from_slice(head);
    sealed.extend_from_slice(data);
    let crc = checksum::crc32c(&sealed);
    push_seal(&mut sealed, crc);
    sealed
}

/// Ends a line whose members before the seal are written: the seal, `}` and LF.
pub(crate) fn push_seal(line: &mut Vec<u8>, crc: u32) {
    line.extend_from_slice(b",\"crc32c\":\"");
    line.extend_from_slice(&checksum::to_hex(crc));
    line.extend_from_slice(b"\"}\n");
}

/// What a seal covers, and the checksum that it states.
fn split_seal(line: &[u8]) -> Option<(&[u8], u32)> {
    let (inside, seal) = line.split_last_chunk::<SEAL_LEN>()?;
    let digits = seal.strip_prefix(b",\"crc32c\":\"")?.strip_suffix(b"\"}")?;
    Some((inside, checksum::from_hex(digits)?))
}

/// An integer without sign and leading zeros, below 2^53, and what follows it.
fn integer(text: &[u8]) -> Option<(u64, &[u8])> {
    /// 2^53 has no more, and what has no more doesn't overflow.
    const DIGITS: usize = 16;
    let (mut value, mut rest) = (0_u64, text);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        rest = behind;
    }
    let len = text.len() - rest.len();
    let is_plain = len == 1 || (len > 1 && text.first() != Some(&b'0'));
    (is_plain && len <= DIGITS && value < INTEGER_LIMIT).then_some((value, rest))
}

/// A whole text that is such an integer.
pub(crate) fn whole_integer(text: &[u8]) -> Option<u64> {
    integer(text).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

fn hex_id<const N: usize>(text: &[u8]) -> Option<(&[u8; N], &[u8])> {
    text.split_first_chunk::<N>().filter(|(id, _)| event::is_hex_id(id))
}

fn span_member<'a>(rest: &'a [u8], opening: &[u8]) -> Result<(Option<&'a [u8; 16]>, &'a [u8]), &'static str> {
    let Some(id) = rest.strip_prefix(opening) else { return Ok((None, rest)) };
    let (id, rest) = hex_id::<16>(id).ok_or(why::SPAN_ID)?;
    Ok((Some(id), rest.strip_prefix(b"\"").ok_or(why::SPAN_ID)?))
}

fn kind_member(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.strip_prefix(b",\"kind\":\"")?;
    let len = rest.iter().position(|&byte| !event::is_kind_byte(byte))?;
    let (kind, rest) = rest.split_at_checked(len)?;
    kind.first().filter(|first| first.is_ascii_lowercase())?;
    Some((kind, rest.strip_prefix(b"\"")?))
}

/// `v`, `trace_id`, `ts` and what follows them.
type Beginning<'a> = (u64, &'a [u8; 32], &'a [u8; TS_LEN], &'a [u8]);

/// How a line began that was found good, up to the whole seconds of its time: the next one often begins alike.
#[derive(Debug)]
pub(crate) struct Opening([u8; Self::LEN]);

impl Default for Opening {
    fn default() -> Self {
        Self([0; Self::LEN])
    }
}

impl Opening {
    const ID_AT: usize = br#"{"v":1,"trace_id":""#.len();
    const TS_AT: usize = Self::ID_AT + 32 + br#"","ts":""#.len();
    const LEN: usize = Self::TS_AT + b"2026-11-22T06:40:00.".len();

    /// The beginning of a line that begins alike.
    #[inline]
    fn known<'a>(&self, inside: &'a [u8]) -> Option<Beginning<'a>> {
        let (opening, _) = inside.split_first_chunk::<{ Self::LEN }>().filter(|(opening, _)| **opening == self.0)?;
        let id = opening.get(Self::ID_AT..)?.first_chunk()?;
        let (ts, rest) = inside.get(Self::TS_AT..)?.split_first_chunk::<TS_LEN>()?;
        let [.., a, b, c, d, e, f, g, h, i, b'Z'] = ts else { return None };
        let is_digits = [a, b, c, d, e, f, g, h, i].into_iter().fold(true, |all, byte| all & byte.is_ascii_digit());
        is_digits.then_some((1, id, ts, rest))
    }

    fn learn(&mut self, inside: &[u8]) {
        if let Some(opening) = inside.first_chunk().filter(|opening| opening.starts_with(br#"{"v":1,"#)) {
            self.0 = *opening;
        }
    }
}

fn beginning(inside: &[u8]) -> Result<Beginning<'_>, &'static str> {
    let (v, rest) = inside.strip_prefix(b"{\"v\":").and_then(integer).filter(|(v, _)| *v > 0).ok_or(why::V)?;
    let (trace_id, rest) = rest.strip_prefix(b",\"trace_id\":\"").and_then(hex_id::<32>).ok_or(why::TRACE_ID)?;
    let rest = rest.strip_prefix(b"\",\"ts\":\"").ok_or(why::TS)?;
    let (ts, rest) = rest.split_first_chunk::<TS_LEN>().filter(|(ts, _)| event::is_ts(ts)).ok_or(why::TS)?;
    Ok((v, trace_id, ts, rest))
}

#[inline]
fn sealed_frame<'a>(
    bytes: &'a [u8],
    inside: &'a [u8],
    seal: u32,
    known: &mut Opening,
) -> Result<Line<'a>, &'static str> {
    let (v, trace_id, ts, rest) = match known.known(inside) {
        Some(parts) => parts,
        None => {
            let parts = beginning(inside)?;
            known.learn(inside);
            parts
        }
    };
    let (seq, rest) = rest.strip_prefix(b"\",\"seq\":").and_then(integer).ok_or(why::SEQ)?;
    let (kind, rest) = kind_member(rest).ok_or(why::KIND)?;
    let (span_id, rest) = span_member(rest, b",\"span_id\":\"")?;
    let (parent_span_id, rest) = span_member(rest, b",\"parent_span_id\":\"")?;
    let data = rest.strip_prefix(b",\"data\":").ok_or(why::DATA)?;
    if data.len() < 2 || !data.starts_with(b"{") || !data.ends_with(b"}") {
        return Err(why::DATA);
    }
    let data = inside.len() - data.len()..inside.len();
    Ok(Line { v, trace_id, ts, seq, kind, span_id, parent_span_id, data, seal: Some(seal), bytes })
}

/// A string member's inside, if it is a string.
fn text<'a>(member: &Member<'a>) -> Option<&'a [u8]> {
    if member.token != Token::String {
        return None;
    }
    member.value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn unsealed_frame(bytes: &[u8]) -> Result<Line<'_>, &'static str> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    match bytes.iter().rev().find(|byte| !is_space(byte)) {
        None => return Err(why::BLANK),
        Some(b'}') => {}
        Some(_) => return Err(why::NOT_CLOSED),
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(why::NOT_UTF8);
    }
    let members = json::members(bytes)
        .map_err(|error| if error.why == json::TOO_DEEP { why::TOO_DEEP } else { why::NOT_JSON })?;
    if members.iter().any(|member| member.name == b"crc32c") {
        return Err(why::SEAL_REMAINS);
    }
    let mut members = members.into_iter().peekable();
    let mut next = |name: &[u8]| members.next_if(|member| member.name == name);
    let v = next(b"v").and_then(|v| whole_integer(v.value)).filter(|v| *v > 0).ok_or(why::V)?;
    let trace_id = next(b"trace_id").as_ref().and_then(text).and_then(whole_id).ok_or(why::TRACE_ID)?;
    let ts = next(b"ts").as_ref().and_then(text).and_then(|ts| <&[u8; TS_LEN]>::try_from(ts).ok());
    let ts = ts.filter(|ts| event::is_ts(ts)).ok_or(why::TS)?;
    let seq = next(b"seq").and_then(|seq| whole_integer(seq.value)).ok_or(why::SEQ)?;
    let kind = next(b"kind").as_ref().and_then(text).filter(|kind| event::is_kind(kind)).ok_or(why::KIND)?;
    let mut span = |name: &[u8]| match next(name) {
        None => Ok(None),
        Some(member) => text(&member).and_then(whole_id).map(Some).ok_or(why::SPAN_ID),
    };
    let span_id = span(b"span_id")?;
    let parent_span_id = span(b"parent_span_id")?;
    let data = next(b"data").filter(|data| data.token == Token::ObjectStart).ok_or(why::DATA)?;
    if members.next().is_some() {
        return Err(why::DATA);
    }
    let data = data.end - data.value.len()..data.end;
    Ok(Line { v, trace_id, ts, seq, kind, span_id, parent_span_id, data, seal: None, bytes })
}

fn whole_id<const N: usize>(text: &[u8]) -> Option<&[u8; N]> {
    <&[u8; N]>::try_from(text).ok().filter(|id| event::is_hex_id(id))
}
