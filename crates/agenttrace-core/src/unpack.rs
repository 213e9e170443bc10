//! Unpacks a pushed zstd stream (RFC 8878), one block at a time, so that damage costs a frame and its place is certain.

use std::io;

use memchr::memmem;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A window of 128 MiB: what a reader must be ready to hold, and what this one is not talked into exceeding.
const WINDOW_LOG_MAX: u32 = 27;
/// No block is longer (RFC 8878, 3.1.1.2.4), packed or unpacked.
const MAX_BLOCK: usize = 128 << 10;

/// Whether a stream with this beginning is packed; none while that is open.
#[must_use]
pub fn is_packed(beginning: &[u8]) -> Option<bool> {
    match beginning.first_chunk::<4>() {
        Some(magic) => Some(is_magic(*magic)),
        None if beginning.is_empty() || is_magic_prefix(beginning) => None,
        None => Some(false),
    }
}

fn is_skippable(magic: [u8; 4]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

fn is_magic(magic: [u8; 4]) -> bool {
    magic == MAGIC || is_skippable(magic)
}

fn is_magic_prefix(bytes: &[u8]) -> bool {
    let skippable = [bytes.first().copied().unwrap_or(0x50), 0x2a, 0x4d, 0x18];
    MAGIC.starts_with(bytes) || (is_skippable(skippable) && skippable.starts_with(bytes))
}

/// What comes out of an [`Unpacker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked<'a> {
    /// The next bytes.
    Bytes(&'a [u8]),
    /// A frame begins at this place of the packed stream.
    FrameStart(u64),
    /// The frame that began last is bad; what follows comes from the next one that could be found.
    Damaged,
}

/// What the next bytes of the packed stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Magic,
    Descriptor,
    Header {
        len: usize,
        has_checksum: bool,
    },
    BlockHeader {
        has_checksum: bool,
    },
    Block {
        len: usize,
        is_last: bool,
        has_checksum: bool,
    },
    Checksum,
    SkipLength,
    Skip {
        len: u64,
    },
    /// Behind damage: any bytes up to the next magic.
    Lost,
}

/// Unpacks a stream of zstd frames that is pushed in pieces.
pub struct Unpacker {
    decoder: Decoder<'static>,
    part: Part,
    /// Packed bytes that are not used yet: less than a block and its header.
    pending: Vec<u8>,
    /// Place in the packed stream of the first of them.
    offset: u64,
    /// Where the magic of the frame stands that is being read.
    frame_at: u64,
    out: Vec<u8>,
    /// The block before: one that was cut, or has a wrong length, takes in the next frame's beginning, and nothing tells
    /// until later.
    before: Vec<u8>,
    /// Bytes to be gone through again for the next frame.
    again: Vec<u8>,
    /// No byte before this place is gone through again: twice is enough, also for a stream made to take long.
    again_from: u64,
}

