//! Rows of an [`Index`] by what they are: a number, a kind, a span, an error.

use crate::event::TraceId;
use crate::index::Index;

/// Which rows are looked for; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Any of these kinds.
    pub kinds: Option<Vec<String>>,
    /// This trace.
    pub trace_id: Option<TraceId>,
    /// This span, by its id as a number.
    pub span: Option<u64>,
    /// Only errors.
    pub errors: bool,
}

impl Index {
    /// The first row with this number, in this trace if one is given.
    #[must_use]
    pub fn row_of(&self, seq: u64, trace_id: Option<&TraceId>) -> Option<usize> {
        let trace = match trace_id {
            None => None,
            Some(id) => Some(*self.traces_by_id.get(id)?),
        };
        let ends = self.runs.iter().skip(1).map(|run| run.first_row as usize).chain([self.len()]);
        self.runs.iter().zip(ends).find_map(|(run, end)| {
            let at = usize::try_from(seq.checked_sub(run.first_seq)?).ok()?.checked_add(run.first_row as usize)?;
            (at < end && trace.is_none_or(|trace| trace == run.trace)).then_some(at)
        })
    }

    /// The nearest row with what is wanted: from `from` on, or if `is_back` before it.
    #[must_use]
    pub fn find(&self, from: usize, is_back: bool, wanted: &Wanted) -> Option<usize> {
        let test = self.test(wanted)?;
        let from = from.min(self.len());
        match (wanted.errors, is_back) {
            (true, false) => {
                let first = self.errors.partition_point(|row| (*row as usize) < from);
                self.errors.get(first..)?.iter().map(|row| *row as usize).find(|row| test.holds(self, *row))
            }
            (true, true) => {
                let end = self.errors.partition_point(|row| (*row as usize) < from);
                self.errors.get(..end)?.iter().rev().map(|row| *row as usize).find(|row| test.holds(self, *row))
            }
            (false, false) => (from..self.len()).find(|row| test.holds(self, *row)),
            (false, true) => (0..from).rev().find(|row| test.holds(self, *row)),
        }
    }

    /// None where nothing can match.
    fn test(&self, wanted: &Wanted) -> Option<Test> {
        let trace = match &wanted.trace_id {
            None => None,
            Some(id) => Some(*self.traces_by_id.get(id)?),
        };
        let spans = wanted.span.map(|id| {
            let traces = 0..u32::try_from(self.traces.len()).unwrap_or(u32::MAX);
            let traces = trace.map_or(traces, |trace| trace..trace + 1);
            traces.filter_map(|trace| self.spans_by_id.get(&(trace, id)).copied()).collect::<Vec<_>>()
        });
        let kinds = wanted.kinds.as_ref().map(|kinds| {
            kinds.iter().filter_map(|kind| self.kinds_by_name.get(kind.as_bytes()).copied()).collect::<Vec<_>>()
        });
        Some(Test { trace, spans, kinds })
    }

    /// The rows before `end` by their spans: where each span's begin, with one place more for the end, and the rows.
    #[must_use]
    pub fn rows_by_span(&self, end: usize) -> (Vec<u32>, Vec<u32>) {
        let spans = self.spans_of_rows.get(..end).unwrap_or(&self.spans_of_rows);
        let mut starts = vec![0_u32; self.spans.len() + 1];
        for &span in spans {
            if let Some(count) = starts.get_mut(span as usize + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for start in &mut starts {
            before += *start;
            *start = before;
        }
        let (mut next, mut rows) = (starts.clone(), vec![0_u32; spans.len()]);
        for (row, &span) in (0_u32..).zip(spans) {
            if let Some(at) = next.get_mut(span as usize) {
                if let Some(place) = rows.get_mut(*at as usize) {
                    *place = row;
                }
                *at += 1;
            }
        }
        (starts, rows)
    }
}

/// [`Wanted`] in numbers.
struct Test {
    trace: Option<u32>,
    spans: Option<Vec<u32>>,
    kinds: Option<Vec<u32>>,
}

impl Test {
    fn holds(&self, index: &Index, row: usize) -> bool {
        let span = index.spans_of_rows.get(row).copied().unwrap_or(u32::MAX);
        self.spans.as_ref().is_none_or(|spans| spans.contains(&span))
            && self.kinds.as_ref().is_none_or(|kinds| index.kind(row).is_some_and(|kind| kinds.contains(&kind)))
            && self.trace.is_none_or(|trace| index.spans.get(span as usize).is_some_and(|span| span.trace == trace))
    }
}
