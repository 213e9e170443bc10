//! The lines of a byte stream that is pushed in pieces, with their numbers and places; memory bounded by the longest line.

use memchr::{memchr, memchr3_iter};

use crate::error::why;

/// What [`Lines`] hands on: one line, its LF included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The bytes with the LF; empty where the line was longer than the limit.
    pub bytes: &'a [u8],
    /// The line's number, from 1.
    pub number: u64,
    /// The place of its first byte.
    pub offset: u64,
    /// Why it can't be a line, as far as that is seen while looking for its end.
    pub flaw: Option<&'static str>,
}

/// Cuts a stream at its LFs.
#[derive(Debug)]
pub struct Lines {
    /// The piece of a line whose end has not come yet.
    carry: Vec<u8>,
    flaw: Option<&'static str>,
    /// Bytes of the unfinished line so far, also those that were dropped.
    carried: u64,
    number: u64,
    offset: u64,
    max_line_bytes: usize,
}

impl Lines {
    /// Lines of at most `max_line_bytes`, the LF included.
    #[must_use]
    pub fn new(max_line_bytes: usize) -> Self {
        Self { carry: Vec::new(), flaw: None, carried: 0, number: 0, offset: 0, max_line_bytes }
    }

    /// Number of the line that comes next or has begun.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.number + 1
    }

    /// The place of that line's first byte.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.offset
    }

    /// All bytes that were pushed.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.offset + self.carried
    }

    /// Whether a line has begun that has no LF yet.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.carried > 0
    }

    /// Counts whole lines that were cut elsewhere; for a place where no line has begun.
    pub(crate) fn pass_over(&mut self, lines: u64, bytes: u64) {
        self.number += lines;
        self.offset += bytes;
    }

    /// Takes the next piece of the stream and calls `each` for every line that became complete.
    pub fn push(&mut self, chunk: &[u8], mut each: impl FnMut(RawLine<'_>)) {
        let mut rest = chunk;
        if self.carried > 0 {
            rest = self.push_carried(chunk, &mut each);
        }
        let (mut start, mut flaw) = (0, None);
        for at in memchr3_iter(b'\n', b'\r', 0, rest) {
            match rest.get(at) {
                Some(b'\n') => {
                    let bytes = rest.get(start..=at).unwrap_or_default();
                    self.hand_on(bytes, flaw, &mut each);
                    (start, flaw) = (at + 1, None);
                }
                Some(b'\r') => flaw = flaw.or(Some(why::CR)),
                _ => flaw = flaw.or(Some(why::NUL)),
            }
        }
        self.carry_on(rest.get(start..).unwrap_or_default(), flaw);
    }

    /// Finishes the line that has begun, if its LF is in `chunk`; returns what follows it.
    fn push_carried<'a>(&mut self, chunk: &'a [u8], each: &mut impl FnMut(RawLine<'_>)) -> &'a [u8] {
        let len = memchr(b'\n', chunk).map_or(chunk.len(), |at| at + 1);
        let (piece, rest) = chunk.split_at_checked(len).unwrap_or((chunk, &[]));
        let flaw = first_flaw(piece);
        self.carry_on(piece, flaw);
        if piece.ends_with(b"\n") {
            let (carry, flaw) = (std::mem::take(&mut self.carry), self.flaw.take());
            let carried = std::mem::take(&mut self.carried);
            self.hand_on_len(&carry, carried, flaw, each);
            self.carry = carry;
            self.carry.clear();
            // A long line's room is given back: one in a thousand files has one.
            self.carry.shrink_to(1 << 20);
        }
        rest
    }

    fn carry_on(&mut self, piece: &[u8], flaw: Option<&'static str>) {
        self.carried += piece.len() as u64;
        if self.carried > self.max_line_bytes as u64 {
            self.carry.clear();
            self.flaw = Some(why::TOO_LONG);
        } else {
            self.carry.extend_from_slice(piece);
            self.flaw = self.flaw.or(flaw);
        }
    }

    fn hand_on(&mut self, bytes: &[u8], flaw: Option<&'static str>, each: &mut impl FnMut(RawLine<'_>)) {
        if bytes.len() > self.max_line_bytes {
            self.hand_on_len(&[], bytes.len() as u64, Some(why::TOO_LONG), each);
        } else {
            self.hand_on_len(bytes, bytes.len() as u64, flaw, each);
        }
    }

    fn hand_on_len(&mut self, bytes: &[u8], len: u64, flaw: Option<&'static str>, each: &mut impl FnMut(RawLine<'_>)) {
        self.number += 1;
        let offset = self.offset;
        self.offset += len;
        each(RawLine { bytes, number: self.number, offset, flaw });
    }

    /// Gives up the line that has begun: what follows is another one. For a place where the stream has a hole.
    pub fn tear(&mut self) {
        if self.carried > 0 {
            self.number += 1;
            self.offset += self.carried;
            self.carried = 0;
            self.carry.clear();
            self.flaw = None;
        }
    }
}

fn first_flaw(piece: &[u8]) -> Option<&'static str> {
    memchr::memchr2(b'\r', 0, piece).map(|at| if piece.get(at) == Some(&0) { why::NUL } else { why::CR })
}
