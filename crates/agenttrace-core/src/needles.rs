//! Four letters of every rule, and escapes that spell letters, found fast in a text with its escapes on.

use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};

/// What is looked at in one go for whether it is all prose.
const LONG_BYTES: usize = 64;
const SHORT_BYTES: usize = 16;
/// A needle that begins so near the end of what was looked at goes on behind it.
const LEFT_BYTES: usize = 4;
/// Looked through by letters before prose is hoped for again.
const STRETCH_BYTES: usize = 18;

const TABLE_WORDS: usize = 4096;
const TABLE_BITS: u32 = 18;
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
/// for, and the number of needles costs nothing. Small letters and blanks in a row are passed over: nearly all needles,
/// and all escapes, hold something else. The few that don't are `words`.
#[derive(Clone, Debug)]
pub(crate) struct Needles {
    table: Box<[u64; TABLE_WORDS]>,
    /// As the table, of whole needles.
    fours: Box<[u64; TABLE_WORDS]>,
    heads: Box<[Vec<u16>; HEADS]>,
    needles: Vec<Needle>,
    words: Words,
}

/// Needles that prose may hold.
#[derive(Clone, Debug)]
enum Words {
    None,
    Few(Prefilter),
    /// So many that prose is looked through as all else.
    Many,
}

/// The places of one text where something may begin.
pub(crate) struct Places<'n, 'a> {
    needles: &'n Needles,
    raw: &'a [u8],
    /// Where the next word stands, as far as it was looked for; the text's length: nowhere.
    word: Option<usize>,
}

impl Needles {
    /// is_foreign: letters beyond ASCII count, however they are spelled.
    pub(crate) fn new(needles: Vec<Needle>, is_foreign: bool) -> Self {
        let mut new = Self {
            table: Box::new([0; TABLE_WORDS]),
            fours: Box::new([0; TABLE_WORDS]),
            heads: Box::new([const { Vec::new() }; HEADS]),
            words: words(&needles),
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

    /// What may begin in this text.
    pub(crate) fn places<'n, 'a>(&'n self, raw: &'a [u8]) -> Places<'n, 'a> {
        Places { needles: self, raw, word: None }
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

impl Places<'_, '_> {
    /// The first of the places `from`, `from` + 2, … where something may begin, there or a byte before.
    pub(crate) fn next(&mut self, from: usize) -> Option<usize> {
        let mut place = from;
        let mut stretch = STRETCH_BYTES;
        loop {
            let begun = place;
            place = self.behind_prose(place);
            // Where no prose is, it is hoped for less and less often.
            stretch = if place > begun { STRETCH_BYTES } else { 2 * stretch };
            let limit = place + stretch;
            while place < limit {
                let Some(eight) = self.raw.get(place..).and_then(|rest| rest.first_chunk::<8>()) else {
                    return self.next_of_last(place);
                };
                let eight = u64::from_le_bytes(*eight);
                let has = |four: u64| self.needles.has(four as u32);
                let found = [has(eight), has(eight >> 16), has(eight >> 32)];
                if found[0] | found[1] | found[2] {
                    return Some(place + if found[0] { 0 } else { 4 - 2 * usize::from(found[1]) });
                }
                place += 6;
            }
        }
    }

    fn next_of_last(&self, from: usize) -> Option<usize> {
        let mut place = from;
        while let Some(&[first, second, third]) = self.raw.get(place..place + 3) {
            if self.needles.has(word([first, second, third])) {
                return Some(place);
            }
            place += 2;
        }
        None
    }

    /// From this place on, the first of every second that nothing says to pass over.
    fn behind_prose(&mut self, from: usize) -> usize {
        let mut place = from;
        while let Some(len) = self.prose_len(place.saturating_sub(1)) {
            let next = place + len - LEFT_BYTES;
            if self.next_word(place.saturating_sub(1)) < next {
                break;
            }
            place = next;
        }
        place
    }

    fn prose_len(&self, start: usize) -> Option<usize> {
        let rest = self.raw.get(start..)?;
        if !rest.first_chunk::<SHORT_BYTES>().is_some_and(is_prose) {
            return None;
        }
        Some(if rest.first_chunk::<LONG_BYTES>().is_some_and(is_prose) { LONG_BYTES } else { SHORT_BYTES })
    }

    /// Where the first word from this place on stands.
    fn next_word(&mut self, from: usize) -> usize {
        match (&self.needles.words, self.word) {
            (Words::None, _) => self.raw.len(),
            (Words::Many, _) => from,
            (_, Some(known)) if known >= from => known,
            (Words::Few(words), _) => {
                let found = words.find(self.raw, Span { start: from, end: self.raw.len() });
                let place = found.map_or(self.raw.len(), |found| found.start);
                self.word = Some(place);
                place
            }
        }
    }
}

/// Whether these are small letters and blanks; a few instructions for sixteen of them, as it does not branch.
#[inline]
fn is_prose<const LEN: usize>(bytes: &[u8; LEN]) -> bool {
    bytes.iter().fold(0, |other, byte| other | u8::from(!is_of_prose(*byte))) == 0
}

#[inline]
fn is_of_prose(byte: u8) -> bool {
    (byte.wrapping_sub(b'a') < 26) | (byte == b' ')
}

/// The needles, or their first three letters, that are of prose altogether.
fn words(needles: &[Needle]) -> Words {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for needle in needles.iter().filter(|needle| needle.letters.iter().all(|letter| is_of_prose(*letter))) {
        if needle.behind.is_empty() {
            words.push(needle.letters.to_vec());
        }
        let behind = needle.behind.iter().filter(|byte| is_of_prose(**byte));
        words.extend(behind.map(|byte| [&needle.letters[..], &[*byte]].concat()));
    }
    if words.is_empty() {
        return Words::None;
    }
    let quick = Prefilter::new(MatchKind::All, &words).filter(Prefilter::is_fast);
    quick.map_or(Words::Many, Words::Few)
}

fn set(table: &mut [u64; TABLE_WORDS], slot: usize) {
    if let Some(bits) = table.get_mut(slot >> 6) {
        *bits |= 1 << (slot & 63);
    }
}

#[inline]
fn is_set(table: &[u64; TABLE_WORDS], slot: usize) -> bool {
    table.get((slot >> 6) & (TABLE_WORDS - 1)).is_some_and(|bits| bits >> (slot & 63) & 1 != 0)
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
