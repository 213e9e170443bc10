//! Puts placeholders where secrets were, in the JSON text of an event's data.

use std::borrow::Cow;

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::error::Error;

const COMPILED_LIMIT_BYTES: usize = 64 << 20;

/// Rules, each a name and a regular expression; at one place the first of them wins. Its time is linear
/// in the text, whatever the expressions are.
#[derive(Clone, Debug)]
pub struct Redactor {
    regex: Regex,
    names: Vec<String>,
}

impl Redactor {
    /// Compiles the rules.
    ///
    /// # Errors
    /// [`Error::Pattern`], with the rule's name in it.
    pub fn new(rules: &[(String, String)]) -> Result<Self, Error> {
        for (name, pattern) in rules {
            Regex::new(pattern).map_err(|error| Error::Pattern { message: format!("{name}: {error}") })?;
        }
        let parts: Vec<String> =
            rules.iter().enumerate().map(|(number, (_, pattern))| format!("(?P<r{number}>{pattern})")).collect();
        let regex = RegexBuilder::new(&parts.join("|"))
            .size_limit(COMPILED_LIMIT_BYTES)
            .build()
            .map_err(|error| Error::Pattern { message: error.to_string() })?;
        Ok(Self { regex, names: rules.iter().map(|(name, _)| name.clone()).collect() })
    }

    /// `data` with `[redacted:NAME]` where rule NAME matched, and how often that was.
    #[must_use]
    pub fn clean<'a>(&self, data: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        // Without rules the empty expression would match everywhere.
        if self.names.is_empty() || !self.regex.is_match(data) {
            return (Cow::Borrowed(data), 0);
        }
        let mut count = 0;
        let cleaned = self.regex.replace_all(data, |found: &Captures<'_>| {
            count += 1;
            format!("[redacted:{}]", self.name_of(found)).into_bytes()
        });
        (cleaned, count)
    }

    fn name_of(&self, found: &Captures<'_>) -> &str {
        let rule = self.names.iter().enumerate().find(|(number, _)| found.name(&format!("r{number}")).is_some());
        rule.map_or("", |(_, name)| name)
    }
}
