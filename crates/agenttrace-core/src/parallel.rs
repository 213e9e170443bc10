//! A file judged, and its good lines handed on, by several threads: each examines pieces of it, and the one that was called
//! takes in what they found, and writes what goes on, in the file's order. What is said and what is written is the same as
//! if one thread had read it all.
//!
//! What is written are the very bytes that were judged, out of the room that they were read into. The kernel could move
//! them by itself (`copy_file_range`, `splice`), and `mmap` would save a copy; but the file may change between the
//! judgement and that, and one that is cut while it is mapped ends the process.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::Instant;

use crate::order::{Part, Settler, State};
use crate::reader::{Limits, Pass, Scanner};

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

    /// How many pieces may be ahead of the one whose turn it is: what was found in them waits in memory, and what is to
    /// be written.
    pub(crate) fn pieces_ahead(&self) -> u64 {
        (self.threads as u64).saturating_mul(2).saturating_add(PIECES_QUEUED as u64 + 4).min(64)
    }
}

/// No thread is started for less.
const PIECES_FOR_A_HELPER: u64 = 16;

/// Unpacked pieces that may wait before whoever unpacks examines some itself.
pub(crate) const PIECES_QUEUED: usize = 8;

/// The threads of this process that judge.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// One of them; not any more when dropped.
pub(crate) struct Permit;

impl Permit {
    pub(crate) fn take() -> Self {
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
        range: (u64, u64),
        until: Instant,
        sharing: Sharing,
    ) -> io::Result<u64> {
        self.take_file(file, range, until, sharing, None).map_err(|error| match error {
            PassError::Read(error) | PassError::Write(error) => error,
        })
    }

    /// As [`Self::judge_file`]; the good lines that are asked for are written to `out`, by the calling thread: many at a
    /// time, in their order, all that was taken before this returns.
    ///
    /// # Errors
    /// Those of reading, when what was read before is written; those of writing, `out`'s `Interrupted` too.
    pub fn pass_file(
        &mut self,
        file: &impl ReadAt,
        range: (u64, u64),
        until: Instant,
        sharing: Sharing,
        out: &mut dyn Write,
    ) -> Result<u64, PassError> {
        self.take_file(file, range, until, sharing, Some(out))
    }

    fn take_file<'a>(
        &'a mut self,
        file: &impl ReadAt,
        (start, end): (u64, u64),
        until: Instant,
        sharing: Sharing,
        out: Option<&'a mut dyn Write>,
    ) -> Result<u64, PassError> {
        let Some((unpacker, stream)) = self.opened(out.is_some()) else { return Ok(0) };
        let (limits, pass) = (stream.limits, out.is_some().then(|| stream.pass.clone()));
        let mut settler = Settler::new(stream, out);
        let state = Mutex::new(State::new());
        let work = Work { state, changed: Condvar::new(), file, start, end, until, sharing, limits, pass };
        match unpacker {
            None => work.take_plain(&mut settler),
            Some(unpacker) => work.take_packed(unpacker, &mut settler),
        }
        let state = work.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (settler.error, state.error) {
            (Some(error), _) => Err(PassError::Write(error)),
            (None, Some(error)) => Err(PassError::Read(error)),
            (None, None) => Ok(settler.bytes),
        }
    }
}

/// Which side of [`Scanner::pass_file`] failed.
#[derive(Debug)]
pub enum PassError {
    /// The file can't be read on.
    Read(io::Error),
    /// The output takes no more.
    Write(io::Error),
}

pub(crate) struct Work<'a, F> {
    state: Mutex<State>,
    pub(crate) changed: Condvar,
    pub(crate) file: &'a F,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) until: Instant,
    pub(crate) sharing: Sharing,
    limits: Limits,
    /// Which lines are written; none where nothing is.
    pass: Option<Pass>,
}

/// What a thread has to itself: room to read into, and expressions, which are slow to share.
pub(crate) struct Desk {
    pub(crate) room: Vec<u8>,
    pass: Option<Pass>,
}

/// Who took a part on, and says so if it never comes: nobody waits for a thread that has panicked.
pub(crate) struct Promise<'w, 'a, F> {
    work: &'w Work<'a, F>,
    index: u64,
    is_kept: bool,
}

impl<F> Drop for Promise<'_, '_, F> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.work.lock().end_at(self.index);
        }
        self.work.changed.notify_all();
    }
}

