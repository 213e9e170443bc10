//! A packed file judged by several threads: one unpacks, the others examine.

use std::thread;
use std::time::Instant;

use crate::order::{Part, Settler};
use crate::parallel::{Desk, PIECES_QUEUED, Permit, ReadAt, Work};
use crate::unpack::{Unpacked, Unpacker};

impl<F: ReadAt> Work<'_, F> {
    /// This thread unpacks; the others, and this one where they don't keep up, examine.
    pub(crate) fn take_packed(&self, unpacker: &mut Unpacker, settler: &mut Settler<'_>) {
        let _permit = Permit::take();
        let offset = thread::scope(|scope| {
            let (mut packed, mut desk) = (vec![0; self.sharing.piece_bytes], self.desk());
            let (mut unpacked, mut offset) = (Vec::new(), self.start);
            let is_late = |offset| offset > self.start && Instant::now() >= self.until;
            while offset < self.end && settler.error.is_none() && !is_late(offset) {
                self.call_help(scope, self.end - offset, || self.help_examining());
                let len = packed.len().min(usize::try_from(self.end - offset).unwrap_or(usize::MAX));
                let count = match self.file.read_at(packed.get_mut(..len).unwrap_or_default(), offset) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) => {
                        self.lock().error = Some(error);
                        break;
                    }
                };
                offset += count as u64;
                unpacker.push(packed.get(..count).unwrap_or_default(), &mut |part| {
                    self.take_unpacked(part, &mut unpacked, &mut desk, settler);
                });
            }
            self.enqueue(&mut unpacked);
            self.advance((0, 0), &mut desk, settler);
            self.stop();
            offset
        });
        // Of the packed stream.
        settler.bytes = offset - self.start;
    }

    fn take_unpacked(&self, part: Unpacked<'_>, unpacked: &mut Vec<u8>, desk: &mut Desk, settler: &mut Settler<'_>) {
        let part = match part {
            Unpacked::Bytes(bytes) => {
                unpacked.extend_from_slice(bytes);
                if unpacked.len() >= self.sharing.piece_bytes {
                    self.enqueue(unpacked);
                    self.advance((PIECES_QUEUED, self.sharing.pieces_ahead()), desk, settler);
                }
                return;
            }
            Unpacked::FrameStart(packed) => Part::FrameStart(packed),
            Unpacked::Damaged => Part::Damaged,
        };
        self.enqueue(unpacked);
        let mut state = self.lock();
        let index = state.give();
        state.early.insert(index, part);
        drop(state);
        self.advance((PIECES_QUEUED, self.sharing.pieces_ahead()), desk, settler);
    }

    fn enqueue(&self, unpacked: &mut Vec<u8>) {
        let mut state = self.lock();
        let room = state.rooms.pop().unwrap_or_default();
        let unpacked = std::mem::replace(unpacked, room);
        let index = state.give();
        state.queue.push_back((index, unpacked));
        drop(state);
        self.changed.notify_all();
    }

    /// Examines pieces as they come, until there are no more.
    fn help_examining(&self) {
        let mut desk = self.desk();
        let mut state = self.lock();
        loop {
            if let Some((index, unpacked)) = state.queue.pop_front() {
                drop(state);
                self.examine_unpacked(index, unpacked, &mut desk);
                state = self.lock();
            } else if state.is_over {
                return;
            } else {
                state = self.wait(state);
            }
        }
    }

    fn examine_unpacked(&self, index: u64, unpacked: Vec<u8>, desk: &mut Desk) {
        let mut room = std::mem::replace(&mut desk.room, unpacked);
        room.clear();
        self.lock().rooms.push(room);
        self.examine(self.promise(index), desk);
    }

    /// Takes in what is there, and examines, until so many pieces at most are not examined, and so many parts not taken in;
    /// all where nobody else examines.
    fn advance(&self, (queued, outstanding): (usize, u64), desk: &mut Desk, settler: &mut Settler<'_>) {
        let mut state = self.lock();
        loop {
            let queued = if state.has_help { queued } else { 0 };
            if let Some(part) = state.next() {
                drop(state);
                self.settle(part, settler);
            } else if settler.error.is_some() || (state.queue.len() <= queued && state.outstanding() <= outstanding) {
                return;
            } else if let Some((index, unpacked)) = state.queue.pop_front() {
                drop(state);
                self.examine_unpacked(index, unpacked, desk);
            } else if state.outstanding() > 0 {
                state = self.wait(state);
                continue;
            } else {
                return;
            }
            state = self.lock();
        }
    }
}
