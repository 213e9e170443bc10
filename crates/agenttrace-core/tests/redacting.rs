//! Placeholders where rules match, and nothing else changed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

use std::borrow::Cow;
use std::time::{Duration, Instant};

use agenttrace_core::redact::{Named, Redactor, Rules, Shape};

fn owned(rules: &[(&str, &str)]) -> Vec<(String, String)> {
    rules.iter().map(|(name, pattern)| (name.to_string(), pattern.to_string())).collect()
}

fn redactor(rules: &[(&str, &str)]) -> Redactor {
    let shape = |(name, pattern)| Shape { name, starts: vec!["secr".into()], pattern };
    Redactor::new(&Rules { shapes: owned(rules).into_iter().map(shape).collect(), ..Rules::default() }).unwrap()
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
    for text in [r#"{"x":"a\"b"}"#, r#"{"x":"a\\\"b"}"#, r#"{"x":"\u0061%22b"}"#] {
        assert_eq!(redactor.clean(text.as_bytes()).0.as_ref(), br#"{"x":"[redacted:v]"}"#);
    }
    assert_eq!(redactor.clean(br#"{"x":["a\","b"]}"#).1, 0);
}

fn all_kinds() -> Redactor {
    let shape = |name: &str, start: &str, pattern: &str| Shape {
        name: name.into(),
        starts: vec![start.into()],
        pattern: pattern.into(),
    };
    let named = |before: &str, behind: &str| Named {
        name: "credential".into(),
        before: vec![before.into()],
        names: vec!["password".into()],
        behind: behind.into(),
    };
    let rules = Rules {
        values: vec![("v".into(), b"hunter2-correct".to_vec())],
        shapes: vec![
            shape("key", "sk-", r"\bsk-[A-Za-z0-9_\-]{20,}"),
            shape("jwt", "eyJ", r"\beyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"),
            shape(
                "pem",
                "-----BEGI",
                r#"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*(?:[A-Za-z\-]+: [^\n"]*\n)*[A-Za-z0-9+/=]{40,}"#,
            ),
            shape("url", "://", r#"://[^\s/?\#@:"'<>]*:([^\s/?\#@"'<>]+)@"#),
        ],
        named: vec![named("\"", r#""\s*:\s*"([^"]+)""#), named("\"", r#""\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n"]+)"#)],
        patterns: Vec::new(),
    };
    Redactor::new(&rules).unwrap()
}

/// Time for four times the text is about four times the time: a quadratic search would take sixteen.
#[test]
fn time_is_linear_in_hostile_texts() {
    let redactor = all_kinds();
    let units: [&dyn Fn(usize) -> String; 11] = [
        &|_| "eyJ-".into(),
        &|_| "eyJ-\\\\".into(),
        &|_| "-----BEGIN PRIVATE KEY-----A: ".into(),
        &|_| "-----BEGIN PRIVATE KEY-----\\n".into(),
        &|_| r#"\"password\"\na\n"#.into(),
        &|_| r#"\"password\":\"x"#.into(),
        &|number| format!(r#"{0}"password{0}":{0}"x"#, "\\".repeat(2 * (number % 400) + 1)),
        &|_| r"\u0073k-".into(),
        &|_| "://a:".into(),
        &|_| "hunter2-hunter2-correc".into(),
        &|_| "%73%6b%2d".into(),
    ];
    for (number, unit) in units.iter().enumerate() {
        let time = |bytes: usize| {
            let text = (0..).map(unit).scan(0, |len, unit| {
                *len += unit.len();
                (*len < bytes).then_some(unit)
            });
            let data = format!("{{\"x\":\"{}\"}}", text.collect::<String>());
            let begun = Instant::now();
            let _ = redactor.clean(data.as_bytes());
            let _ = redactor.held(data.as_bytes());
            begun.elapsed()
        };
        time(1000);
        // Other programs take time too, but not each time.
        let is_linear = || time(800_000) < 9 * time(200_000) + Duration::from_millis(20);
        assert!((0..3).any(|_| is_linear()), "{number}");
    }
}

#[test]
fn bytes_in_base64_are_cleaned_as_such() {
    let redactor = all_kinds();
    // \xff hunter2-correct \xff
    let data = br#"{"a":{"base64":"/yBodW50ZXIyLWNvcnJlY3Qg/w=="},"b":{"base64":"/w=="},"c":{"base64":"%"}}"#;
    let (cleaned, count) = redactor.clean(data);
    assert_eq!(count, 1);
    // \xff [redacted:v] \xff
    let expected = br#"{"a":{"base64":"/yBbcmVkYWN0ZWQ6dl0g/w=="},"b":{"base64":"/w=="},"c":{"base64":"%"}}"#;
    assert_eq!(std::str::from_utf8(&cleaned), std::str::from_utf8(expected));
}

fn of_prose() -> Redactor {
    let shape = |name: &str, start: &str, pattern: &str| Shape {
        name: name.into(),
        starts: vec![start.into()],
        pattern: pattern.into(),
    };
    let rules = Rules {
        values: vec![("v".into(), b"correct horse battery".to_vec())],
        shapes: vec![
            shape("words", "dapi", r"\bdapi[a-f0-9]{32}"),
            shape("three", "xox", r"\bxox[a-z]{20}"),
            shape("long", "github_pat_", r"\bgithub_pat_[a-z]{20,30}"),
            shape("line", "key", r"key\n"),
            shape("whole", "AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
        ],
        ..Rules::default()
    };
    Redactor::new(&rules).unwrap()
}

/// Wherever it begins, whatever it is made of, and with an escape before or within the letters that are looked for.
#[test]
fn what_stands_in_prose_is_found_at_each_place() {
    let redactor = of_prose();
    let secrets = [
        "correct horse battery".to_owned(),
        "dapi".to_owned() + &"abcd".repeat(8),
        "xox".to_owned() + &"a".repeat(20),
        "github_pat_".to_owned() + &"a".repeat(20),
        "\\u0067ithub_pat_".to_owned() + &"a".repeat(20),
        "g%69thub_pat_".to_owned() + &"a".repeat(20),
        "d\\u0061pi".to_owned() + &"abcd".repeat(8),
        "correct horse%20battery".to_owned(),
        "\\u0063orrect horse battery".to_owned(),
    ];
    for secret in &secrets {
        for before in 0..160 {
            for after in [0, 1, 5, 17, 90] {
                let around = |count: usize| "the rain will hold off a day ".repeat(6)[..count].to_owned();
                let text = format!(r#"{{"x":"{} {secret} {}"}}"#, around(before), around(after));
                assert_eq!(redactor.clean(text.as_bytes()).1, 1, "{text}");
                let text = format!("{} {secret}", around(before));
                assert_eq!(redactor.spans(text.as_bytes()).len(), 1, "{text}");
            }
        }
    }
}

#[test]
fn what_can_be_no_longer_is_not_held() {
    let redactor = of_prose();
    let letters = |count| "a".repeat(count);
    for (text, held) in [
        ("a key\n".to_owned(), 0),
        ("a key".to_owned(), 3),
        ("a correct horse battery".to_owned(), 0),
        (format!("a xox{}", letters(19)), 22),
        (format!("a xox{}", letters(20)), 0),
        (format!("a github_pat_{}", letters(19)), 30),
        (format!("a github_pat_{}", letters(29)), 40),
        (format!("a github_pat_{}", letters(30)), 0),
        // A letter behind it would make it none.
        ("a AKIA0123456789ABCDEF".to_owned(), 20),
        ("a AKIA0123456789ABCDEF ".to_owned(), 0),
    ] {
        assert_eq!(redactor.held(text.as_bytes()), held, "{text:?}");
    }
}

/// A shape's beginning is waited for from its third letter on, however many of them the search looks for.
#[test]
fn a_beginning_that_is_cut_is_held() {
    let redactor = of_prose();
    for len in 3.."github_pat_".len() {
        let text = format!("the rain will hold {}", &"github_pat_"[..len]);
        assert_eq!(redactor.held(text.as_bytes()), len, "{text}");
    }
}
