//! What several threads found in the parts of a stream, taken in in the stream's order.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use crate::examine::Facts;
use crate::reader::Stream;

/// How far a thread may be ahead of the slowest: what it found waits in memory.
const PIECES_AHEAD: u64 = 64;

/// What comes of a piece.
pub(crate) enum Part {
    Piece { head: Vec<u8>, facts: Facts, tail: Vec<u8>, len: u64 },
    FrameStart(u64),
    Damaged,
}

pub(crate) struct State<'a> {
    stream: &'a mut Stream,
    /// How many parts were given out.
    pub(crate) given: u64,
    /// How many the judge has taken in.
    pub(crate) taken_in: u64,
    /// Parts that came before their turn.
    pub(crate) early: BTreeMap<u64, Part>,
    /// Unpacked pieces that nobody has examined yet.
    pub(crate) queue: VecDeque<(u64, Vec<u8>)>,
    /// Room of pieces that are done with.
    pub(crate) spare: Vec<Vec<u8>>,
    /// No part from this one on is taken in: the file ended before it.
    pub(crate) stop_at: u64,
    pub(crate) is_over: bool,
    pub(crate) has_help: bool,
    pub(crate) error: Option<io::Error>,
    pub(crate) bytes: u64,
}

impl<'a> State<'a> {
    pub(crate) fn new(stream: &'a mut Stream) -> Self {
        Self {
            stream,
            given: 0,
            taken_in: 0,
            early: BTreeMap::new(),
            queue: VecDeque::new(),
            spare: Vec::new(),
            stop_at: u64::MAX,
            is_over: false,
            has_help: false,
            error: None,
            bytes: 0,
        }
    }

    pub(crate) fn give(&mut self) -> u64 {
        self.given += 1;
        self.given - 1
    }

    pub(crate) fn take_piece(&mut self, head: &[u8], facts: &mut Facts, tail: &[u8], len: u64) {
        self.stream.take(head, facts, tail);
        self.bytes += len;
        self.taken_in += 1;
    }

    pub(crate) fn take_early(&mut self) {
        while self.taken_in < self.stop_at
            && let Some(part) = self.early.remove(&self.taken_in)
        {
            match part {
                Part::Piece { head, mut facts, tail, len } => self.take_piece(&head, &mut facts, &tail, len),
                Part::FrameStart(packed) => {
                    self.stream.frame_start(packed);
                    self.taken_in += 1;
                }
                Part::Damaged => {
                    self.stream.damaged();
                    self.taken_in += 1;
                }
            }
        }
    }

    pub(crate) fn is_far_ahead(&self) -> bool {
        !self.is_over && self.given - self.taken_in >= PIECES_AHEAD
    }
}
