//! One expression of a rule, run from one place on, over a text with or without its escapes.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::meta::Regex;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, Input};

use crate::error::Error;
use crate::plain::Window;

/// Long runs leave their state here and there, so that none is gone twice.
const MARK_BYTES: usize = 256;

/// A regular expression of bytes, compiled when it is first tried.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pattern: String,
    has_group: bool,
    dfa: OnceLock<Option<dense::DFA<Vec<u32>>>>,
    groups: OnceLock<Option<Regex>>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No match.
    None,
    /// The end of a match.
    Match(usize),
    /// An escape stands in the way.
    Escape,
}

/// The text that is run over.
pub(crate) trait Source {
    /// The byte at this place; `Err` where an escape stands.
    fn byte(&mut self, place: usize) -> Result<Option<u8>, ()>;
}

/// A text of which no escape is undone.
pub(crate) struct Raw<'a>(pub(crate) &'a [u8]);

impl Source for Raw<'_> {
    fn byte(&mut self, place: usize) -> Result<Option<u8>, ()> {
        match self.0.get(place) {
            Some(b'\\' | b'%') => Err(()),
            byte => Ok(byte.copied()),
        }
    }
}

impl Source for Window<'_> {
    fn byte(&mut self, place: usize) -> Result<Option<u8>, ()> {
        Ok(Self::byte(self, place))
    }
}

/// The states that runs without a match went through, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Marks(HashMap<(usize, usize, StateID), (Fate, bool)>);

impl Expression {
    /// # Errors
    /// [`Error::Pattern`], with the rule's name in it.
    pub(crate) fn new(name: &str, pattern: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Pattern { message: format!("{name}: {why}") };
        let hir = syntax::parse_with(pattern, &config()).map_err(|error| refuse(&error.to_string()))?;
        let properties = hir.properties();
        if properties.look_set().contains_word_unicode() {
            return Err(refuse("a boundary of Unicode's words"));
        }
        let has_group = properties.explicit_captures_len() > 0;
        Ok(Self { pattern: pattern.to_owned(), has_group, dfa: OnceLock::new(), groups: OnceLock::new() })
    }

    /// before: the byte in front of `from`. number: this expression's own in `marks`. The second result says whether
    /// the text's end came before it was sure what the match is.
    pub(crate) fn run(
        &self,
        source: &mut impl Source,
        from: usize,
        before: Option<u8>,
        number: usize,
        marks: &mut Marks,
    ) -> (Fate, bool) {
        let Some(dfa) = self.dfa.get_or_init(|| compiled(&self.pattern)) else { return (Fate::None, false) };
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        let Ok(mut state) = dfa.start_state(&config) else { return (Fate::None, false) };
        let (mut place, mut fate, mut is_open) = (from, Fate::None, false);
        let mut passed = Vec::new();
        loop {
            let Ok(byte) = source.byte(place) else {
                fate = Fate::Escape;
                break;
            };
            is_open = byte.is_none() && is_undecided(dfa, state);
            state = byte.map_or_else(|| dfa.next_eoi_state(state), |byte| dfa.next_state(state, byte));
            if dfa.is_match_state(state) {
                fate = Fate::Match(place);
            }
            if byte.is_none() || dfa.is_dead_state(state) || dfa.is_quit_state(state) {
                break;
            }
            place += 1;
            if place.is_multiple_of(MARK_BYTES) && fate == Fate::None {
                let mark = (number, place, state);
                if let Some(known) = marks.0.get(&mark) {
                    (fate, is_open) = *known;
                    break;
                }
                passed.push(mark);
            }
        }
        if !matches!(fate, Fate::Match(_)) {
            marks.0.extend(passed.into_iter().map(|mark| (mark, (fate, is_open))));
        }
        (fate, is_open)
    }

    /// What the group of this match is, or the whole.
    pub(crate) fn secret(&self, bytes: &[u8], start: usize, end: usize) -> (usize, usize) {
        if !self.has_group {
            return (start, end);
        }
        let regex = self.groups.get_or_init(|| regex(&self.pattern));
        let input = Input::new(bytes).range(start..end).anchored(Anchored::Yes);
        let group = regex.as_ref().and_then(|regex| {
            let mut groups = regex.create_captures();
            regex.search_captures(&input, &mut groups);
            groups.get_group(1)
        });
        group.map_or((start, end), |group| (group.start, group.end))
    }

    pub(crate) fn has_group(&self) -> bool {
        self.has_group
    }
}

/// Whether it depends on the bytes behind the text's end what becomes of a run. A match is told a byte late: where each
/// byte tells of one that none can make longer, all is known.
fn is_undecided(dfa: &dense::DFA<Vec<u32>>, state: StateID) -> bool {
    let next_states = |state| {
        let bytes = dfa.byte_classes().representatives(0..=u8::MAX).filter_map(|unit| unit.as_u8());
        bytes.map(move |byte| dfa.next_state(state, byte))
    };
    let is_over = |state| next_states(state).all(|next| dfa.is_dead_state(next));
    !is_over(state) && !next_states(state).all(|next| dfa.is_match_state(next) && is_over(next))
}

fn config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// What parses compiles: no limit of size is set, and no look-around of Unicode's gets here.
fn compiled(pattern: &str) -> Option<dense::DFA<Vec<u32>>> {
    dense::Builder::new()
        .configure(dense::Config::new().start_kind(StartKind::Anchored))
        .syntax(config())
        .build(pattern)
        .ok()
}

fn regex(pattern: &str) -> Option<Regex> {
    Regex::builder().syntax(config()).build(pattern).ok()
}
