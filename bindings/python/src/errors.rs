//! Errors of the core as exceptions; their classes are Python's, in `xbkit._errors`.

use pyo3::prelude::*;
use xbkit_core::error::escape_path;
use xbkit_core::{Error, ErrorKind};

/// The exception for an error.
pub(crate) fn to_python(py: Python<'_>, error: &Error) -> PyErr {
    build(py, error).unwrap_or_else(|broken| broken)
}

fn build(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let text = error.to_string();
    let mut message = text.as_str();
    // The path is a field of its own, and the message of an `OSError` names it behind.
    if let Some(path) = error.path() {
        let prefix = format!("{}: ", escape_path(path));
        message = text.strip_prefix(&prefix).unwrap_or(&text);
    }
    let exception = py.import("xbkit._errors")?.getattr("_from_core")?.call1((
        error.kind().code(),
        message,
        error.path().map(|path| path.as_os_str().to_owned()),
        error.path().map(escape_path),
        error.stream_offset(),
        error.file_offset(),
        error.raw_os_error(),
        error.hint_text(),
    ))?;
    Ok(PyErr::from_value(exception))
}

/// The exception for an object used in a state that does not allow it.
pub(crate) fn invalid_state(py: Python<'_>, message: &'static str) -> PyErr {
    to_python(py, &Error::new(ErrorKind::InvalidState, message))
}

/// Name and code of every kind of error, so that a test can look for each one's class.
#[pyfunction]
pub(crate) fn error_kinds() -> Vec<(String, i32)> {
    ErrorKind::ALL.iter().map(|kind| (format!("{kind:?}"), kind.code())).collect()
}
