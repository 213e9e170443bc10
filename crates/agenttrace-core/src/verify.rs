//! The judge: what is wrong with the lines of a stream, line by line and trace by trace. It judges and changes nothing.

use std::collections::HashMap;

use crate::base::{self, BaseFault, Shape, Window};
use crate::checksum::{Chain, to_hex};
use crate::error::{Error, Finding, FindingKind, why};
use crate::event::{FORMAT_VERSION, TraceId};
use crate::json::{self, Token};
use crate::line::Line;
use crate::scan::RawLine;

/// How much is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// What one line shows.
    #[default]
    Lines,
    /// All of FORMAT.md.
    Trace,
    /// All that a filtered, joined or growing trace must keep.
    Partial,
}

/// What is judged and how.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How much is judged.
    pub scope: Scope,
    /// Whether a line without seal is as good as one with.
    pub allow_unsealed: bool,
    /// Whether the data of sealed lines is parsed too.
    pub deep: bool,
    /// How many findings are kept; all are counted.
    pub max_findings: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self { scope: Scope::Lines, allow_unsealed: false, deep: false, max_findings: 100 }
    }
}

/// The verdict on a stream, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing was found.
    #[default]
    Intact,
    /// It was cut off, and nothing else.
    Incomplete,
    /// Some lines are of a later version, and nothing is worse.
    Unsupported,
    /// Anything else.
    Corrupt,
}

impl Status {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Incomplete => "incomplete",
            Self::Unsupported => "unsupported",
            Self::Corrupt => "corrupt",
        }
    }
}

/// The judge's memory of one trace.
#[derive(Debug)]
struct Trace {
    id: TraceId,
    highest: u64,
    chain: Chain,
    has_ended: bool,
    requests: Window<Shape>,
}

/// What `trace_end` states, as spelled.
struct End {
    events: String,
    chain: String,
}

/// Judges the lines of one stream as [`crate::scan::Lines`] cuts them.
#[derive(Debug, Default)]
pub struct Verifier {
    rules: Rules,
    findings: Vec<Finding>,
    findings_total: u64,
    status: Status,
    traces: Vec<Trace>,
    by_id: HashMap<TraceId, usize>,
    /// The trace of the line before: nearly always that of the next one too.
    latest: usize,
    events: u64,
    sealed: u64,
}

impl Verifier {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Judges the next line; says whether it is a good one: undamaged, and of our version.
    pub fn judge(&mut self, raw: &RawLine<'_>) -> bool {
        let (line, end) = match self.form(raw) {
            Ok(parts) => parts,
            Err(why) => {
                self.report(Finding::new(FindingKind::Malformed).at(raw.number, raw.offset).saying(why));
                return false;
            }
        };
        let crc = line.crc();
        match line.check(crc) {
            Ok(()) => {}
            Err(Error::UnsupportedVersion { got }) => {
                self.report_line(FindingKind::UnsupportedVersion, raw, &line, |finding| {
                    finding.compared(FORMAT_VERSION.to_string(), got.to_string())
                });
                self.place(raw, &line, crc, None, true);
                return false;
            }
            Err(_) => {
                let (stored, computed) = (text_of_crc(line.seal.unwrap_or_default()), text_of_crc(crc));
                let finding = Finding::new(FindingKind::ChecksumMismatch).at(raw.number, raw.offset);
                self.report(finding.compared(stored, computed));
                return false;
            }
        }
        self.events += 1;
        self.sealed += u64::from(line.seal.is_some());
        let is_refused = line.seal.is_none() && !self.rules.allow_unsealed && self.rules.scope != Scope::Lines;
        if is_refused {
            self.report_line(FindingKind::Unsealed, raw, &line, |finding| finding);
        }
        self.place(raw, &line, crc, end, is_refused);
        true
    }

