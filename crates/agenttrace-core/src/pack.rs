//! Packs lines into zstd frames with content checksums: a flushed block for each piece, a new frame every 8 MiB.

use std::hash::Hasher;
use std::io;

use twox_hash::XxHash64;
use zstd::stream::raw::{CParameter, Encoder, Operation, OutBuffer};

/// Input of one frame: damage costs no more.
const FRAME_BYTES: u64 = 8 << 20;
/// The level that zstd itself takes by default.
const LEVEL: i32 = 3;
const OUT_BYTES: usize = 128 << 10;

/// Whether nothing follows a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    No,
    Yes,
}

/// The frame that is being written.
struct Frame {
    bytes: u64,
    content: XxHash64,
}

/// Makes packed bytes of lines. What it made is only part of its stream when [`Packer::written`] says so.
pub(crate) struct Packer {
    encoder: Encoder<'static>,
    /// As it stands in the file.
    frame: Option<Frame>,
    /// The encoder has seen what is not in the file: its frame can't be gone on with.
    is_astray: bool,
    /// Whether the last piece begins a frame.
    is_first_piece: bool,
    out: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> io::Result<Self> {
        let mut encoder = Encoder::new(LEVEL)?;
        encoder.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self { encoder, frame: None, is_astray: true, is_first_piece: true, out: vec![0; OUT_BYTES] })
    }

    /// Puts `lines`, packed and flushed, behind `packed`; the end of the frame too if they are the last.
    pub(crate) fn pack(&mut self, lines: &[u8], last: Last, packed: &mut Vec<u8>) -> io::Result<()> {
        self.is_first_piece = self.is_astray || self.frame.as_ref().is_none_or(|frame| frame.bytes >= FRAME_BYTES);
        if self.is_first_piece {
            self.finish(packed)?;
            self.encoder.reinit()?;
        }
        // From here to `written` the encoder is ahead of the file.
        self.is_astray = true;
        let mut rest = lines;
        while !rest.is_empty() {
            let status = self.encoder.run_on_buffers(rest, &mut self.out)?;
            packed.extend_from_slice(self.out.get(..status.bytes_written).unwrap_or_default());
            rest = rest.get(status.bytes_read..).unwrap_or_default();
        }
        match last {
            Last::No => self.drain(packed, |encoder, out| encoder.flush(out)),
            Last::Yes => self.drain(packed, |encoder, out| encoder.finish(out, false)),
        }
    }

    /// `lines` are in the file as packed.
    pub(crate) fn written(&mut self, lines: &[u8], last: Last) {
        if last == Last::Yes {
            return self.lost();
        }
        self.is_astray = false;
        if self.is_first_piece {
            self.frame = None;
        }
        let frame = self.frame.get_or_insert_with(|| Frame { bytes: 0, content: XxHash64::with_seed(0) });
        frame.bytes += lines.len() as u64;
        frame.content.write(lines);
    }

    /// The frame in the file is over, or lost since part of a piece can't be taken back: a new one begins.
    pub(crate) fn lost(&mut self) {
        self.frame = None;
        self.is_astray = true;
    }

    /// Puts the end of the frame behind `packed`, if one has begun.
    fn finish(&mut self, packed: &mut Vec<u8>) -> io::Result<()> {
        if self.frame.is_none() {
            return Ok(());
        }
        if self.is_astray {
            self.close_by_hand(packed);
            return Ok(());
        }
        self.drain(packed, |encoder, out| encoder.finish(out, false))
    }

    /// Ends the frame as it stands in the file: an empty last block, and the checksum of what it holds.
    fn close_by_hand(&mut self, packed: &mut Vec<u8>) {
        if let Some(frame) = &self.frame {
            packed.extend_from_slice(&[1, 0, 0]);
            packed.extend_from_slice(&(frame.content.finish() as u32).to_le_bytes());
        }
    }

    fn drain(
        &mut self,
        packed: &mut Vec<u8>,
        mut step: impl FnMut(&mut Encoder<'static>, &mut OutBuffer<'_, [u8]>) -> io::Result<usize>,
    ) -> io::Result<()> {
        loop {
            let mut out = OutBuffer::around(self.out.as_mut_slice());
            let left = step(&mut self.encoder, &mut out)?;
            let count = out.pos();
            packed.extend_from_slice(self.out.get(..count).unwrap_or_default());
            if left == 0 {
                return Ok(());
            }
        }
    }
}
