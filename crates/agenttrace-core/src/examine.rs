//! What lines show by themselves: the part of judging that needs no other line, so that any number of threads can do it.
#![allow(clippy::large_enum_variant, reason = "a box would be made by one thread and freed by another")]

use std::ops::Range;

use memchr::{memchr, memchr3_iter};

use crate::base::{self, Look};
use crate::checksum;
use crate::error::{Error, why};
use crate::event::{FORMAT_VERSION, TraceId};
use crate::json::{self, Token};
use crate::line::{Line, Opening};
use crate::marks::Marks;
use crate::reader::{Limits, Pass};
use crate::scan::RawLine;
use crate::verify::{Rules, Scope};

/// What one line shows.
#[derive(Debug)]
pub(crate) enum Examined {
    /// It hasn't the form of a line.
    Malformed(&'static str),
    /// Its seal doesn't fit.
    Mismatch { stored: u32, computed: u32 },
    /// It can be believed.
    Event(Event),
}

/// An undamaged line, of any version.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) v: u64,
    pub(crate) trace_id: TraceId,
    pub(crate) seq: u64,
    pub(crate) crc: u32,
    pub(crate) is_sealed: bool,
    pub(crate) what: What,
}

/// What an event is to the judge.
#[derive(Debug)]
pub(crate) enum What {
    Start,
    /// A `trace_end`; what it states, if it is of our version.
    End(Option<End>),
    /// An `llm_request` whose base is judged.
    Request(Look),
    Other,
}

/// What `trace_end` states, as spelled.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) events: String,
    pub(crate) chain: String,
}

impl Examined {
    /// Looks at one line.
    pub(crate) fn of(raw: &RawLine<'_>, rules: &Rules) -> Self {
        if let Some(flaw) = raw.flaw {
            return Self::Malformed(flaw);
        }
        match Line::parse_clean(raw.bytes.strip_suffix(b"\n").unwrap_or(raw.bytes)) {
            Ok(line) => Self::of_line(&line, line.crc(), rules),
            Err(why) => Self::Malformed(why),
        }
    }

    fn of_line(line: &Line<'_>, crc: u32, rules: &Rules) -> Self {
        let is_ours = line.v == FORMAT_VERSION;
        // The form comes before the seal, also that of `data` where it is looked at.
        if is_ours && rules.deep && line.seal.is_some() && line.check_data().is_err() {
            return Self::Malformed(why::DATA_NOT_JSON);
        }
        let what = match line.kind {
            b"trace_start" => What::Start,
            b"trace_end" if !is_ours => What::End(None),
            b"trace_end" => match parse_end(line) {
                Some(end) => What::End(Some(end)),
                None => return Self::Malformed(why::END_DATA),
            },
            b"llm_request" if is_ours && rules.scope != Scope::Lines => What::Request(base::look(line.data_bytes())),
            _ => What::Other,
        };
        match line.check(crc) {
            Err(Error::Checksum { expected, got }) => Self::Mismatch { stored: expected, computed: got },
            // A later version is undamaged, and told by its number.
            _ => Self::Event(Event {
                v: line.v,
                trace_id: TraceId::of_line(line.trace_id),
                seq: line.seq,
                crc,
                is_sealed: line.seal.is_some(),
                what,
            }),
        }
    }

    /// Whether the line is a good one: undamaged, and of our version.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Event(event) if event.v == FORMAT_VERSION)
    }
}

/// `events` and `chain` of a `trace_end`; none if they are missing or of another type.
fn parse_end(line: &Line<'_>) -> Option<End> {
    line.check_data().ok()?;
    let members = json::members(line.data_bytes()).ok()?;
    let events = json::find(&members, b"events").filter(|events| events.token == Token::Number)?;
    let events = std::str::from_utf8(events.value).ok()?;
    if !events.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return None;
    }
    let chain = json::find(&members, b"chain")?.value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    checksum::from_hex(chain)?;
    Some(End { events: events.to_owned(), chain: String::from_utf8_lossy(chain).into_owned() })
}

/// Lines of a piece that stand together.
#[derive(Debug)]
pub(crate) enum Item {
    /// Sealed events of our version, of one trace, without a gap, of kinds that the judge asks nothing more of.
    Run { trace_id: TraceId, first_seq: u64, count: usize },
    /// Lines that haven't the form of one, for the same reason: they can be as short as their LF, and many.
    Malformed { why: &'static str, count: usize },
    /// Any other line.
    Line(Examined),
}

/// What the whole lines of a piece of a stream show, in order. Where the piece lies in the stream it doesn't know.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Where each line ends, behind its LF, from the beginning of the first.
    pub(crate) ends: Vec<usize>,
    /// For each line four bytes: its checksum, big endian, as the chain takes it in.
    pub(crate) crcs: Vec<u8>,
    pub(crate) items: Vec<Item>,
    /// Where the lines are that go on, from the beginning of the first; neighbours are one.
    pub(crate) passing: Vec<Range<usize>>,
    /// How many they are.
    pub(crate) passed: u64,
    /// What an index keeps of each line, where there is one.
    pub(crate) marks: Option<Box<Marks>>,
    opening: Opening,
}

