//! Whole lines to a file or pipe: all of a piece or nothing of it, whatever the system does.

use std::io::{self, Write};

use memchr::memrchr;

use crate::pack::{Last, Packer};

/// What a writer needs of its file beside [`Write`].
pub trait Tail {
    /// Takes back the last `len_bytes` that were written.
    ///
    /// # Errors
    /// Where that can't be: a pipe, or a file that someone else has appended to.
    fn cut_back(&mut self, len_bytes: u64) -> io::Result<()>;

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// What the system says; what was written since the last success may be lost then.
    fn sync(&mut self) -> io::Result<()>;
}

/// A memory, for tests and examples.
impl Tail for Vec<u8> {
    fn cut_back(&mut self, len_bytes: u64) -> io::Result<()> {
        let len = usize::try_from(len_bytes).unwrap_or(usize::MAX);
        self.truncate(self.len().saturating_sub(len));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A piece was not written.
pub(crate) struct Unwritten {
    pub(crate) error: io::Error,
    /// So many bytes at its beginning, whole lines, are in the file all the same.
    pub(crate) kept_bytes: usize,
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self { error, kept_bytes: 0 }
    }
}

/// Where lines go.
pub(crate) struct Output<W> {
    file: W,
    packer: Option<Packer>,
    packed: Vec<u8>,
    /// The file ends in a piece of a line: LF comes first.
    is_torn: bool,
}

impl<W: Write + Tail> Output<W> {
    pub(crate) fn new(file: W, packer: Option<Packer>, is_torn: bool) -> Self {
        Self { file, packer, packed: Vec::new(), is_torn }
    }

    pub(crate) fn file(&self) -> &W {
        &self.file
    }

    pub(crate) fn into_file(self) -> W {
        self.file
    }

    /// Writes whole lines with one call, if the system takes them in one.
    /// With the last lines a packed file's frame is ended.
    #[inline]
    pub(crate) fn put(&mut self, lines: &[u8], last: Last) -> Result<(), Unwritten> {
        if self.packer.is_some() {
            return self.put_packed(lines, last);
        }
        if !self.is_torn {
            return self.put_plain(lines, 0);
        }
        let mut with_lf = Vec::with_capacity(lines.len() + 1);
        with_lf.push(b'\n');
        with_lf.extend_from_slice(lines);
        self.put_plain(&with_lf, 1)
    }

    /// `extra`: how many bytes at the beginning are not the caller's.
    #[inline]
    fn put_plain(&mut self, bytes: &[u8], extra: usize) -> Result<(), Unwritten> {
        let Err((error, written)) = write_whole(&mut self.file, bytes) else {
            self.is_torn = false;
            return Ok(());
        };
        let done = bytes.get(..written).unwrap_or_default();
        let whole = memrchr(b'\n', done).map_or(0, |at| at + 1);
        if whole > 0 {
            self.is_torn = false;
        }
        if written > whole && self.file.cut_back((written - whole) as u64).is_err() {
            self.is_torn = true;
        }
        Err(Unwritten { error, kept_bytes: whole.saturating_sub(extra) })
    }

    fn put_packed(&mut self, lines: &[u8], last: Last) -> Result<(), Unwritten> {
        let Some(packer) = &mut self.packer else { return Ok(()) };
        self.packed.clear();
        let mut with_lf = Vec::new();
        let mut lines = lines;
        if self.is_torn {
            with_lf.push(b'\n');
            with_lf.extend_from_slice(lines);
            lines = &with_lf;
        }
        packer.pack(lines, last, &mut self.packed)?;
        let result = write_whole(&mut self.file, &self.packed);
        if let Err((error, written)) = result {
            if written > 0 && self.file.cut_back(written as u64).is_err() {
                packer.lost();
            }
            return Err(error.into());
        }
        packer.written(lines, last);
        self.is_torn = false;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    /// Takes back a piece that was written whole.
    pub(crate) fn take_back(&mut self, len_bytes: usize) -> io::Result<()> {
        if self.packer.is_some() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.file.cut_back(len_bytes as u64)
    }
}

/// Writes all of `bytes`, or says how many it wrote. A short write is followed by one for the rest, which says why it was short.
#[inline]
fn write_whole(file: &mut impl Write, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(bytes.get(written..).unwrap_or_default()) {
            Ok(0) => return Err((io::ErrorKind::WriteZero.into(), written)),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, written)),
        }
    }
    Ok(())
}
