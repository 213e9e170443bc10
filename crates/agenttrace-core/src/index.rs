//! Where the good lines of a stream are, and what they are: for whoever opens events in any order.
//!
//! An event takes nine bytes: the low half of its offset, its kind, its span. Lengths follow from the offsets, numbers from
//! the few places where they don't go on by one; times are read from the lines. A span takes some 80 bytes.

use std::collections::HashMap;

use crate::event::{FORMAT_VERSION, TraceId};
use crate::examine::{Examined, Facts, Item};
use crate::marks::{Mark, Marks};

/// Kinds beyond this many are told apart by a list of their rows.
const COMMON_KINDS: u32 = 255;

/// The rows of a stream's good lines, in order, 0 the first.
#[derive(Debug, Default)]
pub struct Index {
    /// Whether offsets are of the good lines alone, put end to end.
    is_spooled: bool,
    low_starts: Vec<u32>,
    /// From which row on the high half of the offset is that.
    highs: Vec<(u32, u32)>,
    /// Behind which row so many bytes are no good lines.
    gaps: Vec<(u32, u64)>,
    /// Behind the last good line.
    end: u64,
    kinds: Vec<u8>,
    rare_kinds: Vec<(u32, u32)>,
    kind_names: Vec<Vec<u8>>,
    pub(crate) kinds_by_name: HashMap<Vec<u8>, u32>,
    pub(crate) spans_of_rows: Vec<u32>,
    pub(crate) spans: Vec<Span>,
    pub(crate) spans_by_id: HashMap<(u32, u64), u32>,
    pub(crate) runs: Vec<Run>,
    pub(crate) traces: Vec<TraceId>,
    /// For each trace, which of the spans stands for what is in none.
    spans_of_traces: Vec<u32>,
    pub(crate) traces_by_id: HashMap<TraceId, u32>,
    pub(crate) errors: Vec<u32>,
}

/// Rows of one trace whose numbers go on by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) first_row: u32,
    pub(crate) trace: u32,
    pub(crate) first_seq: u64,
}

/// A span, or with the id 0 what of a trace is in none.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its trace, by its place among the traces.
    pub trace: u32,
    /// Its id as a number.
    pub id: u64,
    /// That of the span it is part of; 0 for none.
    pub parent: u64,
    /// The row of its first event, or of its last `span_start`; `u32::MAX` where it has no event.
    pub title_row: u32,
    /// The time of its first event, in nanoseconds since 1970; of a trace's, of the trace's first.
    pub first_ns: u64,
    /// The latest time of its events; of a trace's, of all its events.
    pub last_ns: u64,
}

/// What the index knows of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The number in it.
    pub seq: u64,
    /// What happened.
    pub kind: &'a [u8],
    /// The span's id as a number, 0 for none.
    pub span: u64,
}

impl Index {
    /// Knows no line yet. `is_spooled`: offsets are of the good lines alone, put end to end.
    #[must_use]
    pub fn new(is_spooled: bool) -> Self {
        Self { is_spooled, ..Self::default() }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.low_starts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.low_starts.is_empty()
    }

    /// The rows of errors, as FORMAT.md has them.
    #[must_use]
    pub fn errors(&self) -> &[u32] {
        &self.errors
    }

    /// The traces, as they came.
    #[must_use]
    pub fn traces(&self) -> &[TraceId] {
        &self.traces
    }

    /// The spans, as they came; each trace's own stands before them.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span of each row, by its place among the spans.
    #[must_use]
    pub fn spans_of_rows(&self) -> &[u32] {
        &self.spans_of_rows
    }

    /// Where the row's line begins, and its length with the LF.
    #[must_use]
    pub fn place(&self, row: usize) -> Option<(u64, u64)> {
        let start = self.start(row)?;
        let behind = self.start(row + 1).unwrap_or(self.end);
        let gap = number_of(row).and_then(|row| found(&self.gaps, row)).unwrap_or(0);
        Some((start, behind - gap - start))
    }

