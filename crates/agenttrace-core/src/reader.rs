//! From the bytes of a stream, packed or not, to its good lines: unpack, cut, judge, select.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::{Finding, FindingKind, why};
use crate::event::MAX_LINE_BYTES;
use crate::examine::{Examined, Facts};
use crate::index::Index;
use crate::line::Line;
use crate::marks::Marks;
use crate::scan::{Lines, RawLine};
use crate::select::Selection;
use crate::unpack::{Unpacked, Unpacker, is_packed};
use crate::verify::{Place, Rules, Status, Verifier};

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

    #[inline]
    pub(crate) fn takes_parsed(&self, line: &Line<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Matching(selection) => selection.matches_parsed(line),
            Self::NotMatching(selection) => !selection.matches_parsed(line),
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
    pub(crate) stream: Stream,
    is_over: bool,
    /// Whether the last piece's lines were handed on: what comes at the end is treated alike.
    hands_on: bool,
}

impl Scanner {
    /// A scanner at the start of a stream; no line of it may be longer than `max_line_bytes`, the LF included.
    #[must_use]
    pub fn new(rules: Rules, pass: Pass, max_line_bytes: usize) -> Self {
        let stream = Stream {
            lines: Lines::new(max_line_bytes),
            verifier: Verifier::new(rules),
            pass,
            passed: 0,
            frame: FrameStart::default(),
            facts: Facts::default(),
            limits: Limits { rules, max_line_bytes, marks: false },
            index: None,
        };
        Self { source: Source::Unknown(Vec::new()), stream, is_over: false, hands_on: false }
    }

    /// Keeps an index of the good lines in `index`. For a scanner that has seen nothing.
    #[must_use]
    pub fn with_index(mut self, index: Arc<RwLock<Index>>) -> Self {
        self.stream.limits.marks = true;
        self.stream.index = Some(index);
        self
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
        let Self { source, stream, .. } = self;
        match source {
            Source::Packed(unpacker) => unpacker.push(chunk, &mut |unpacked| stream.unpacked(unpacked, sink)),
            Source::Plain | Source::Unknown(_) => stream.bytes(chunk, sink),
        }
    }

    /// What the file is read with from here on by [`crate::parallel`]: none while it is open whether it is packed.
    pub(crate) fn opened(&mut self, hands_on: bool) -> Option<(Option<&mut Unpacker>, &mut Stream)> {
        self.hands_on = hands_on;
        match &mut self.source {
            Source::Unknown(_) => None,
            Source::Plain => Some((None, &mut self.stream)),
            Source::Packed(unpacker) => Some((Some(unpacker), &mut self.stream)),
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
        let Self { source, stream, .. } = self;
        if let Source::Packed(unpacker) = source {
            let mut sink = if self.hands_on { Sink::Collect(out) } else { Sink::Ignore };
            is_cut = unpacker.finish(&mut |unpacked| stream.unpacked(unpacked, &mut sink));
        }
        let Stream { lines, verifier, .. } = stream;
        judge_end(verifier, lines, is_cut);
        Ok(())
    }

    /// What the end would add if the stream, a plain one, were over here: the verdict, how many findings there would be,
    /// and those that are new. The stream can go on.
    #[must_use]
    pub fn peek_end(&self) -> (Status, u64, Vec<Finding>) {
        let mut verifier = self.stream.verifier.at_end();
        if !self.is_over {
            judge_end(&mut verifier, &self.stream.lines, false);
        }
        (verifier.status(), verifier.findings_total(), verifier.take_findings())
    }

    /// Lines handed on so far.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.stream.passed
    }

    /// Bytes of the unpacked stream so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let unknown = if let Source::Unknown(beginning) = &self.source { beginning.len() as u64 } else { 0 };
        self.stream.lines.bytes_total() + unknown
    }

    /// The judge, for its verdict and its counts.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.stream.verifier
    }

    /// The findings since the last call, of those that were kept.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.stream.verifier.take_findings()
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

/// What each line is measured by.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rules: Rules,
    pub(crate) max_line_bytes: usize,
    /// Whether an index is kept.
    pub(crate) marks: bool,
}

