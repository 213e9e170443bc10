//! A file judged by several threads: each examines pieces of it, and the judge takes in what they found in the file's order.
//! What is said is the same as if one thread had read it all.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use crate::examine::Facts;
use crate::order::{Part, State};
use crate::reader::{Limits, Scanner};
use crate::unpack::{Unpacked, Unpacker};

/// A file that can be read at any place, by any thread.
pub trait ReadAt: Sync {
    /// Fills `buffer` from `offset` on as far as one call does; 0 at the end.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// How the work is shared.
#[derive(Clone, Copy, Debug)]
pub struct Sharing {
    /// How many threads may judge at a time in this process; those of other calls count.
    pub threads: usize,
    /// Bytes that a thread takes at a time. What fits in its cache is copied from the system's once.
    pub piece_bytes: usize,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { threads: thread::available_parallelism().map_or(1, usize::from), piece_bytes: 256 << 10 }
    }
}

impl Sharing {
    fn pieces_bytes(&self, pieces: u64) -> u64 {
        self.piece_bytes as u64 * pieces
    }
}

/// No thread is started for less.
const PIECES_FOR_A_HELPER: u64 = 16;

/// Unpacked pieces that may wait before whoever unpacks examines some itself.
const PIECES_QUEUED: usize = 8;

/// The threads of this process that judge.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// One of them; not any more when dropped.
struct Permit;

impl Permit {
    fn take() -> Self {
        BUSY.fetch_add(1, Ordering::Relaxed);
        Self
    }

    fn take_if_below(limit: usize) -> Option<Self> {
        let more = |busy| (busy < limit).then_some(busy + 1);
        BUSY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Scanner {
    /// Judges what `file` holds from `start` up to `end`, where a stream goes on whose beginning was pushed, until `until`
    /// is over. Says how many bytes were taken: fewer than there are where the time was up or the file is shorter by now.
    ///
    /// # Errors
    /// Those of reading.
    pub fn judge_file(
        &mut self,
        file: &impl ReadAt,
        (start, end): (u64, u64),
        until: Instant,
        sharing: Sharing,
    ) -> io::Result<u64> {
        let Some((unpacker, stream)) = self.opened() else { return Ok(0) };
        let (limits, state) = (stream.limits, State::new(stream));
        let work = Work { state: Mutex::new(state), changed: Condvar::new(), file, start, end, until, sharing, limits };
        match unpacker {
            None => work.judge_plain(),
            Some(unpacker) => work.judge_packed(unpacker),
        }
        let state = work.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.error {
            Some(error) => Err(error),
            None => Ok(state.bytes),
        }
    }
}

struct Work<'a, F> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    file: &'a F,
    start: u64,
    end: u64,
    until: Instant,
    sharing: Sharing,
    limits: Limits,
}

impl<'a, F: ReadAt> Work<'a, F> {
    /// Also after a panic of another thread: then the scope raises it again, and nobody reads what is there.
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, error: Option<io::Error>) {
        let mut state = self.lock();
        state.is_over = true;
        state.error = state.error.take().or(error);
        drop(state);
        self.changed.notify_all();
    }

