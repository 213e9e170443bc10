//! A file descriptor that stays the caller's: read from, written to, cut back and synced, never closed.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};

use agenttrace_core::output::Tail;
use agenttrace_core::parallel::ReadAt;
use rustix::fs::{self, SeekFrom};

pub(crate) struct Descriptor {
    fd: RawFd,
}

impl Descriptor {
    /// A negative number is no descriptor, and would be undefined behaviour below.
    pub(crate) fn new(fd: RawFd) -> Option<Self> {
        (fd >= 0).then_some(Self { fd })
    }

    pub(crate) fn borrow(&self) -> BorrowedFd<'_> {
        // SAFETY: `fd` isn't -1, and nothing is done with it but system calls. Whoever closes it during the life of a
        // writer gets EBADF here, or has given the number to another file: the contract leaves it open.
        #[allow(unsafe_code, reason = "the caller's descriptor is a number; there is no safe way to borrow it")]
        unsafe {
            BorrowedFd::borrow_raw(self.fd)
        }
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.borrow(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tail for Descriptor {
    fn cut_back(&mut self, len_bytes: u64) -> io::Result<()> {
        let fd = self.borrow();
        // The position is behind our last write, also with O_APPEND; a pipe has none and fails here.
        let position = fs::seek(fd, SeekFrom::Current(0))?;
        let size = u64::try_from(fs::fstat(fd)?.st_size).unwrap_or(0);
        let len = position.checked_sub(len_bytes).filter(|_| size == position);
        // Someone else has appended: what stands at the end isn't ours.
        let len = len.ok_or(io::ErrorKind::InvalidInput)?;
        fs::ftruncate(fd, len)?;
        fs::seek(fd, SeekFrom::Start(len))?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        #[cfg(target_vendor = "apple")]
        let result = fs::fsync(self.borrow());
        #[cfg(not(target_vendor = "apple"))]
        let result = fs::fdatasync(self.borrow());
        match result {
            // A pipe or a terminal: there is no disk behind it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => Ok(()),
            result => Ok(result?),
        }
    }
}

impl ReadAt for Descriptor {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(self.borrow(), &mut *buffer, offset) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}
