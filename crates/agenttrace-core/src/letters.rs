//! Any of some short strings, found fast.

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::error::Error;

/// By the processor's wide instructions where they are few, else by an automaton.
#[derive(Clone, Debug)]
pub(crate) enum Letters {
    Packed(Searcher),
    Automaton(AhoCorasick),
}

impl Letters {
    pub(crate) fn new(letters: &[Vec<u8>]) -> Result<Self, Error> {
        if let Some(packed) = Searcher::new(letters) {
            return Ok(Self::Packed(packed));
        }
        let automaton =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::DFA)).build(letters);
        automaton.map(Self::Automaton).map_err(|error| Error::Pattern { message: error.to_string() })
    }

    pub(crate) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        match self {
            Self::Packed(packed) => packed.find_in(bytes, (from..bytes.len()).into()).map(|found| found.start()),
            Self::Automaton(automaton) => automaton.find(Input::new(bytes).range(from..)).map(|found| found.start()),
        }
    }
}