impl<'a, F> Work<'a, F> {
    /// Also after a panic of another thread: then the scope raises it again, and nobody reads what is there.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wait<'g>(&self, guard: MutexGuard<'g, State>) -> MutexGuard<'g, State> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn promise(&self, index: u64) -> Promise<'_, 'a, F> {
        Promise { work: self, index, is_kept: false }
    }
}

impl<F: ReadAt> Work<'_, F> {
    pub(crate) fn desk(&self) -> Desk {
        Desk { room: Vec::new(), pass: self.pass.clone() }
    }

    /// No more parts are given out.
    pub(crate) fn stop(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Starts another thread if one is free and there is enough to do for it.
    pub(crate) fn call_help<'scope>(
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

    /// Takes in a part whose turn it is.
    pub(crate) fn settle(&self, mut part: Part, settler: &mut Settler<'_>) {
        settler.take(&mut part);
        let mut state = self.lock();
        state.taken_in += 1;
        if let Part::Piece(piece) = part {
            state.spare.push(piece);
        }
        state.is_over |= settler.error.is_some();
        drop(state);
        self.changed.notify_all();
    }

    /// Each thread reads a piece, examines it, takes the next; this one takes in what they found as soon as its turn is.
    fn take_plain(&self, settler: &mut Settler<'_>) {
        let _permit = Permit::take();
        thread::scope(|scope| {
            let mut desk = self.desk();
            let mut state = self.lock();
            loop {
                if let Some(part) = state.next() {
                    drop(state);
                    self.settle(part, settler);
                } else if let Some(index) = self.give_piece(&mut state) {
                    drop(state);
                    let rest_bytes = self.end - self.place_of(index);
                    self.call_help(scope, rest_bytes, || self.help_reading());
                    self.read_piece(index, &mut desk);
                } else if state.outstanding() > 0 && settler.error.is_none() {
                    state = self.wait(state);
                    continue;
                } else {
                    return;
                }
                state = self.lock();
            }
        });
    }

    fn help_reading(&self) {
        let mut desk = self.desk();
        let mut state = self.lock();
        loop {
            if let Some(index) = self.give_piece(&mut state) {
                drop(state);
                self.read_piece(index, &mut desk);
                state = self.lock();
            } else if self.is_at_end(&state) {
                return;
            } else {
                state = self.wait(state);
            }
        }
    }

    fn place_of(&self, index: u64) -> u64 {
        self.start.saturating_add(self.sharing.pieces_bytes(index))
    }

    fn give_piece(&self, state: &mut State) -> Option<u64> {
        let is_far_ahead = state.given - state.taken_in >= self.sharing.pieces_ahead();
        (!is_far_ahead && !self.is_at_end(state)).then(|| state.give())
    }

    fn is_at_end(&self, state: &State) -> bool {
        let is_late = state.given > 0 && Instant::now() >= self.until;
        state.is_over || is_late || self.place_of(state.given) >= self.end
    }

    fn read_piece(&self, index: u64, desk: &mut Desk) {
        let promise = self.promise(index);
        let offset = self.place_of(index);
        let len = self.sharing.piece_bytes.min(usize::try_from(self.end - offset).unwrap_or(usize::MAX));
        desk.room.resize(len, 0);
        let (count, error) = fill(self.file, &mut desk.room, offset);
        desk.room.truncate(count);
        if count < len {
            let mut state = self.lock();
            state.end_at(index + 1);
            // Of two, that of the earlier place.
            if state.stop_at == index + 1 {
                state.error = error;
            }
        }
        self.examine(promise, desk);
    }

    /// Examines a piece, the desk's room, and hands in what it shows.
    pub(crate) fn examine(&self, mut promise: Promise<'_, '_, F>, desk: &mut Desk) {
        let mut piece = self.lock().spare.pop().unwrap_or_default();
        let room = &mut desk.room;
        let cut = piece.facts.examine(room, false, &self.limits, desk.pass.as_ref());
        let (head, tail) = (cut.head, cut.tail);
        piece.len = room.len() as u64;
        if desk.pass.is_some() {
            piece.lines = (head.len(), room.len() - tail.len());
            std::mem::swap(room, &mut piece.bytes);
        } else {
            piece.lines = (head.len(), head.len());
            piece.bytes.clear();
            piece.bytes.extend_from_slice(head);
            piece.bytes.extend_from_slice(tail);
        }
        self.lock().early.insert(promise.index, Part::Piece(piece));
        promise.is_kept = true;
    }
}

/// Reads until `buffer` is full or the file is over, or can't be read on.
fn fill(file: &impl ReadAt, buffer: &mut [u8], offset: u64) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}
