//! Placeholders where rules match, and nothing else changed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

use std::borrow::Cow;

use agenttrace_core::redact::Redactor;

fn redactor(rules: &[(&str, &str)]) -> Redactor {
    let rules: Vec<_> = rules.iter().map(|(name, pattern)| (name.to_string(), pattern.to_string())).collect();
    Redactor::new(&rules).unwrap()
}

#[test]
fn the_first_rule_wins_and_groups_of_rules_do_not_disturb() {
    let redactor = redactor(&[("long", "se(c)ret-[0-9]+"), ("short", "(s)ecret")]);
    let (cleaned, count) = redactor.clean(b"a secret-12 b secret c");
    assert_eq!(cleaned.as_ref(), b"a [redacted:long] b [redacted:short] c");
    assert_eq!(count, 2);
}

#[test]
fn what_holds_no_secret_is_not_copied() {
    assert!(matches!(redactor(&[("x", "secret")]).clean(b"plain"), (Cow::Borrowed(b"plain"), 0)));
    assert_eq!(redactor(&[]).clean(b"plain").1, 0);
}

#[test]
fn a_bad_rule_is_named() {
    let error = Redactor::new(&[("mine".into(), "(".into())]).unwrap_err();
    assert!(error.to_string().contains("mine"));
}
