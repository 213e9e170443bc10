//! The judge: what is wrong with the lines of a stream, line by line and trace by trace. It judges and changes nothing.

use std::collections::HashMap;

use crate::base::{self, BaseFault, Shape, Window};
use crate::checksum::{Chain, to_hex};
use crate::error::{Finding, FindingKind, why};
use crate::event::{FORMAT_VERSION, TraceId};
use crate::examine::{End, Event, Examined, Facts, Item, What};
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

impl Trace {
    fn new(id: TraceId, highest: u64) -> Self {
        Self { id, highest, chain: Chain::default(), has_ended: false, requests: Window::default() }
    }
}

/// Where a line is in its stream.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Its number, from 1.
    pub(crate) line: u64,
    /// The place of its first byte.
    pub(crate) offset: u64,
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
        let examined = Examined::of(raw, &self.rules);
        let is_good = examined.is_good();
        self.settle(Place { line: raw.number, offset: raw.offset }, examined);
        is_good
    }

    /// Judges the lines that `facts` tell of, the first of them at `first`. Leaves `facts` without items.
    pub(crate) fn settle_all(&mut self, first: Place, facts: &mut Facts) {
        let Facts { ends, crcs, items, .. } = facts;
        let place = |index: usize| {
            let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
            Place { line: first.line + index as u64, offset: first.offset + start as u64 }
        };
        let mut index = 0;
        for item in items.drain(..) {
            let (trace_id, mut seq, end) = match item {
                Item::Line(examined) => {
                    self.settle(place(index), examined);
                    index += 1;
                    continue;
                }
                Item::Malformed { why, count } => {
                    (index..index + count).for_each(|index| self.settle(place(index), Examined::Malformed(why)));
                    index += count;
                    continue;
                }
                Item::Run { trace_id, first_seq, count } => (trace_id, first_seq, index + count),
            };
            // One by one as far as there is something to be said, the rest at once.
            while index < end && !self.prolong(trace_id, seq, crcs.get(4 * index..4 * end).unwrap_or_default()) {
                let crc = crcs.get(4 * index..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
                let (v, crc, what) = (FORMAT_VERSION, u32::from_be_bytes(crc), What::Other);
                self.settle(place(index), Examined::Event(Event { v, trace_id, seq, crc, is_sealed: true, what }));
                index += 1;
                seq += 1;
            }
            index = end;
        }
    }

    /// Counts lines whose checksums are `crcs` with their trace, if they go on where it is and nothing is wrong with them.
    fn prolong(&mut self, id: TraceId, first_seq: u64, crcs: &[u8]) -> bool {
        let Some(trace) = self.traces.get_mut(self.latest) else { return false };
        if trace.id != id || trace.has_ended || first_seq != trace.highest + 1 {
            return false;
        }
        let count = crcs.len() as u64 / 4;
        trace.highest += count;
        trace.chain.push_all(crcs);
        self.events += count;
        self.sealed += count;
        true
    }

    /// Judges a line by what it shows.
    pub(crate) fn settle(&mut self, place: Place, examined: Examined) {
        let event = match examined {
            Examined::Malformed(why) => {
                return self.report(FindingKind::Malformed, |finding| finding.at(place.line, place.offset).saying(why));
            }
            Examined::Mismatch { stored, computed } => {
                return self.report(FindingKind::ChecksumMismatch, |finding| {
                    finding.at(place.line, place.offset).compared(text_of_crc(stored), text_of_crc(computed))
                });
            }
            Examined::Event(event) => event,
        };
        if event.v != FORMAT_VERSION {
            self.report_event(FindingKind::UnsupportedVersion, place, &event, |finding| {
                finding.compared(FORMAT_VERSION.to_string(), event.v.to_string())
            });
            return self.put_in_trace(place, event, true);
        }
        self.events += 1;
        self.sealed += u64::from(event.is_sealed);
        let is_refused = !event.is_sealed && !self.rules.allow_unsealed && self.rules.scope != Scope::Lines;
        if is_refused {
            self.report_event(FindingKind::Unsealed, place, &event, |finding| finding);
        }
        self.put_in_trace(place, event, is_refused);
    }

    /// Judges the event as one of its trace, and counts it there. `has_finding`: one a line is enough.
    fn put_in_trace(&mut self, place: Place, mut event: Event, has_finding: bool) {
        let (index, is_first) = self.trace_of(event.trace_id, event.seq);
        let Some(trace) = self.traces.get_mut(index) else { return };
        let next = trace.highest + 1;
        let mut found = [None; 2];
        if is_first {
            if event.seq != 0 || !matches!(event.what, What::Start) {
                found[0] = Some(FindingKind::NoStart);
            }
        } else if trace.has_ended {
            // Said of every line behind the end, also of one whose number repeats: it tells more.
            found[0] = Some(FindingKind::AfterEnd);
        } else if event.seq != next {
            found[0] = Some(if event.seq > next { FindingKind::SequenceGap } else { FindingKind::SequenceRepeat });
        }
        trace.highest = trace.highest.max(event.seq);
        let so_far = trace.chain;
        trace.chain.push(event.crc);
        let mut end = None;
        match std::mem::replace(&mut event.what, What::Other) {
            What::Start | What::Other => {}
            What::End(states) => (trace.has_ended, end) = (true, states),
            What::Request(look) => {
                let (fault, shape) = base::check(look, &trace.requests);
                trace.requests.push(event.seq, event.crc, shape);
                found[1] = fault.map(|fault| match fault {
                    BaseFault::Missing => FindingKind::MissingBase,
                    BaseFault::Bad => FindingKind::BadBase,
                });
            }
        }
        if !has_finding && let Some(kind) = found.into_iter().flatten().find(|kind| self.is_judged(*kind)) {
            let is_sequence = matches!(kind, FindingKind::SequenceGap | FindingKind::SequenceRepeat);
            self.report_event(kind, place, &event, |finding| {
                if is_sequence { finding.compared(next.to_string(), event.seq.to_string()) } else { finding }
            });
        }
        if let Some(end) = end {
            self.compare_end(place, &event, so_far, end);
        }
    }
    fn compare_end(&mut self, place: Place, event: &Event, so_far: Chain, end: End) {
        let (events, chain) = (so_far.events().to_string(), text_of_crc(so_far.value()));
        if end.events != events {
            self.report_event(FindingKind::CountMismatch, place, event, |finding| finding.compared(end.events, events));
        }
        if end.chain != chain {
            self.report_event(FindingKind::ChainMismatch, place, event, |finding| finding.compared(end.chain, chain));
        }
    }

    /// The index of the trace, and whether it is new: then `seq` is its first number.
    fn trace_of(&mut self, id: TraceId, seq: u64) -> (usize, bool) {
        if self.traces.get(self.latest).is_some_and(|trace| trace.id == id) {
            return (self.latest, false);
        }
        if let Some(&index) = self.by_id.get(&id) {
            self.latest = index;
            return (index, false);
        }
        self.latest = self.traces.len();
        self.by_id.insert(id, self.latest);
        self.traces.push(Trace::new(id, seq));
        (self.latest, true)
    }

    /// The stream ends in the middle of a line, or of a zstd frame.
    pub fn torn(&mut self, line: u64, offset: u64, message: &str) {
        if self.is_judged(FindingKind::TornLine) {
            self.report(FindingKind::TornLine, |finding| finding.at(line, offset).saying(message));
        }
    }

    /// A zstd frame, which began at `line` and `offset` of the unpacked stream and at `packed` of the packed one, is bad.
    pub fn damaged_frame(&mut self, line: u64, offset: u64, packed: u64) {
        let message = format!("{} that begins at byte {packed} of the file", FindingKind::DamagedFrame.message());
        self.report(FindingKind::DamagedFrame, |finding| finding.at(line, offset).saying(&message));
    }

    /// The stream is over: what is missing now won't come. `is_empty`: it had not a single byte.
    pub fn finish(&mut self, is_empty: bool) {
        if self.rules.scope != Scope::Trace {
            return;
        }
        if is_empty && self.findings_total == 0 {
            self.report(FindingKind::NoStart, |finding| finding.saying(why::EMPTY));
        }
        let cut: Vec<_> = self.traces.iter().filter(|trace| !trace.has_ended).map(|trace| trace.id).collect();
        for id in cut {
            self.report(FindingKind::NoEnd, |finding| Finding { trace_id: Some(id), ..finding });
        }
    }

    /// Another judge that has found as much and knows of the traces what the end of the stream is judged by.
    pub(crate) fn at_end(&self) -> Self {
        let open = self.traces.iter().filter(|trace| !trace.has_ended).map(|trace| Trace::new(trace.id, trace.highest));
        let (rules, findings_total, status) = (self.rules, self.findings_total, self.status);
        Self { rules, findings_total, status, traces: open.collect(), ..Self::default() }
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

    fn report_event(
        &mut self,
        kind: FindingKind,
        place: Place,
        event: &Event,
        complete: impl FnOnce(Finding) -> Finding,
    ) {
        if self.is_judged(kind) {
            self.report(kind, |finding| complete(finding.at(place.line, place.offset).of(event.trace_id, event.seq)));
        }
    }

    /// Counts a finding; `complete` is asked to say all of it only where it is kept.
    fn report(&mut self, kind: FindingKind, complete: impl FnOnce(Finding) -> Finding) {
        use FindingKind as K;
        self.status = self.status.max(match kind {
            K::NoEnd | K::TornLine => Status::Incomplete,
            // Of an empty stream; any other has a trace by now.
            K::NoStart if self.traces.is_empty() => Status::Incomplete,
            K::UnsupportedVersion => Status::Unsupported,
            _ => Status::Corrupt,
        });
        self.findings_total += 1;
        if self.findings_total <= self.rules.max_findings as u64 {
            self.findings.push(complete(Finding::new(kind)));
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
