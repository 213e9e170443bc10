//! From the bytes of a stream, packed or not, to its good lines: unpack, cut, judge, select.

use std::io;

use crate::error::{Finding, FindingKind, why};
use crate::event::MAX_LINE_BYTES;
use crate::scan::{Lines, RawLine};
use crate::select::Selection;
use crate::unpack::{Unpacked, Unpacker, is_packed};
use crate::verify::{Rules, Verifier};

/// Which good lines go on.
#[derive(Clone, Debug, Default)]
pub enum Pass {
    /// All.
    #[default]
    All,
    /// Those that match.
    Matching(Selection),
    /// Those that don't.
    NotMatching(Selection),
}

impl Pass {
    fn takes(&self, line: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Matching(selection) => selection.matches(line),
            Self::NotMatching(selection) => !selection.matches(line),
        }
    }
}

enum Source {
    /// Too little was seen to know.
    Unknown(Vec<u8>),
    Plain,
    Packed(Box<Unpacker>),
}

/// Judges the lines of one stream, pushed in pieces of any size, and hands on the good ones that are asked for.
pub struct Scanner {
    source: Source,
    lines: Lines,
    verifier: Verifier,
    pass: Pass,
    passed: u64,
    is_over: bool,
    /// Whether the last piece's lines were handed on: what comes at the end is treated alike.
    hands_on: bool,
    frame: FrameStart,
}

impl Scanner {
    /// A scanner at the start of a stream; no line of it may be longer than `max_line_bytes`, the LF included.
    #[must_use]
    pub fn new(rules: Rules, pass: Pass, max_line_bytes: usize) -> Self {
        Self {
            source: Source::Unknown(Vec::new()),
            lines: Lines::new(max_line_bytes),
            verifier: Verifier::new(rules),
            pass,
            passed: 0,
            is_over: false,
            hands_on: false,
            frame: FrameStart::default(),
        }
    }

    /// Takes the next piece; puts the good lines that became complete and are asked for behind `out`.
    ///
    /// # Errors
    /// Where there is no memory to unpack with; never for what the stream holds.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.hands_on = true;
        self.push(chunk, &mut Sink::Collect(out))
    }

    /// As [`Self::feed`], without handing anything on.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn judge_only(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hands_on = false;
        self.push(chunk, &mut Sink::Ignore)
    }

    fn push(&mut self, chunk: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        let Source::Unknown(beginning) = &mut self.source else {
            self.push_known(chunk, sink);
            return Ok(());
        };
        let mut beginning = std::mem::take(beginning);
        beginning.extend_from_slice(chunk);
        match is_packed(&beginning) {
            None => {
                self.source = Source::Unknown(beginning);
                return Ok(());
            }
            Some(true) => self.source = Source::Packed(Box::new(Unpacker::new()?)),
            Some(false) => self.source = Source::Plain,
        }
        self.push_known(&beginning, sink);
        Ok(())
    }

    fn push_known(&mut self, chunk: &[u8], sink: &mut Sink<'_>) {
        let Self { source, lines, verifier, pass, passed, frame, .. } = self;
        let mut flow = Flow { lines, verifier, pass, passed, frame, sink };
        match source {
            Source::Packed(unpacker) => unpacker.push(chunk, &mut |unpacked| flow.unpacked(unpacked)),
            Source::Plain | Source::Unknown(_) => flow.bytes(chunk),
        }
    }

    /// The stream is over. Judges what is left of it: a line without LF, traces without end. Good lines that come out of
    /// the end of a damaged zstd stream go behind `out`.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if std::mem::replace(&mut self.is_over, true) {
            return Ok(());
        }
        if let Source::Unknown(beginning) = &mut self.source {
            let beginning = std::mem::take(beginning);
            self.source = Source::Plain;
            self.push_known(&beginning, &mut Sink::Ignore);
        }
        let mut is_cut = false;
        let Self { source, lines, verifier, pass, passed, frame, .. } = self;
        if let Source::Packed(unpacker) = source {
            let mut sink = if self.hands_on { Sink::Collect(out) } else { Sink::Ignore };
            let mut flow = Flow { lines, verifier, pass, passed, frame, sink: &mut sink };
            is_cut = unpacker.finish(&mut |unpacked| flow.unpacked(unpacked));
        }
        let (line, offset) = (self.lines.next_number(), self.lines.next_offset());
        if self.lines.is_torn() {
            self.verifier.torn(line, offset, FindingKind::TornLine.message());
        } else if is_cut {
            self.verifier.torn(line, offset, why::CUT_FRAME);
        }
        self.verifier.finish(self.lines.bytes_total() == 0);
        Ok(())
    }

    /// Lines handed on so far.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Bytes of the unpacked stream so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let unknown = if let Source::Unknown(beginning) = &self.source { beginning.len() as u64 } else { 0 };
        self.lines.bytes_total() + unknown
    }

    /// The judge, for its verdict and its counts.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The findings since the last call, of those that were kept.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.verifier.take_findings()
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(Rules::default(), Pass::All, MAX_LINE_BYTES)
    }
}

enum Sink<'a> {
    Collect(&'a mut Vec<u8>),
    Ignore,
}

/// Where the zstd frame began that is being read.
#[derive(Clone, Copy, Default)]
struct FrameStart {
    line: u64,
    offset: u64,
    packed: u64,
}

/// What bytes pass through: a scanner's parts, with the place for what comes out.
struct Flow<'a, 'b> {
    lines: &'a mut Lines,
    verifier: &'a mut Verifier,
    pass: &'a Pass,
    passed: &'a mut u64,
    frame: &'a mut FrameStart,
    sink: &'a mut Sink<'b>,
}

impl Flow<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let Self { lines, verifier, pass, passed, sink, .. } = self;
        lines.push(bytes, |line: RawLine<'_>| {
            if verifier.judge(&line)
                && let Sink::Collect(out) = sink
                && pass.takes(line.bytes)
            {
                out.extend_from_slice(line.bytes);
                **passed += 1;
            }
        });
    }

    fn unpacked(&mut self, unpacked: Unpacked<'_>) {
        match unpacked {
            Unpacked::Bytes(bytes) => self.bytes(bytes),
            Unpacked::FrameStart(packed) => {
                let (line, offset) = (self.lines.next_number(), self.lines.next_offset());
                *self.frame = FrameStart { line, offset, packed };
            }
            Unpacked::Damaged => {
                let FrameStart { line, offset, packed } = *self.frame;
                self.verifier.damaged_frame(line, offset, packed);
                // The next frame doesn't go on where this one broke off: a line of ours never spans two.
                self.lines.tear();
            }
        }
    }
}
