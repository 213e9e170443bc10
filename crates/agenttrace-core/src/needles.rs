//! Four letters of every rule, and escapes that spell letters, found fast in a text with its escapes on.

const TABLE_WORDS: usize = 4096;
const TABLE_BITS: u32 = 18;
/// So many bytes are looked at at once.
const LOOK_BYTES: usize = 14;
const HEADS: usize = 1024;
const HEAD_BITS: u32 = 10;
const HEX: &[u8] = b"0123456789abcdefABCDEF";
/// Where letters of ASCII that are printed begin and end in a code's upper digit.
const PRINTED: &[u8] = b"234567";

/// Three letters, and what may stand behind them; no byte named: any that isn't white space.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    pub(crate) letters: [u8; 3],
    pub(crate) behind: Vec<u8>,
}

/// Every second place is looked at: of four letters in a row three begin at one. No instruction of a processor is asked
/// for, and the number of needles costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Needles {
    table: Box<[u64; TABLE_WORDS]>,
    /// As the table, of whole needles.
    fours: Box<[u64; TABLE_WORDS]>,
    heads: Box<[Vec<u16>; HEADS]>,
    needles: Vec<Needle>,
}

impl Needles {
    /// is_foreign: letters beyond ASCII count, however they are spelled.
    pub(crate) fn new(needles: Vec<Needle>, is_foreign: bool) -> Self {
        let mut new = Self {
            table: Box::new([0; TABLE_WORDS]),
            fours: Box::new([0; TABLE_WORDS]),
            heads: Box::new([const { Vec::new() }; HEADS]),
            needles: Vec::new(),
        };
        let (mut codes, mut digits) = (vec![*b"\\u0", *b"u00"], PRINTED.to_vec());
        if is_foreign {
            codes.extend(HEX.iter().map(|digit| [b'\\', b'u', *digit]));
            codes.extend(HEX.iter().flat_map(|high| HEX.iter().map(|low| [b'u', *high, *low])));
            digits.extend_from_slice(b"89abcdefABCDEF");
        }
        for high in digits {
            codes.extend((0..=255).map(|before| [before, b'%', high]));
            codes.extend(HEX.iter().map(|low| [b'%', high, *low]));
        }
        for three in codes {
            new.mark(three);
        }
        for (number, needle) in needles.into_iter().enumerate() {
            let [_, second, third] = needle.letters;
            new.mark(needle.letters);
            let any: Vec<u8> = (b'!'..=255).collect();
            for fourth in if needle.behind.is_empty() { &any } else { &needle.behind } {
                new.mark([second, third, *fourth]);
                let [first, ..] = needle.letters;
                set(&mut new.fours, hash_of_four(u32::from_le_bytes([first, second, third, *fourth])));
            }
            if let (Some(head), Ok(number)) = (new.heads.get_mut(head(word(needle.letters))), u16::try_from(number)) {
                head.push(number);
            }
            new.needles.push(needle);
        }
        new
    }

    /// The first of the places `from`, `from` + 2, … where something may begin, there or a byte before.
    pub(crate) fn next(&self, raw: &[u8], from: usize) -> Option<usize> {
        let mut place = from;
        while let Some(bytes) = raw.get(place..).and_then(|rest| rest.first_chunk::<LOOK_BYTES>()) {
            if self.any_in(bytes) & 1 != 0 {
                break;
            }
            place += LOOK_BYTES - 2;
        }
        while let Some(&[first, second, third]) = raw.get(place..place + 3) {
            if self.has(word([first, second, third])) {
                return Some(place);
            }
            place += 2;
        }
        None
    }

    /// The lowest bit is set if something may begin at a second place of these bytes. The others mean nothing: to clear
    /// them each time would cost a third more.
    #[inline]
    fn any_in(&self, bytes: &[u8; LOOK_BYTES]) -> u64 {
        let four =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk().copied()).map_or(0, u32::from_le_bytes);
        (0..LOOK_BYTES / 2 - 1).fold(0, |any, number| any | bits_at(&self.table, hash(four(2 * number), TABLE_BITS)))
    }

    /// Whether it is worth while to ask which needles stand at this place.
    #[inline]
    pub(crate) fn may_be_at(&self, bytes: &[u8], place: usize) -> bool {
        let four = bytes.get(place..).and_then(|rest| rest.first_chunk());
        four.is_some_and(|four| is_set(&self.fours, hash_of_four(u32::from_le_bytes(*four))))
    }

    /// The numbers of the needles that stand at this place.
    pub(crate) fn at<'a>(&'a self, bytes: &[u8], place: usize) -> impl Iterator<Item = usize> + use<'a> {
        let four: Option<[u8; 4]> = bytes.get(place..).and_then(|rest| rest.first_chunk().copied());
        let numbers = four.and_then(|[one, two, three, _]| self.heads.get(head(word([one, two, three]))));
        numbers.into_iter().flatten().map(|number| usize::from(*number)).filter(move |number| {
            let (Some(needle), Some([one, two, three, behind])) = (self.needles.get(*number), four) else {
                return false;
            };
            needle.letters == [one, two, three]
                && (needle.behind.contains(&behind) || (needle.behind.is_empty() && behind > b' '))
        })
    }

    fn mark(&mut self, three: [u8; 3]) {
        set(&mut self.table, hash(word(three), TABLE_BITS));
    }

    #[inline]
    fn has(&self, four: u32) -> bool {
        is_set(&self.table, hash(four, TABLE_BITS))
    }
}

fn set(table: &mut [u64; TABLE_WORDS], slot: usize) {
    if let Some(bits) = table.get_mut(slot >> 6) {
        *bits |= 1 << (slot & 63);
    }
}

#[inline]
fn is_set(table: &[u64; TABLE_WORDS], slot: usize) -> bool {
    bits_at(table, slot) & 1 != 0
}

/// The bit of this slot is the lowest.
#[inline]
fn bits_at(table: &[u64; TABLE_WORDS], slot: usize) -> u64 {
    table.get((slot >> 6) & (TABLE_WORDS - 1)).map_or(0, |bits| bits >> (slot & 63))
}

#[inline]
fn hash_of_four(four: u32) -> usize {
    (four.wrapping_mul(0x85eb_ca6b) >> (32 - TABLE_BITS)) as usize
}

fn word([first, second, third]: [u8; 3]) -> u32 {
    u32::from_le_bytes([first, second, third, 0])
}

fn head(word: u32) -> usize {
    hash(word, HEAD_BITS)
}

/// Of the lower three bytes.
#[inline]
fn hash(word: u32, bits: u32) -> usize {
    ((word << 8).wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize
}
