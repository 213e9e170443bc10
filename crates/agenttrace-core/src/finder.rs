//! Looks for secrets of known values, shapes and names in a text with its escapes on. A few letters of each rule are
//! looked for in the whole text; only around them is more done, and escapes undone only where some stand.

use crate::error::Error;
use crate::names::{self, Names};
use crate::needles::{Needle, Needles};
use crate::redact::{Named, Rules, Shape, Span};
use crate::rule::Expression;
use crate::search::Search;

/// What letters are of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Of the shape of this number, so many bytes behind its start.
    Shape(usize, usize),
    /// Of its second slash, so many bytes behind its start, both escaped.
    Slashes(usize, usize),
    /// Of a name's end.
    Name,
    /// Likewise of a value.
    Value(usize, usize),
    Base64,
}

/// The rules, ready to be looked for.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    pub(crate) needles: Needles,
    pub(crate) kinds: Vec<Kind>,
    /// Which bytes of ASCII are of needles, and so count when they are spelled as escapes.
    pub(crate) letters: Box<[bool; 256]>,
    pub(crate) is_foreign: bool,
    /// Names and values without escapes, the longest first.
    pub(crate) values: Vec<(String, Vec<u8>)>,
    /// Of values without four letters that stand in a text as they are.
    pub(crate) odd: Vec<usize>,
    pub(crate) shapes: Vec<(String, Expression)>,
    pub(crate) named: Vec<(Named, Expression)>,
    pub(crate) names: Names,
}

impl Finder {
    pub(crate) fn new(rules: &Rules, values: Vec<(String, Vec<u8>)>) -> Result<Self, Error> {
        let mut all = vec![(Needle { letters: *b"{\"b", behind: b"a".to_vec() }, Kind::Base64)];
        let mut odd = Vec::new();
        let mut is_foreign = false;
        for (number, (_, value)) in values.iter().enumerate() {
            match letters_of_value(value) {
                Some((offset, [one, two, three, behind])) => {
                    is_foreign |= ![one, two, three, behind].is_ascii();
                    let needle = Needle { letters: [one, two, three], behind: vec![behind] };
                    all.push((needle, Kind::Value(number, offset)));
                }
                None => odd.push(number),
            }
        }
        for (number, shape) in rules.shapes.iter().enumerate() {
            for start in &shape.starts {
                all.extend(start_needles(number, shape, start)?);
            }
        }
        all.extend(names::needles(&rules.named).into_iter().map(|needle| (needle, Kind::Name)));
        let mut letters = Box::new([false; 256]);
        for byte in all.iter().flat_map(|(needle, _)| needle.letters.iter().chain(&needle.behind)) {
            letters.get_mut(usize::from(*byte)).into_iter().for_each(|is_letter| *is_letter = true);
        }
        let (needles, kinds) = all.into_iter().unzip();
        let shape = |shape: &Shape| Ok((shape.name.clone(), Expression::new(&shape.name, &shape.pattern)?));
        let named = |rule: &Named| Ok((rule.clone(), Expression::new(&rule.name, &rule.behind)?));
        Ok(Self {
            needles: Needles::new(needles, is_foreign),
            kinds,
            letters,
            is_foreign,
            values,
            odd,
            shapes: rules.shapes.iter().map(shape).collect::<Result<_, Error>>()?,
            named: rules.named.iter().map(named).collect::<Result<_, Error>>()?,
            names: Names::new(&rules.named),
        })
    }

    /// Whether this byte is of any letters that are looked for.
    pub(crate) fn is_letter(&self, byte: u8) -> bool {
        self.letters.get(usize::from(byte)).is_some_and(|is_letter| *is_letter) || (byte >= 128 && self.is_foreign)
    }

    /// base64: what cleans the bytes that are no text (`{"base64":"…"}`), where the text is JSON.
    pub(crate) fn search<'f>(&'f self, raw: &[u8], base64: Option<Base64Cleaner<'_, 'f>>) -> Found<'f> {
        Search::new(self, raw, base64).all()
    }
}

/// The letters of a `{"base64":"…"}` to what stands for them when they hold a secret; nothing: they can't be read.
pub(crate) type Base64Cleaner<'c, 'f> = &'c dyn Fn(&[u8]) -> Option<Option<Span<'f>>>;

/// What a search came to.
pub(crate) struct Found<'f> {
    pub(crate) spans: Vec<Span<'f>>,
    /// The first place from which on a secret may go on behind the text's end.
    pub(crate) open: Option<usize>,
}

/// The letters of a shape's beginning that are looked for: four at most, the last ones.
fn start_needles(number: usize, shape: &Shape, start: &str) -> Result<Vec<(Needle, Kind)>, Error> {
    let bytes = start.as_bytes();
    let (letters, behind, offset) = match (bytes.last_chunk::<4>(), bytes.first_chunk::<3>()) {
        (Some(&[one, two, three, four]), _) => ([one, two, three], vec![four], bytes.len() - 4),
        (None, Some(three)) => (*three, Vec::new(), 0),
        _ => return Err(Error::Pattern { message: format!("{}: a beginning of less than three letters", shape.name) }),
    };
    let mut needles = vec![(Needle { letters, behind }, Kind::Shape(number, offset))];
    if bytes.ends_with(b"//") {
        // As some encoders spell it, once or in a string in a string; the first slash is then the window's.
        needles.push((Needle { letters: *b"\\/\\", behind: b"\\/".to_vec() }, Kind::Slashes(number, bytes.len() - 2)));
    }
    Ok(needles)
}

/// Four letters of a value that stand in a text as they are, and how many bytes before them there are: the rarest.
fn letters_of_value(value: &[u8]) -> Option<(usize, [u8; 4])> {
    let is_sure = |byte: &u8| *byte >= b' ' && !b"\"'/\\".contains(byte);
    let rarity =
        |byte: &u8| if byte.is_ascii_lowercase() || *byte == b' ' { 0 } else { 1 + usize::from(byte.is_ascii()) };
    let windows = value.windows(4).enumerate().filter(|(_, four)| four.iter().all(is_sure));
    // Of equals the first.
    let best = windows.rev().max_by_key(|(_, four)| four.iter().map(rarity).sum::<usize>());
    best.and_then(|(offset, four)| Some((offset, *four.first_chunk()?)))
}
