//! What a trace adds up to: the `totals` of `trace_end`.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::{self, Member, Token};
use crate::select;

/// The members of `usage` that are added up.
pub const TOKENS: [&str; 5] =
    ["input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens", "reasoning_tokens"];

/// Sums over the events of one trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Events `llm_request`.
    pub llm_calls: u64,
    /// Events `tool_call`.
    pub tool_calls: u64,
    /// Events that are errors.
    pub errors: u64,
    /// Model calls that used tokens and whose price is not known.
    pub unpriced_calls: u64,
    /// Of `usage`, in the order of [`TOKENS`].
    pub tokens: [u64; 5],
    /// None where no price was known.
    pub cost_usd: Option<f64>,
}

impl Totals {
    /// Adds one event. Only what adds to something is parsed.
    pub fn count(&mut self, kind: &str, data: &[u8]) {
        match kind {
            "llm_request" => self.llm_calls += 1,
            "tool_call" => self.tool_calls += 1,
            "llm_response" => self.count_response(data),
            _ => {}
        }
        if may_be_error(kind, data) && select::is_error(kind.as_bytes(), data) {
            self.errors += 1;
        }
    }

    fn count_response(&mut self, data: &[u8]) {
        let Ok(members) = json::members(data) else { return };
        let usage = json::find(&members, b"usage").filter(|usage| usage.token == Token::ObjectStart);
        if let Some(Ok(counts)) = usage.map(|usage| json::members(usage.value)) {
            for (name, sum) in TOKENS.iter().zip(&mut self.tokens) {
                let count = json::find(&counts, name.as_bytes()).and_then(|count| number::<u64>(&count));
                *sum = sum.saturating_add(count.unwrap_or_default());
            }
        }
        match json::find(&members, b"cost_usd").and_then(|cost| number::<f64>(&cost)) {
            Some(cost) => *self.cost_usd.get_or_insert_default() += cost,
            None => self.unpriced_calls += u64::from(usage.is_some()),
        }
    }
}

/// Searchers for the words of an error (`is_error` is one; `http` holds a status), made once.
static WORDS: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| [Finder::new(b"error\""), Finder::new(b"\"http\"")]);

/// Told cheaply where the words of an error don't occur. What writers leave spells names without escapes.
fn may_be_error(kind: &str, data: &[u8]) -> bool {
    matches!(kind, "error" | "http_response" | "process_end" | "trace_end")
        || WORDS.iter().any(|word| word.find(data).is_some())
}

fn number<T: std::str::FromStr>(member: &Member<'_>) -> Option<T> {
    if member.token != Token::Number {
        return None;
    }
    std::str::from_utf8(member.value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals_of(events: &[(&str, &str)]) -> Totals {
        let mut totals = Totals::default();
        for (kind, data) in events {
            totals.count(kind, data.as_bytes());
        }
        totals
    }

    #[test]
    fn calls_tokens_costs_and_errors_add_up() {
        let totals = totals_of(&[
            ("llm_request", r#"{"error":null}"#),
            ("llm_response", r#"{"usage":{"input_tokens":3,"output_tokens":4,"reasoning_tokens":1},"cost_usd":0.5}"#),
            ("llm_response", r#"{"usage":{"input_tokens":2,"output_tokens":"x"},"error":{"type":"T"}}"#),
            ("tool_call", "{}"),
            ("tool_result", r#"{"is_error":true}"#),
            ("http_response", r#"{"http":{"status":404}}"#),
            ("http_response", r#"{"http":{"status":200}}"#),
            ("http_response", r#"{"status":500}"#),
            ("llm_response", r#"{"http":{"status":500}}"#),
            ("span_end", r#"{"status":500}"#),
            ("process_end", r#"{"exit_code":1}"#),
            ("error", "{}"),
        ]);
        assert_eq!((totals.llm_calls, totals.tool_calls, totals.errors, totals.unpriced_calls), (1, 1, 7, 1));
        assert_eq!(totals.tokens, [5, 4, 0, 0, 1]);
        assert_eq!(totals.cost_usd, Some(0.5));
    }

    #[test]
    fn what_is_no_count_adds_nothing() {
        for data in ["{", "[]", r#"{"usage":[]}"#, r#"{"usage":null,"cost_usd":"1"}"#, r#"{"usage":7}"#] {
            assert_eq!(totals_of(&[("llm_response", data)]), Totals::default(), "{data}");
        }
        let negative = totals_of(&[("llm_response", r#"{"usage":{"input_tokens":-3,"output_tokens":1.5}}"#)]);
        assert_eq!(negative.tokens, [0; 5]);
    }
}