/// A piece cut at its first and its last LF.
pub(crate) struct Cut<'a> {
    /// The end of the line that began before the piece; all of it where the piece has no LF.
    pub(crate) head: &'a [u8],
    /// The beginning of the line that goes on behind the piece.
    pub(crate) tail: &'a [u8],
}

impl Facts {
    /// Examines the whole lines of `piece`. Unless it `starts_line`, what stands before its first LF isn't one.
    /// Those that are good go on as `pass` says; without it none does.
    pub(crate) fn examine<'a>(
        &mut self,
        piece: &'a [u8],
        starts_line: bool,
        limits: &Limits,
        pass: Option<&Pass>,
    ) -> Cut<'a> {
        self.ends.clear();
        self.crcs.clear();
        self.items.clear();
        self.passing.clear();
        self.passed = 0;
        match &mut self.marks {
            Some(marks) => marks.clear(),
            None if limits.marks => self.marks = Some(Box::default()),
            None => {}
        }
        let head = match memchr(b'\n', piece) {
            None if !starts_line => piece.len(),
            Some(at) if !starts_line => at + 1,
            _ => 0,
        };
        let (head, lines) = piece.split_at_checked(head).unwrap_or((piece, &[]));
        let (mut start, mut flaw) = (0, None);
        for at in memchr3_iter(b'\n', b'\r', 0, lines) {
            match lines.get(at) {
                Some(b'\n') => {
                    let line = lines.get(start..at).unwrap_or_default();
                    if line.len() >= limits.max_line_bytes {
                        flaw = Some(why::TOO_LONG);
                    }
                    if self.add(line, flaw, &limits.rules, pass) {
                        self.pass(start..at + 1);
                    }
                    (start, flaw) = (at + 1, None);
                    self.ends.push(start);
                }
                Some(b'\r') => flaw = flaw.or(Some(why::CR)),
                _ => flaw = flaw.or(Some(why::NUL)),
            }
        }
        Cut { head, tail: lines.get(start..).unwrap_or_default() }
    }

    /// Takes in a line; says whether it goes on.
    fn add(&mut self, line: &[u8], flaw: Option<&'static str>, rules: &Rules, pass: Option<&Pass>) -> bool {
        let line = match flaw.map_or_else(|| Line::parse_next(line, &mut self.opening), Err) {
            Ok(line) => line,
            Err(why) => {
                self.marks.iter_mut().for_each(|marks| marks.push_none());
                self.crcs.extend_from_slice(&[0; 4]);
                self.push(Examined::Malformed(why));
                return false;
            }
        };
        if let Some(marks) = &mut self.marks {
            marks.push(&line);
        }
        let crc = line.crc();
        self.crcs.extend_from_slice(&crc.to_be_bytes());
        let is_good = (line.seal == Some(crc) && self.prolong(&line, rules)) || {
            let examined = Examined::of_line(&line, crc, rules);
            let is_good = examined.is_good();
            self.push(examined);
            is_good
        };
        is_good && pass.is_some_and(|pass| pass.takes_parsed(&line))
    }

    /// Counts a line with the run before it, if that is all there is to say of it.
    #[inline]
    fn prolong(&mut self, line: &Line<'_>, rules: &Rules) -> bool {
        let Some(Item::Run { trace_id, first_seq, count }) = self.items.last_mut() else { return false };
        let goes_on = line.seq == *first_seq + *count as u64
            && line.trace_id == trace_id.as_bytes()
            && line.v == FORMAT_VERSION
            && !rules.deep
            && !matches!(line.kind, b"trace_start" | b"trace_end" | b"llm_request");
        *count += usize::from(goes_on);
        goes_on
    }

    fn push(&mut self, examined: Examined) {
        let item = match examined {
            Examined::Event(Event { v: FORMAT_VERSION, trace_id, seq, is_sealed: true, what: What::Other, .. }) => {
                match self.items.last_mut() {
                    Some(Item::Run { trace_id: of, first_seq, count })
                        if *of == trace_id && seq == *first_seq + *count as u64 =>
                    {
                        *count += 1;
                        return;
                    }
                    _ => Item::Run { trace_id, first_seq: seq, count: 1 },
                }
            }
            Examined::Malformed(why) => match self.items.last_mut() {
                Some(Item::Malformed { why: same, count }) if *same == why => {
                    *count += 1;
                    return;
                }
                _ => Item::Malformed { why, count: 1 },
            },
            other => Item::Line(other),
        };
        self.items.push(item);
    }

    /// Adds a line to those that go on.
    #[inline]
    fn pass(&mut self, line: Range<usize>) {
        self.passed += 1;
        match self.passing.last_mut() {
            Some(last) if last.end == line.start => last.end = line.end,
            _ => self.passing.push(line),
        }
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }
}
