//! Packed HTTP bodies, unpacked as Python sees it.

use agenttrace_core::unpack::{self, Unpacked};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Unpacks a zstd stream piece by piece.
#[pyclass(module = "agenttrace._native")]
pub(crate) struct ZstdUnpacker(unpack::Unpacker);

#[pymethods]
impl ZstdUnpacker {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(unpack::Unpacker::new()?))
    }

    /// What became whole blocks, its first `max_bytes`.
    fn decompress<'py>(&mut self, py: Python<'py>, data: &[u8], max_bytes: usize) -> PyResult<Bound<'py, PyBytes>> {
        let mut unpacked = Vec::new();
        let mut is_damaged = false;
        self.0.push(data, &mut |part| match part {
            Unpacked::Bytes(bytes) => {
                let room = max_bytes - unpacked.len();
                unpacked.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
            Unpacked::FrameStart(_) => {}
            Unpacked::Damaged => is_damaged = true,
        });
        if is_damaged {
            return Err(PyValueError::new_err("the zstd stream is damaged"));
        }
        Ok(PyBytes::new(py, &unpacked))
    }
}
