//! XXH64 with seed 0, the content checksum of a zstd frame (RFC 8878, 3.1.1), for a frame that has to be closed by hand.

const P1: u64 = 0x9e37_79b1_85eb_ca87;
const P2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const P3: u64 = 0x1656_67b1_9e37_79f9;
const P4: u64 = 0x85eb_ca77_c2b2_ae63;
const P5: u64 = 0x27d4_eb2f_1656_67c5;

/// The checksum of what was pushed so far.
#[derive(Clone, Debug)]
pub(crate) struct Xxh64 {
    lanes: [u64; 4],
    pending: Vec<u8>,
    len: u64,
}

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

impl Xxh64 {
    pub(crate) fn new() -> Self {
        Self { lanes: [P1.wrapping_add(P2), P2, 0, 0_u64.wrapping_sub(P1)], pending: Vec::new(), len: 0 }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if !self.pending.is_empty() {
            let missing = bytes.len().min(32 - self.pending.len());
            let (head, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            self.pending.extend_from_slice(head);
            bytes = rest;
            if self.pending.len() == 32 {
                let stripe = std::mem::take(&mut self.pending);
                self.stripes(&stripe);
            }
        }
        self.stripes(bytes);
        let rest = bytes.len() % 32;
        self.pending.extend_from_slice(bytes.get(bytes.len() - rest..).unwrap_or_default());
    }

    fn stripes(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<8>();
        let (stripes, _) = words.as_chunks::<4>();
        for stripe in stripes {
            for (lane, word) in self.lanes.iter_mut().zip(stripe) {
                *lane = round(*lane, u64::from_le_bytes(*word));
            }
        }
    }

    pub(crate) fn value(&self) -> u64 {
        let [one, two, three, four] = self.lanes;
        let mut hash = if self.len < 32 {
            P5
        } else {
            let sum = one.rotate_left(1).wrapping_add(two.rotate_left(7));
            let sum = sum.wrapping_add(three.rotate_left(12)).wrapping_add(four.rotate_left(18));
            self.lanes.iter().fold(sum, |hash, lane| (hash ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4))
        };
        hash = hash.wrapping_add(self.len);
        let (words, rest) = self.pending.as_chunks::<8>();
        for word in words {
            hash = (hash ^ round(0, u64::from_le_bytes(*word))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        }
        let mut rest = rest;
        if let Some((word, behind)) = rest.split_first_chunk::<4>() {
            let word = u64::from(u32::from_le_bytes(*word));
            hash = (hash ^ word.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
            rest = behind;
        }
        for byte in rest {
            hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
        }
        hash = (hash ^ hash >> 33).wrapping_mul(P2);
        hash = (hash ^ hash >> 29).wrapping_mul(P3);
        hash ^ hash >> 32
    }
}