/// What the unpacked bytes pass through, and what is kept between two pieces of them.
pub(crate) struct Stream {
    lines: Lines,
    verifier: Verifier,
    pub(crate) pass: Pass,
    passed: u64,
    frame: FrameStart,
    facts: Facts,
    index: Option<Arc<RwLock<Index>>>,
    pub(crate) limits: Limits,
}

impl Stream {
    fn bytes(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        let mut facts = std::mem::take(&mut self.facts);
        let starts_line = !self.lines.is_torn();
        match sink {
            Sink::Ignore => {
                let cut = facts.examine(bytes, starts_line, &self.limits, None);
                self.take(cut.head, &mut facts, cut.tail, None);
            }
            Sink::Collect(out) => {
                let cut = facts.examine(bytes, starts_line, &self.limits, Some(&self.pass));
                self.take(cut.head, &mut facts, cut.tail, Some(out));
                let lines = bytes.get(cut.head.len()..).unwrap_or_default();
                for passing in facts.passing.drain(..) {
                    out.extend_from_slice(lines.get(passing).unwrap_or_default());
                }
            }
        }
        self.facts = facts;
    }

    /// Takes a piece that was examined: the end of a line, whole lines, the beginning of one. The line that ended goes
    /// behind `out` if it goes on.
    pub(crate) fn take(&mut self, head: &[u8], facts: &mut Facts, tail: &[u8], mut out: Option<&mut Vec<u8>>) {
        let Self { lines, verifier, pass, passed, index, limits, .. } = self;
        let index = index.as_deref();
        lines.push(head, |line| {
            if settle_line(verifier, index, limits, &line)
                && let Some(out) = out.as_mut()
                && pass.takes(line.bytes)
            {
                out.extend_from_slice(line.bytes);
                *passed += 1;
            }
        });
        if let Some(index) = index {
            index.write().unwrap_or_else(PoisonError::into_inner).take(lines.next_offset(), facts);
        }
        verifier.settle_all(Place { line: lines.next_number(), offset: lines.next_offset() }, facts);
        lines.pass_over(facts.lines() as u64, facts.bytes() as u64);
        *passed += facts.passed;
        // There is no LF in it.
        lines.push(tail, |_| ());
    }

    fn unpacked(&mut self, unpacked: Unpacked<'_>, sink: &mut Sink<'_>) {
        match unpacked {
            Unpacked::Bytes(bytes) => self.bytes(bytes, sink),
            Unpacked::FrameStart(packed) => self.frame_start(packed),
            Unpacked::Damaged => self.damaged(),
        }
    }

    pub(crate) fn frame_start(&mut self, packed: u64) {
        let (line, offset) = (self.lines.next_number(), self.lines.next_offset());
        self.frame = FrameStart { line, offset, packed };
    }

    pub(crate) fn damaged(&mut self) {
        let FrameStart { line, offset, packed } = self.frame;
        self.verifier.damaged_frame(line, offset, packed);
        // The next frame doesn't go on where this one broke off: a line of ours never spans two.
        self.lines.tear();
    }
}

fn judge_end(verifier: &mut Verifier, lines: &Lines, is_cut: bool) {
    let (line, offset) = (lines.next_number(), lines.next_offset());
    if lines.is_torn() {
        verifier.torn(line, offset, FindingKind::TornLine.message());
    } else if is_cut {
        verifier.torn(line, offset, why::CUT_FRAME);
    }
    verifier.finish(lines.bytes_total() == 0);
}

/// Judges one line, and keeps it in the index if there is one; says whether it is good.
fn settle_line(verifier: &mut Verifier, index: Option<&RwLock<Index>>, limits: &Limits, raw: &RawLine<'_>) -> bool {
    let examined = Examined::of(raw, &limits.rules);
    let is_good = examined.is_good();
    if let (Some(index), true) = (index, is_good) {
        let mut marks = Marks::default();
        if let Ok(line) = Line::parse_clean(raw.bytes.strip_suffix(b"\n").unwrap_or(raw.bytes)) {
            marks.push(&line);
        }
        let place = (raw.offset, raw.bytes.len() as u64);
        index.write().unwrap_or_else(PoisonError::into_inner).take_line(place, &examined, &marks);
    }
    verifier.settle(Place { line: raw.number, offset: raw.offset }, examined);
    is_good
}
