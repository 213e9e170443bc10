//! A descriptor that good lines are written to, for as long as that takes; Python's handlers of signals run meanwhile.

use std::io::{self, IoSlice, Write};

use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::descriptor::Descriptor;

pub(crate) struct Outlet {
    to: Descriptor,
    /// What a handler raised. The write that it broke off says `Interrupted`.
    pub(crate) raised: Option<PyErr>,
}

impl Outlet {
    pub(crate) fn new(to: Descriptor) -> Self {
        Self { to, raised: None }
    }

    fn run_handlers(&mut self) -> io::Result<()> {
        match Python::attach(|py| py.check_signals()) {
            Ok(()) => Ok(()),
            Err(raised) => {
                self.raised = Some(raised);
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match rustix::io::writev(self.to.borrow(), slices) {
                Ok(count) => {
                    // A signal ends a write early, too.
                    if count < slices.iter().map(|slice| slice.len()).sum() {
                        self.run_handlers()?;
                    }
                    return Ok(count);
                }
                Err(Errno::INTR) => self.run_handlers()?,
                // It was made non-blocking by someone before us.
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.to.borrow(), PollFlags::OUT)], None) {
                    Err(Errno::INTR) => self.run_handlers()?,
                    result => drop(result?),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