impl Unpacker {
    /// An unpacker at the start of a stream.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self {
            decoder,
            part: Part::Magic,
            pending: Vec::new(),
            offset: 0,
            frame_at: 0,
            out: vec![0; MAX_BLOCK],
            before: Vec::new(),
            again: Vec::new(),
            again_from: 0,
        })
    }

    /// Takes the next piece of the packed stream.
    pub fn push(&mut self, chunk: &[u8], each: &mut impl FnMut(Unpacked<'_>)) {
        // Piece by piece, so that a large chunk isn't copied whole.
        for piece in chunk.chunks(MAX_BLOCK) {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(piece);
            self.pending = self.use_up(pending, each);
        }
    }

    /// Goes through `pending` as far as whole parts go; returns what is left.
    fn use_up(&mut self, mut pending: Vec<u8>, each: &mut impl FnMut(Unpacked<'_>)) -> Vec<u8> {
        let mut used = 0;
        while let Some(len) = self.step(pending.get(used..).unwrap_or_default(), each) {
            used += len;
            self.offset += len as u64;
            if !self.again.is_empty() {
                let mut again = std::mem::take(&mut self.again);
                self.offset -= again.len() as u64;
                again.extend_from_slice(pending.get(used..).unwrap_or_default());
                (pending, used) = (again, 0);
            }
        }
        pending.drain(..used);
        pending
    }

    /// The stream is over; says whether it ends in the middle of a frame.
    pub fn finish(&mut self, each: &mut impl FnMut(Unpacked<'_>)) -> bool {
        // A block whose damaged length reaches beyond the end was waited for; there may be frames in what came instead.
        while self.is_in_frame() && self.holds_another_magic() {
            let pending = std::mem::take(&mut self.pending);
            let skipped = self.lose_at(each);
            self.offset += skipped as u64;
            let mut rest = std::mem::take(&mut self.again);
            self.offset -= rest.len() as u64;
            rest.extend_from_slice(pending.get(skipped..).unwrap_or_default());
            self.pending = self.use_up(rest, each);
        }
        if self.part == Part::Magic && !self.pending.is_empty() && !is_magic_prefix(&self.pending) {
            each(Unpacked::FrameStart(self.offset));
            self.lose(each);
        }
        let is_between_frames = self.part == Part::Magic && self.pending.is_empty();
        !is_between_frames && self.part != Part::Lost
    }

    fn is_in_frame(&self) -> bool {
        !matches!(self.part, Part::Magic | Part::Lost | Part::SkipLength | Part::Skip { .. })
    }

    fn holds_another_magic(&self) -> bool {
        let bytes = [self.before.as_slice(), &self.pending].concat();
        let own = self.own_magic_at(self.offset - self.before.len() as u64);
        memmem::find(bytes.get(own..).unwrap_or_default(), &MAGIC).is_some()
    }

    /// How many bytes at this place are the magic of the frame that is being read. A frame that was cut between two blocks
    /// has the magic of the next one where its own next block is looked for.
    fn own_magic_at(&self, offset: u64) -> usize {
        if offset == self.frame_at { MAGIC.len() } else { 0 }
    }

    /// Uses up what comes next, if `bytes` hold it whole; says how many bytes that took.
    fn step(&mut self, bytes: &[u8], each: &mut impl FnMut(Unpacked<'_>)) -> Option<usize> {
        match self.part {
            Part::Magic => self.magic(*bytes.first_chunk::<4>()?, each),
            Part::Descriptor => self.descriptor(*bytes.get(4)?),
            // The first block goes with the header: where a frame was cut in it, what follows is looked for behind the magic.
            Part::Header { len, has_checksum } => self.block_header(bytes, len, has_checksum, each),
            Part::BlockHeader { has_checksum } => self.block_header(bytes, 0, has_checksum, each),
            Part::Block { len, is_last, has_checksum } => {
                let next = match (is_last, has_checksum) {
                    (false, _) => Part::BlockHeader { has_checksum },
                    (true, true) => Part::Checksum,
                    (true, false) => Part::Magic,
                };
                let block = bytes.get(..len)?;
                let used = self.decode(block, next, each);
                self.before.clear();
                if self.part != Part::Lost {
                    self.before.extend_from_slice(block);
                }
                used
            }
            Part::Checksum => self.decode(bytes.get(..4)?, Part::Magic, each),
            Part::SkipLength => {
                let [_, _, _, _, length @ ..] = *bytes.first_chunk::<8>()?;
                self.part = Part::Skip { len: u64::from(u32::from_le_bytes(length)) };
                Some(8)
            }
            Part::Skip { len: 0 } => {
                self.part = Part::Magic;
                Some(0)
            }
            Part::Skip { len } => {
                let count = bytes.len().min(usize::try_from(len).unwrap_or(usize::MAX));
                self.part = Part::Skip { len: len - count as u64 };
                (count > 0).then_some(count)
            }
            Part::Lost => self.seek(bytes),
        }
    }

    fn magic(&mut self, magic: [u8; 4], each: &mut impl FnMut(Unpacked<'_>)) -> Option<usize> {
        each(Unpacked::FrameStart(self.offset));
        self.frame_at = self.offset;
        self.before.clear();
        if magic == MAGIC {
            // The magic itself is given to the decoder with the header.
            self.part = Part::Descriptor;
        } else if is_skippable(magic) {
            self.part = Part::SkipLength;
        } else {
            self.lose(each);
        }
        Some(0)
    }

    /// The frame header's length follows from its first byte (RFC 8878, 3.1.1.1.1).
    fn descriptor(&mut self, descriptor: u8) -> Option<usize> {
        let is_single_segment = descriptor & 0x20 != 0;
        let window = usize::from(!is_single_segment);
        let dictionary = match descriptor & 3 {
            0 => 0,
            1 => 1,
            2 => 2,
            _ => 4,
        };
        let content_size = match descriptor >> 6 {
            0 => usize::from(is_single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        let len = MAGIC.len() + 1 + window + dictionary + content_size;
        self.part = Part::Header { len, has_checksum: descriptor & 4 != 0 };
        Some(0)
    }

    /// Behind `skipped` bytes three, little endian: is it the last block, its type, its size (RFC 8878, 3.1.1.2).
    fn block_header(
        &mut self,
        bytes: &[u8],
        skipped: usize,
        has_checksum: bool,
        each: &mut impl FnMut(Unpacked<'_>),
    ) -> Option<usize> {
        let [low, middle, high] = *bytes.get(skipped..)?.first_chunk::<3>()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = (header >> 3) as usize;
        let kind = header >> 1 & 3;
        let stored = if kind == 1 { 1 } else { size };
        if size > MAX_BLOCK || kind == 3 {
            return Some(self.lose_at(each));
        }
        self.part = Part::Block { len: skipped + 3 + stored, is_last: header & 1 == 1, has_checksum };
        Some(0)
    }

    /// Hands `bytes`, a whole part of the frame, to the decoder, and on what it makes of them.
    fn decode(&mut self, bytes: &[u8], next: Part, each: &mut impl FnMut(Unpacked<'_>)) -> Option<usize> {
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(self.out.as_mut_slice());
            let result = self.decoder.run(&mut input, &mut output);
            let (count, room) = (output.pos(), output.capacity());
            if count > 0 && result.is_ok() {
                each(Unpacked::Bytes(self.out.get(..count).unwrap_or_default()));
            }
            if result.is_err() || (count == 0 && input.pos() < bytes.len()) {
                return Some(self.lose_at(each));
            }
            if count < room && input.pos() == bytes.len() {
                break;
            }
        }
        self.part = next;
        Some(bytes.len())
    }

    fn lose(&mut self, each: &mut impl FnMut(Unpacked<'_>)) {
        each(Unpacked::Damaged);
        // Resetting a session doesn't fail; if it did, the next frame would be found damaged.
        let _ = self.decoder.reinit();
        self.part = Part::Lost;
    }

    /// Gives the frame up here, and says where the search for the next one begins: right here, for it may have been
    /// taken for a part of this one; but not at this frame's own magic.
    fn lose_at(&mut self, each: &mut impl FnMut(Unpacked<'_>)) -> usize {
        self.lose(each);
        let mut before = std::mem::take(&mut self.before);
        let before_at = self.offset - before.len() as u64;
        if !before.is_empty() && before_at >= self.again_from {
            self.again_from = self.offset;
            before.drain(..self.own_magic_at(before_at).min(before.len()));
            self.again = before;
        }
        self.own_magic_at(self.offset)
    }

    /// The way to the next magic.
    fn seek(&mut self, bytes: &[u8]) -> Option<usize> {
        let standard = memmem::find(bytes, &MAGIC);
        let skippable = memmem::find_iter(bytes, &[0x2a, 0x4d, 0x18])
            .filter_map(|at| at.checked_sub(1))
            .find(|&at| bytes.get(at..).and_then(<[u8]>::first_chunk).is_some_and(|magic| is_skippable(*magic)));
        if let Some(at) = standard.into_iter().chain(skippable).min() {
            self.part = Part::Magic;
            return Some(at);
        }
        // The last three bytes may be the beginning of one.
        let count = bytes.len().saturating_sub(MAGIC.len() - 1);
        (count > 0).then_some(count)
    }
}
