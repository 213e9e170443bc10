//! What several threads found in the parts of a stream, taken in in the stream's order; the good lines written in it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice, Write};

use crate::examine::Facts;
use crate::reader::Stream;

/// A piece of a stream that was examined.
#[derive(Default)]
pub(crate) struct Piece {
    /// The end of the line that began before the piece, whole lines, the beginning of one that goes on behind it.
    /// Where nothing is handed on, the whole lines are left out.
    pub(crate) bytes: Vec<u8>,
    /// Where the whole lines begin, and where they end.
    pub(crate) lines: (usize, usize),
    pub(crate) facts: Facts,
    /// How many bytes of the file it was.
    pub(crate) len: u64,
}

/// A part of a stream.
pub(crate) enum Part {
    Piece(Box<Piece>),
    FrameStart(u64),
    Damaged,
}

/// Where the threads of one call stand; behind a lock.
pub(crate) struct State {
    /// How many parts were given out.
    pub(crate) given: u64,
    /// How many were taken in.
    pub(crate) taken_in: u64,
    /// Parts that wait for their turn.
    pub(crate) early: BTreeMap<u64, Part>,
    /// Unpacked pieces that nobody has examined yet.
    pub(crate) queue: VecDeque<(u64, Vec<u8>)>,
    /// What is done with, for its room.
    #[allow(clippy::vec_box, reason = "a box is used again, too")]
    pub(crate) spare: Vec<Box<Piece>>,
    pub(crate) rooms: Vec<Vec<u8>>,
    /// No part from this one on is taken in: the file ended before it.
    pub(crate) stop_at: u64,
    /// Whether no more parts are given out.
    pub(crate) is_over: bool,
    pub(crate) has_help: bool,
    /// What stood in the way of reading on.
    pub(crate) error: Option<io::Error>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            given: 0,
            taken_in: 0,
            early: BTreeMap::new(),
            queue: VecDeque::new(),
            spare: Vec::new(),
            rooms: Vec::new(),
            stop_at: u64::MAX,
            is_over: false,
            has_help: false,
            error: None,
        }
    }

    pub(crate) fn give(&mut self) -> u64 {
        self.given += 1;
        self.given - 1
    }

    /// The part whose turn it is, if it is there.
    pub(crate) fn next(&mut self) -> Option<Part> {
        if self.taken_in < self.stop_at { self.early.remove(&self.taken_in) } else { None }
    }

    /// How many parts were given out that were not taken in, and will be.
    pub(crate) fn outstanding(&self) -> u64 {
        self.given.min(self.stop_at).saturating_sub(self.taken_in)
    }

    /// The file ends with the parts before this one.
    pub(crate) fn end_at(&mut self, index: u64) {
        self.stop_at = self.stop_at.min(index);
        self.is_over = true;
    }
}

/// Takes in the parts of a stream, in order. One thread does: the one that was called, which the signals reach.
pub(crate) struct Settler<'a> {
    stream: &'a mut Stream,
    out: Option<&'a mut dyn Write>,
    /// A line that lies in several pieces.
    across: Vec<u8>,
    pub(crate) bytes: u64,
    /// Why nothing can be written any more. From there on nothing is taken in.
    pub(crate) error: Option<io::Error>,
}

impl<'a> Settler<'a> {
    pub(crate) fn new(stream: &'a mut Stream, out: Option<&'a mut dyn Write>) -> Self {
        Self { stream, out, across: Vec::new(), bytes: 0, error: None }
    }

    pub(crate) fn take(&mut self, part: &mut Part) {
        match part {
            _ if self.error.is_some() => {}
            Part::Piece(piece) => self.take_piece(piece),
            Part::FrameStart(packed) => self.stream.frame_start(*packed),
            Part::Damaged => self.stream.damaged(),
        }
    }

    fn take_piece(&mut self, piece: &mut Piece) {
        let (head, rest) = piece.bytes.split_at_checked(piece.lines.0).unwrap_or_default();
        let (lines, tail) = rest.split_at_checked(piece.lines.1 - piece.lines.0).unwrap_or_default();
        let across = self.out.is_some().then_some(&mut self.across);
        self.stream.take(head, &mut piece.facts, tail, across);
        self.bytes += piece.len;
        if let Some(out) = &mut self.out {
            let passing = piece.facts.passing.iter().filter_map(|range| lines.get(range.clone()));
            let mut slices: Vec<_> = std::iter::once(self.across.as_slice()).chain(passing).map(IoSlice::new).collect();
            self.error = write_all(*out, &mut slices).err();
            self.across.clear();
            self.across.shrink_to(1 << 20);
        }
    }
}

/// The most that one call of the system takes.
const SLICES_AT_ONCE: usize = 1024;

fn write_all(out: &mut dyn Write, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Empty ones at the front go.
    IoSlice::advance_slices(&mut slices, 0);
    while let Some(some) = slices.get(..slices.len().min(SLICES_AT_ONCE)).filter(|some| !some.is_empty()) {
        match out.write_vectored(some)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => IoSlice::advance_slices(&mut slices, count),
        }
    }
    Ok(())
}
