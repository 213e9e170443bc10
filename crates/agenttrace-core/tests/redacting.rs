//! Placeholders where rules match, and nothing else changed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

use std::borrow::Cow;

use agenttrace_core::redact::{Redactor, Rules};

fn owned(rules: &[(&str, &str)]) -> Vec<(String, String)> {
    rules.iter().map(|(name, pattern)| (name.to_string(), pattern.to_string())).collect()
}

fn redactor(rules: &[(&str, &str)]) -> Redactor {
    Redactor::new(&Rules { shapes: (vec!["se".into()], owned(rules)), ..Rules::default() }).unwrap()
}

#[test]
fn the_first_rule_wins_and_a_group_is_the_secret() {
    let redactor = redactor(&[("long", "secret-([0-9]+)"), ("short", "secret")]);
    let (cleaned, count) = redactor.clean(br#"{"x":"a secret-12 b secret c"}"#);
    assert_eq!(cleaned.as_ref(), br#"{"x":"a secret-[redacted:long] b [redacted:short] c"}"#);
    assert_eq!(count, 2);
}

#[test]
fn what_holds_no_secret_is_not_copied() {
    assert!(matches!(redactor(&[("x", "secret")]).clean(b"plain"), (Cow::Borrowed(b"plain"), 0)));
    assert_eq!(redactor(&[]).clean(b"plain").1, 0);
}

#[test]
fn a_bad_rule_is_named() {
    let rules = Rules { patterns: owned(&[("fine", "a"), ("mine", "(")]), ..Rules::default() };
    assert!(Redactor::new(&rules).unwrap_err().to_string().contains("mine"));
}

#[test]
fn escapes_of_any_depth_are_seen_through() {
    let values = vec![("v".into(), br#"a"b"#.to_vec())];
    let redactor = Redactor::new(&Rules { values, ..Rules::default() }).unwrap();
    for text in [r#"{"x":"a"b"}"#, r#"{"x":"a\"b"}"#, r#"{"x":"\u0061%22b"}"#] {
        assert_eq!(redactor.clean(text.as_bytes()).0.as_ref(), br#"{"x":"[redacted:v]"}"#);
    }
    assert_eq!(redactor.clean(br#"{"x":["a\","b"]}"#).1, 0);
}
