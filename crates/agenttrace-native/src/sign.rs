//! Signatures.

use agenttrace_core::sign;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{bytes_of, to_py};

/// Signs `message` with an Ed25519 private key in PEM: (the public key, the signature). ValueError for what is no such key.
#[pyfunction]
pub(crate) fn ed25519_sign<'py>(
    py: Python<'py>,
    private_key: &str,
    message: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (key, signature) = sign::sign(private_key, bytes_of(message)?.as_bytes()).map_err(to_py)?;
    Ok((PyBytes::new(py, &key), PyBytes::new(py, &signature)))
}

/// Whether `signature` is that of `message` by the owner of an Ed25519 public key in PEM. ValueError for what is no such key.
#[pyfunction]
pub(crate) fn ed25519_is_signed(
    public_key: &str,
    message: &Bound<'_, PyAny>,
    signature: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    sign::is_signed(public_key, bytes_of(message)?.as_bytes(), bytes_of(signature)?.as_bytes()).map_err(to_py)
}