    /// The line's frame, and what it says if it is a `trace_end`.
    fn form<'a>(&self, raw: &RawLine<'a>) -> Result<(Line<'a>, Option<End>), &'static str> {
        if let Some(flaw) = raw.flaw {
            return Err(flaw);
        }
        let line = Line::parse_clean(raw.bytes.strip_suffix(b"\n").unwrap_or(raw.bytes)).map_err(reason)?;
        if line.v != FORMAT_VERSION {
            return Ok((line, None));
        }
        if self.rules.deep && line.seal.is_some() {
            line.check_data().map_err(reason)?;
        }
        let end = if line.kind == b"trace_end" { Some(parse_end(&line).ok_or(why::END_DATA)?) } else { None };
        Ok((line, end))
    }

    /// Judges the line as one of its trace, and counts it there. `has_finding`: one a line is enough.
    fn place(&mut self, raw: &RawLine<'_>, line: &Line<'_>, crc: u32, end: Option<End>, has_finding: bool) {
        let index = self.trace_of(line);
        let (Some(index), is_first) = index else { return };
        let Some(trace) = self.traces.get_mut(index) else { return };
        let next = trace.highest + 1;
        let mut found = Vec::new();
        if is_first {
            if line.seq != 0 || line.kind != b"trace_start" {
                found.push(FindingKind::NoStart);
            }
        } else if trace.has_ended {
            // Said of every line behind the end, also of one whose number repeats: it tells more.
            found.push(FindingKind::AfterEnd);
        } else if line.seq != next {
            found.push(if line.seq > next { FindingKind::SequenceGap } else { FindingKind::SequenceRepeat });
        }
        trace.highest = trace.highest.max(line.seq);
        let so_far = trace.chain;
        trace.chain.push(crc);
        trace.has_ended |= line.kind == b"trace_end";
        if self.rules.scope != Scope::Lines && line.v == FORMAT_VERSION && line.kind == b"llm_request" {
            let (fault, shape) = base::check(line.data_bytes(), &trace.requests);
            trace.requests.push(line.seq, crc, shape);
            found.extend(fault.map(|fault| match fault {
                BaseFault::Missing => FindingKind::MissingBase,
                BaseFault::Bad => FindingKind::BadBase,
            }));
        }
        if !has_finding && let Some(&kind) = found.iter().find(|kind| self.is_judged(**kind)) {
            let is_sequence = matches!(kind, FindingKind::SequenceGap | FindingKind::SequenceRepeat);
            self.report_line(kind, raw, line, |finding| {
                if is_sequence { finding.compared(next.to_string(), line.seq.to_string()) } else { finding }
            });
        }
        if let Some(end) = end {
            self.compare_end(raw, line, so_far, end);
        }
    }

    fn compare_end(&mut self, raw: &RawLine<'_>, line: &Line<'_>, so_far: Chain, end: End) {
        let (events, chain) = (so_far.events().to_string(), text_of_crc(so_far.value()));
        if end.events != events {
            self.report_line(FindingKind::CountMismatch, raw, line, |finding| finding.compared(end.events, events));
        }
        if end.chain != chain {
            self.report_line(FindingKind::ChainMismatch, raw, line, |finding| finding.compared(end.chain, chain));
        }
    }

    /// The index of the line's trace, and whether the line is its first.
    fn trace_of(&mut self, line: &Line<'_>) -> (Option<usize>, bool) {
        if self.traces.get(self.latest).is_some_and(|trace| trace.id.as_bytes() == line.trace_id) {
            return (Some(self.latest), false);
        }
        let Some(id) = TraceId::new(line.trace_id) else { return (None, false) };
        if let Some(&index) = self.by_id.get(&id) {
            self.latest = index;
            return (Some(index), false);
        }
        self.latest = self.traces.len();
        self.by_id.insert(id, self.latest);
        let (chain, requests) = (Chain::default(), Window::default());
        self.traces.push(Trace { id, highest: line.seq, chain, has_ended: false, requests });
        (Some(self.latest), true)
    }

    /// The stream ends in the middle of a line, or of a zstd frame.
    pub fn torn(&mut self, line: u64, offset: u64, message: &str) {
        if self.is_judged(FindingKind::TornLine) {
            self.report(Finding::new(FindingKind::TornLine).at(line, offset).saying(message));
        }
    }

    /// A zstd frame, which began at `line` and `offset` of the unpacked stream and at `packed` of the packed one, is bad.
    pub fn damaged_frame(&mut self, line: u64, offset: u64, packed: u64) {
        let message = format!("{} that begins at byte {packed} of the file", FindingKind::DamagedFrame.message());
        self.report(Finding::new(FindingKind::DamagedFrame).at(line, offset).saying(&message));
    }

    /// The stream is over: what is missing now won't come. `is_empty`: it had not a single byte.
    pub fn finish(&mut self, is_empty: bool) {
        if self.rules.scope != Scope::Trace {
            return;
        }
        if is_empty && self.findings_total == 0 {
            self.report(Finding::new(FindingKind::NoStart).saying(why::EMPTY));
        }
        let cut: Vec<_> = self.traces.iter().filter(|trace| !trace.has_ended).map(|trace| trace.id).collect();
        for id in cut {
            let mut finding = Finding::new(FindingKind::NoEnd);
            finding.trace_id = Some(id);
            self.report(finding);
        }
    }

    /// Whether this kind counts as one under the rules.
    fn is_judged(&self, kind: FindingKind) -> bool {
        use FindingKind as K;
        match self.rules.scope {
            Scope::Trace => true,
            Scope::Partial => !matches!(
                kind,
                K::SequenceGap
                    | K::NoStart
                    | K::NoEnd
                    | K::TornLine
                    | K::CountMismatch
                    | K::ChainMismatch
                    | K::MissingBase
            ),
            Scope::Lines => matches!(
                kind,
                K::Malformed | K::ChecksumMismatch | K::UnsupportedVersion | K::TornLine | K::DamagedFrame
            ),
        }
    }

    fn report_line(
        &mut self,
        kind: FindingKind,
        raw: &RawLine<'_>,
        line: &Line<'_>,
        complete: impl FnOnce(Finding) -> Finding,
    ) {
        if !self.is_judged(kind) {
            return;
        }
        if let Some(id) = TraceId::new(line.trace_id) {
            self.report(complete(Finding::new(kind).at(raw.number, raw.offset).of(id, line.seq)));
        }
    }

    fn report(&mut self, finding: Finding) {
        use FindingKind as K;
        self.status = self.status.max(match finding.kind {
            K::NoEnd | K::TornLine => Status::Incomplete,
            K::NoStart if finding.line.is_none() => Status::Incomplete,
            K::UnsupportedVersion => Status::Unsupported,
            _ => Status::Corrupt,
        });
        self.findings_total += 1;
        if self.findings_total <= self.rules.max_findings as u64 {
            self.findings.push(finding);
        }
    }

    /// The findings since the last call, of those that were kept.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// How many findings there were, those too that were not kept.
    #[must_use]
    pub fn findings_total(&self) -> u64 {
        self.findings_total
    }

    /// The verdict so far.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// How many traces were seen.
    #[must_use]
    pub fn traces(&self) -> usize {
        self.traces.len()
    }

    /// How many good lines were seen.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many of them were sealed.
    #[must_use]
    pub fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Whether every trace so far has its end; not before there is one.
    #[must_use]
    pub fn have_all_ended(&self) -> bool {
        !self.traces.is_empty() && self.traces.iter().all(|trace| trace.has_ended)
    }
}

fn text_of_crc(crc: u32) -> String {
    String::from_utf8_lossy(&to_hex(crc)).into_owned()
}

fn reason(error: Error) -> &'static str {
    match error {
        Error::Malformed { why } => why,
        _ => FindingKind::Malformed.message(),
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
    crate::checksum::from_hex(chain)?;
    Some(End { events: events.to_owned(), chain: String::from_utf8_lossy(chain).into_owned() })
}
