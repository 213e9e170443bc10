//! Conditions on raw lines: which of the good ones go on. Nothing but what a condition needs is parsed.

use regex::bytes::Regex;

use crate::compare::Comparison;
use crate::error::Error;
use crate::json::{self, Member, Token};
use crate::line::Line;

/// A condition; all that is given must hold. The default holds for every line.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Any of these kinds.
    pub kinds: Option<Vec<String>>,
    /// Any of these as span or as parent span.
    pub span_ids: Option<Vec<String>>,
    /// Any of these traces.
    pub trace_ids: Option<Vec<String>>,
    /// Not before this time, compared as text.
    pub since: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// Only events that are errors.
    pub errors: bool,
    /// A match of this in the line's bytes, without its LF.
    pub grep: Option<Regex>,
    /// A match of each of these, too.
    pub holding: Vec<Regex>,
    /// Each of these may hold.
    pub comparing: Vec<Comparison>,
}

fn is_any(wanted: Option<&Vec<String>>, found: &[Option<&[u8]>]) -> bool {
    wanted.is_none_or(|wanted| found.iter().flatten().any(|found| wanted.iter().any(|one| one.as_bytes() == *found)))
}

impl Selection {
    /// Asks for a regular expression in the line's bytes too; its time is linear whatever it is.
    ///
    /// # Errors
    /// [`Error::Pattern`].
    pub fn with_grep(mut self, pattern: &str) -> Result<Self, Error> {
        let regex = Regex::new(pattern).map_err(|error| Error::Pattern { message: error.to_string() })?;
        self.grep = Some(regex);
        Ok(self)
    }

    /// Asks for one of these literals in the line's bytes too.
    ///
    /// # Errors
    /// [`Error::Pattern`] for more than the engine takes.
    pub fn with_one_of(mut self, literals: &[String]) -> Result<Self, Error> {
        let pattern = literals.iter().map(|literal| regex::escape(literal)).collect::<Vec<_>>().join("|");
        let regex = Regex::new(&pattern).map_err(|error| Error::Pattern { message: error.to_string() })?;
        self.holding.push(regex);
        Ok(self)
    }

    /// Whether the condition holds for `line`, a good one, with its LF or without. False for what is no line.
    #[must_use]
    pub fn matches(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if self.needs_frame() {
            Line::parse(line).is_ok_and(|line| self.matches_parsed(&line))
        } else {
            self.text_matches(line)
        }
    }

    /// As [`Self::matches`], for a line that was parsed.
    #[inline]
    pub(crate) fn matches_parsed(&self, line: &Line<'_>) -> bool {
        self.frame_matches(line) && self.text_matches(line.bytes())
    }

    fn text_matches(&self, line: &[u8]) -> bool {
        self.grep.iter().chain(&self.holding).all(|regex| regex.is_match(line))
            && self.comparing.iter().all(|comparison| comparison.may_hold(line))
    }

    fn needs_frame(&self) -> bool {
        let Self { kinds, span_ids, trace_ids, since, until, errors, grep: _, holding: _, comparing: _ } = self;
        let lists = [kinds, span_ids, trace_ids];
        lists.iter().any(|list| list.is_some()) || since.is_some() || until.is_some() || *errors
    }

    fn frame_matches(&self, line: &Line<'_>) -> bool {
        let (span, parent) = (line.span_id.map(<[u8; 16]>::as_slice), line.parent_span_id.map(<[u8; 16]>::as_slice));
        is_any(self.kinds.as_ref(), &[Some(line.kind)])
            && is_any(self.trace_ids.as_ref(), &[Some(line.trace_id.as_slice())])
            && is_any(self.span_ids.as_ref(), &[span, parent])
            && self.since.as_ref().is_none_or(|since| line.ts.as_slice() >= since.as_bytes())
            && self.until.as_ref().is_none_or(|until| line.ts.as_slice() < until.as_bytes())
            && (!self.errors || is_error(line.kind, line.data_bytes()))
    }
}

/// Whether an event is an error as FORMAT.md has it.
pub(crate) fn is_error(kind: &[u8], data: &[u8]) -> bool {
    if kind == b"error" {
        return true;
    }
    let Ok(data) = json::members(data) else { return false };
    let is_failed_exit = || {
        let code = json::find_meant(&data, b"exit_code").and_then(|code| number(&code));
        code.is_some_and(|code| code != 0.0)
            || json::find_meant(&data, b"signal").is_some_and(|signal| !is_null(&signal))
    };
    let http_status = || {
        let http = json::find_meant(&data, b"http").filter(|http| http.token == Token::ObjectStart)?;
        json::find_meant(&json::members(http.value).ok()?, b"status").and_then(|status| number(&status))
    };
    let own_status = || json::find_meant(&data, b"status").and_then(|status| number(&status));
    json::find_meant(&data, b"is_error").is_some_and(|flag| flag.value == b"true")
        || json::find_meant(&data, b"error").is_some_and(|error| !is_null(&error))
        || http_status().is_some_and(|status| status >= 400.0)
        || (kind == b"http_response" && own_status().is_some_and(|status| status >= 400.0))
        || (matches!(kind, b"process_end" | b"trace_end") && is_failed_exit())
}

fn is_null(member: &Member<'_>) -> bool {
    member.value == b"null"
}

fn number(member: &Member<'_>) -> Option<f64> {
    if member.token != Token::Number {
        return None;
    }
    std::str::from_utf8(member.value).ok()?.parse().ok()
}