    /// The rows from `first` on that stand end to end, in at most `limit_bytes`, but one at least: where they begin, how
    /// many bytes and rows they are.
    #[must_use]
    pub fn stretch(&self, first: usize, limit_bytes: u64) -> Option<(u64, u64, usize)> {
        let start = self.start(first)?;
        let next_gap = self.gaps.partition_point(|(row, _)| (*row as usize) < first);
        let last = self.gaps.get(next_gap).map_or(self.len() - 1, |(row, _)| *row as usize);
        // The last row that ends within the limit, by halving.
        let (mut low, mut high) = (first, last);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let (at, len) = self.place(middle)?;
            if at + len - start <= limit_bytes { low = middle } else { high = middle - 1 }
        }
        let (at, len) = self.place(low)?;
        Some((start, at + len - start, low + 1 - first))
    }

    fn start(&self, row: usize) -> Option<u64> {
        let low = self.low_starts.get(row)?;
        let after = self.highs.partition_point(|(from, _)| *from as usize <= row);
        let high = after.checked_sub(1).and_then(|at| self.highs.get(at)).map_or(0, |(_, high)| *high);
        Some(u64::from(high) << 32 | u64::from(*low))
    }

    /// What is known of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<Row<'_>> {
        let span = self.spans.get(*self.spans_of_rows.get(row)? as usize)?;
        let run = self.run_of(row)?;
        let seq = run.first_seq + (row - run.first_row as usize) as u64;
        let kind = self.kind_names.get(self.kind(row)? as usize)?;
        Some(Row { trace_id: *self.traces.get(run.trace as usize)?, seq, kind, span: span.id })
    }

    fn run_of(&self, row: usize) -> Option<&Run> {
        let after = self.runs.partition_point(|run| run.first_row as usize <= row);
        after.checked_sub(1).and_then(|at| self.runs.get(at))
    }

    pub(crate) fn kind(&self, row: usize) -> Option<u32> {
        match u32::from(*self.kinds.get(row)?) {
            COMMON_KINDS => found(&self.rare_kinds, number_of(row)?),
            kind => Some(kind),
        }
    }

    /// Takes in the lines of a piece whose first begins at `offset`, before the judge does.
    pub(crate) fn take(&mut self, offset: u64, facts: &Facts) {
        let Some(marks) = &facts.marks else { return };
        let kinds: Vec<u32> = marks.kinds.iter().map(|kind| self.kind_number(kind)).collect();
        let mut lines = facts.ends.iter().zip(&marks.lines);
        let mut start = 0;
        for item in &facts.items {
            let (first, count) = match item {
                Item::Run { trace_id, first_seq, count } => (Some((*trace_id, *first_seq)), *count),
                Item::Malformed { count, .. } => (None, *count),
                Item::Line(examined) => (good(examined), 1),
            };
            let first = first.map(|(trace_id, seq)| (self.trace_number(trace_id), seq));
            for (number, (&end, mark)) in lines.by_ref().take(count).enumerate() {
                if let Some((trace, seq)) = first {
                    let kind = kinds.get(mark.kind as usize).copied().unwrap_or(0);
                    let place = (offset + start as u64, (end - start) as u64);
                    self.push(place, (trace, seq + number as u64), mark, kind);
                }
                start = end;
            }
        }
    }

    /// As [`Self::take`], of one line, whose mark is the last.
    pub(crate) fn take_line(&mut self, place: (u64, u64), examined: &Examined, marks: &Marks) {
        let (Some((trace_id, seq)), Some(mark)) = (good(examined), marks.lines.last()) else { return };
        let kind = marks.kinds.get(mark.kind as usize).map_or(0, |kind| self.kind_number(kind));
        let trace = self.trace_number(trace_id);
        self.push(place, (trace, seq), mark, kind);
    }

    fn push(&mut self, (offset, len): (u64, u64), (trace, seq): (u32, u64), mark: &Mark, kind: u32) {
        // Four billion events of 200 bytes are a terabyte; what lies behind them is judged and not shown.
        let Some(row) = number_of(self.len()) else { return };
        let offset = if self.is_spooled { self.end } else { offset };
        if offset > self.end && row > 0 {
            self.gaps.push((row - 1, offset - self.end));
        }
        self.end = offset + len;
        let high = number_of((offset >> 32) as usize).unwrap_or(u32::MAX);
        if self.highs.last().map_or(0, |(_, high)| *high) != high {
            self.highs.push((row, high));
        }
        self.low_starts.push(offset as u32);
        self.kinds.push(kind.min(COMMON_KINDS) as u8);
        if kind >= COMMON_KINDS {
            self.rare_kinds.push((row, kind));
        }
        let goes_on = |run: &Run| run.trace == trace && run.first_seq + u64::from(row - run.first_row) == seq;
        if !self.runs.last().is_some_and(goes_on) {
            self.runs.push(Run { first_row: row, trace, first_seq: seq });
        }
        if mark.is_error {
            self.errors.push(row);
        }
        let span = self.span_number(trace, mark.span);
        self.spans_of_rows.push(span);
        let opens = self.kind_names.get(kind as usize).is_some_and(|kind| kind == b"span_start");
        self.tell_span(span, row, mark, opens);
    }

    fn tell_span(&mut self, number: u32, row: u32, mark: &Mark, opens: bool) {
        let Some(span) = self.spans.get_mut(number as usize) else { return };
        if span.title_row == u32::MAX {
            span.first_ns = if span.first_ns == 0 || span.id != 0 { mark.ts_ns } else { span.first_ns };
            span.title_row = row;
        } else if opens {
            span.title_row = row;
        }
        span.last_ns = span.last_ns.max(mark.ts_ns);
        if span.id == 0 {
            return;
        }
        if span.parent == 0 {
            span.parent = mark.parent;
        }
        let whole = self.spans_of_traces.get(span.trace as usize).copied().unwrap_or(0);
        if let Some(whole) = self.spans.get_mut(whole as usize) {
            whole.first_ns = if whole.first_ns == 0 { mark.ts_ns } else { whole.first_ns };
            whole.last_ns = whole.last_ns.max(mark.ts_ns);
        }
    }

    fn span_number(&mut self, trace: u32, id: u64) -> u32 {
        if let Some(&latest) = self.spans_of_rows.last()
            && self.spans.get(latest as usize).is_some_and(|span| span.trace == trace && span.id == id)
        {
            return latest;
        }
        let spans = &mut self.spans;
        *self.spans_by_id.entry((trace, id)).or_insert_with(|| {
            spans.push(Span { trace, id, parent: 0, title_row: u32::MAX, first_ns: 0, last_ns: 0 });
            // As many as rows and traces at most.
            number_of(spans.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn trace_number(&mut self, id: TraceId) -> u32 {
        if let Some(run) = self.runs.last()
            && self.traces.get(run.trace as usize) == Some(&id)
        {
            return run.trace;
        }
        if let Some(&known) = self.traces_by_id.get(&id) {
            return known;
        }
        let number = number_of(self.traces.len()).unwrap_or(u32::MAX);
        self.traces.push(id);
        self.traces_by_id.insert(id, number);
        let whole = self.span_number(number, 0);
        self.spans_of_traces.push(whole);
        number
    }

    fn kind_number(&mut self, kind: &[u8]) -> u32 {
        if let Some(&known) = self.kinds_by_name.get(kind) {
            return known;
        }
        let number = number_of(self.kind_names.len()).unwrap_or(u32::MAX);
        self.kind_names.push(kind.to_vec());
        self.kinds_by_name.insert(kind.to_vec(), number);
        number
    }
}

/// Trace and number of a good line.
fn good(examined: &Examined) -> Option<(TraceId, u64)> {
    match examined {
        Examined::Event(event) if event.v == FORMAT_VERSION => Some((event.trace_id, event.seq)),
        _ => None,
    }
}

fn number_of(value: usize) -> Option<u32> {
    u32::try_from(value).ok()
}

/// What a list that is sorted by rows says of a row.
fn found<T: Copy>(list: &[(u32, T)], row: u32) -> Option<T> {
    let at = list.binary_search_by_key(&row, |(row, _)| *row).ok()?;
    list.get(at).map(|(_, value)| *value)
}