    /// Starts another thread if one is free and there is enough to do for it.
    fn call_help<'scope>(
        &self,
        scope: &'scope Scope<'scope, '_>,
        rest_bytes: u64,
        help: impl FnOnce() + Send + 'scope,
    ) {
        if rest_bytes < self.sharing.pieces_bytes(PIECES_FOR_A_HELPER) {
            return;
        }
        if let Some(permit) = Permit::take_if_below(self.sharing.threads) {
            // Where no thread can be started, this one does it alone.
            let helper = thread::Builder::new().spawn_scoped(scope, move || {
                let _permit = permit;
                help();
            });
            self.lock().has_help |= helper.is_ok();
        }
    }

    /// Each thread reads a piece, examines it, takes the next.
    fn judge_plain(&self) {
        let _permit = Permit::take();
        thread::scope(|scope| {
            self.read_pieces(|rest_bytes| self.call_help(scope, rest_bytes, || self.read_pieces(|_| ())))
        });
    }

    fn read_pieces(&self, before_each: impl Fn(u64)) {
        let mut buffer = vec![0; self.sharing.piece_bytes];
        let mut facts = Facts::default();
        while let Some(index) = self.next_piece() {
            let offset = self.start + self.sharing.pieces_bytes(index);
            let rest_bytes = self.end - offset;
            before_each(rest_bytes);
            let len = buffer.len().min(usize::try_from(rest_bytes).unwrap_or(usize::MAX));
            let piece = buffer.get_mut(..len).unwrap_or_default();
            match fill(self.file, piece, offset) {
                Err(error) => return self.stop(Some(error)),
                Ok(count) => {
                    if count < len {
                        self.end_at(index + 1);
                    }
                    self.examine(index, piece.get(..count).unwrap_or_default(), &mut facts);
                }
            }
        }
    }

    fn next_piece(&self) -> Option<u64> {
        let mut state = self.lock();
        while state.is_far_ahead() {
            state = self.wait(state);
        }
        let is_late = state.given > 0 && Instant::now() >= self.until;
        let is_behind_end = self.start + self.sharing.pieces_bytes(state.given) >= self.end;
        (!state.is_over && !is_late && !is_behind_end).then(|| state.give())
    }

    fn end_at(&self, index: u64) {
        let mut state = self.lock();
        state.stop_at = state.stop_at.min(index);
        state.is_over = true;
    }

    /// Examines a piece and hands in what it shows, for the judge to take it in when its turn comes.
    fn examine(&self, index: u64, piece: &[u8], facts: &mut Facts) {
        let cut = facts.examine(piece, false, &self.limits);
        let len = piece.len() as u64;
        let mut state = self.lock();
        if index == state.taken_in && index < state.stop_at {
            state.take_piece(cut.head, facts, cut.tail, len);
            state.take_early();
        } else {
            let (head, tail) = (cut.head.to_vec(), cut.tail.to_vec());
            state.early.insert(index, Part::Piece { head, facts: std::mem::take(facts), tail, len });
        }
        drop(state);
        self.changed.notify_all();
    }

    /// This thread unpacks; the others, and this one where they don't keep up, examine.
    fn judge_packed(&self, unpacker: &mut Unpacker) {
        let _permit = Permit::take();
        let offset = thread::scope(|scope| {
            let mut packed = vec![0; self.sharing.piece_bytes];
            let (mut piece, mut offset, mut facts) = (Vec::new(), self.start, Facts::default());
            while offset < self.end && (offset == self.start || Instant::now() < self.until) {
                self.call_help(scope, self.end - offset, || self.examine_queue());
                let len = packed.len().min(usize::try_from(self.end - offset).unwrap_or(usize::MAX));
                let count = match self.file.read_at(packed.get_mut(..len).unwrap_or_default(), offset) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) => {
                        self.stop(Some(error));
                        break;
                    }
                };
                offset += count as u64;
                unpacker.push(packed.get(..count).unwrap_or_default(), &mut |unpacked| {
                    self.unpacked(unpacked, &mut piece, &mut facts);
                });
            }
            self.enqueue(&mut piece);
            self.shorten_queue(0, &mut facts);
            self.stop(None);
            offset
        });
        // Of the packed stream; counted when no thread adds those of a piece any more.
        self.lock().bytes = offset - self.start;
    }

    fn unpacked(&self, unpacked: Unpacked<'_>, piece: &mut Vec<u8>, facts: &mut Facts) {
        let part = match unpacked {
            Unpacked::Bytes(bytes) => {
                piece.extend_from_slice(bytes);
                if piece.len() >= self.sharing.piece_bytes {
                    self.enqueue(piece);
                    self.shorten_queue(PIECES_QUEUED, facts);
                }
                return;
            }
            Unpacked::FrameStart(packed) => Part::FrameStart(packed),
            Unpacked::Damaged => Part::Damaged,
        };
        self.enqueue(piece);
        let mut state = self.lock();
        let index = state.give();
        state.early.insert(index, part);
        state.take_early();
    }

    fn enqueue(&self, piece: &mut Vec<u8>) {
        let mut state = self.lock();
        let spare = state.spare.pop().unwrap_or_default();
        let piece = std::mem::replace(piece, spare);
        let index = state.give();
        state.queue.push_back((index, piece));
        drop(state);
        self.changed.notify_all();
    }

    /// Examines pieces as they come, until there are no more.
    fn examine_queue(&self) {
        let mut facts = Facts::default();
        let mut state = self.lock();
        loop {
            if let Some((index, piece)) = state.queue.pop_front() {
                drop(state);
                self.examine_queued(index, piece, &mut facts);
                state = self.lock();
            } else if state.is_over {
                return;
            } else {
                state = self.wait(state);
            }
        }
    }

    /// Examines pieces until no more than `len` are left; all where nobody else does.
    fn shorten_queue(&self, len: usize, facts: &mut Facts) {
        loop {
            let mut state = self.lock();
            let len = if state.has_help { len } else { 0 };
            if state.queue.len() <= len {
                return;
            }
            let Some((index, piece)) = state.queue.pop_front() else { return };
            drop(state);
            self.examine_queued(index, piece, facts);
        }
    }

    fn examine_queued(&self, index: u64, mut piece: Vec<u8>, facts: &mut Facts) {
        self.examine(index, &piece, facts);
        piece.clear();
        self.lock().spare.push(piece);
    }
}

/// Reads until `buffer` is full or the file is over.
fn fill(file: &impl ReadAt, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
