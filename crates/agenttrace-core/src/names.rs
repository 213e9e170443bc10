//! Names that say that what is behind them is a secret.

use crate::needles::Needle;
use crate::plain::part;
use crate::redact::Named;

const NAME_LIMIT_BYTES: usize = 64;
/// What stands behind a name: an end of a string, `=` or `:`, or the backslash before a quote.
const BEHIND: &[u8] = b"\"'=:\\";

/// Which rules a name is of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Without `-` and `_`, in small letters, sorted; and the rules.
    whole: Vec<(Vec<u8>, Vec<usize>)>,
    /// What variables end with.
    ends: Vec<(Vec<u8>, usize)>,
}

/// A name in front of a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    /// Where it starts, with the hyphens in front of it.
    pub(crate) start: usize,
    hyphens: usize,
    end: usize,
}

impl Name {
    /// The name that ends here.
    pub(crate) fn before(bytes: &[u8], end: usize) -> Self {
        let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
        let len = part(bytes, ..end).iter().rev().take(NAME_LIMIT_BYTES).take_while(is_of_name).count();
        Self::of(bytes, end - len, end)
    }

    pub(crate) fn of(bytes: &[u8], start: usize, end: usize) -> Self {
        let hyphens = part(bytes, start..end).iter().take_while(|byte| **byte == b'-').count();
        Self { start, hyphens, end }
    }

    fn bare<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        part(bytes, self.start + self.hyphens..self.end)
    }

    /// Whether what a rule asks for stands in front of it.
    pub(crate) fn follows(&self, bytes: &[u8], before: &[String]) -> bool {
        let ahead = part(bytes, ..self.start + self.hyphens);
        before.is_empty() || before.iter().any(|one| ahead.ends_with(one.as_bytes()))
    }
}

impl Names {
    pub(crate) fn new(rules: &[Named]) -> Self {
        let mut names = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            for name in &rule.names {
                if let Some(end) = name.strip_prefix('*') {
                    names.ends.push((end.as_bytes().to_vec(), number));
                    continue;
                }
                let name = name.as_bytes().to_vec();
                match names.whole.binary_search_by(|known| known.0.cmp(&name)) {
                    Ok(place) => names.whole.get_mut(place).into_iter().for_each(|known| known.1.push(number)),
                    Err(place) => names.whole.insert(place, (name, vec![number])),
                }
            }
        }
        names
    }

    /// The rules of a name, in their order.
    pub(crate) fn rules(&self, bytes: &[u8], name: &Name) -> Vec<usize> {
        let bare = name.bare(bytes);
        let mut rules = Vec::new();
        self.of_letters(bare.iter().filter(|byte| !b"_-".contains(byte)), &mut rules);
        if bare.contains(&b'-') {
            self.of_letters(bare.iter(), &mut rules);
        }
        let is_variable = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        if bare.last().is_some_and(u8::is_ascii_uppercase) && bare.iter().all(is_variable) {
            rules.extend(self.ends.iter().filter(|(end, _)| bare.ends_with(end)).map(|(_, number)| *number));
        }
        rules.sort_unstable();
        rules
    }

    fn of_letters<'a>(&self, letters: impl Iterator<Item = &'a u8>, rules: &mut Vec<usize>) {
        let mut small = [0; NAME_LIMIT_BYTES];
        let mut len = 0;
        for (byte, slot) in letters.zip(small.iter_mut()) {
            *slot = byte.to_ascii_lowercase();
            len += 1;
        }
        let small = part(&small, ..len);
        if let Ok(place) = self.whole.binary_search_by(|(name, _)| name.as_slice().cmp(small)) {
            rules.extend(self.whole.get(place).into_iter().flat_map(|(_, rules)| rules));
        }
    }
}

/// How names end, in any case of letters; of a name of two letters with what stands in front of it.
pub(crate) fn needles(rules: &[Named]) -> Vec<Needle> {
    let mut ends: Vec<[u8; 3]> = Vec::new();
    for rule in rules {
        for name in &rule.names {
            let befores: &[String] = if name.len() < 3 { &rule.before } else { &[String::new()] };
            for before in befores {
                if let Some(end) = format!("{before}{name}").as_bytes().last_chunk::<3>() {
                    ends.extend((0..8).map(|cases| cased(*end, cases)));
                }
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    ends.into_iter().map(|letters| Needle { letters, behind: BEHIND.to_vec() }).collect()
}

fn cased(letters: [u8; 3], cases: u8) -> [u8; 3] {
    let one = |letter: u8, bit: u8| {
        if cases & bit == 0 { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
    };
    let [first, second, third] = letters;
    [one(first, 1), one(second, 2), one(third, 4)]
}
