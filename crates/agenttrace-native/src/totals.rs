//! Sums over events.

use std::sync::Mutex;

use agenttrace_core::totals::{self, TOKENS};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert::{bytes_of, lock};

/// What events add up to.
#[pyclass(frozen, module = "agenttrace._native")]
#[derive(Default)]
pub(crate) struct Totals(Mutex<totals::Totals>);

#[pymethods]
impl Totals {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds one event.
    fn count(&self, kind: &str, data: &Bound<'_, PyAny>) -> PyResult<()> {
        lock(&self.0).count(kind, bytes_of(data)?.as_bytes());
        Ok(())
    }

    /// The sums, as `trace_end` has them.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_dict(py, &lock(&self.0))
    }
}

pub(crate) fn to_dict<'py>(py: Python<'py>, totals: &totals::Totals) -> PyResult<Bound<'py, PyDict>> {
    let sums = PyDict::new(py);
    sums.set_item("llm_calls", totals.llm_calls)?;
    sums.set_item("tool_calls", totals.tool_calls)?;
    sums.set_item("errors", totals.errors)?;
    for (name, count) in TOKENS.iter().zip(totals.tokens) {
        sums.set_item(name, count)?;
    }
    if let Some(cost) = totals.cost_usd {
        // Sums of decimal prices, without the tails of binary ones.
        sums.set_item("cost_usd", (cost * 1e9).round() / 1e9)?;
    }
    sums.set_item("unpriced_calls", totals.unpriced_calls)?;
    Ok(sums)
}
