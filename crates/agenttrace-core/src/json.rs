//! Our strict JSON scanner (RFC 8259): tokens with their places, no tree, no recursion, no numbers made.
//!
//! It doesn't judge UTF-8 ([`validate`] and `compact` do), doubled keys or lone surrogates (`compact` does).

use memchr::memchr2;

use crate::event::MAX_DEPTH;
pub use crate::members::{Member, find, find_meant, members};

/// What is wrong with a text, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, a sentence without its end: " at byte N" follows.
    pub why: &'static str,
    /// Bytes from the text's start.
    pub offset: usize,
}

impl From<JsonError> for crate::error::Error {
    fn from(error: JsonError) -> Self {
        Self::Json { why: error.why, offset: error.offset }
    }
}

pub(crate) const NOT_UTF8: &str = "not valid UTF-8";
pub(crate) const TOO_DEEP: &str = "nested too deep";

/// A piece of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// `{`
    ObjectStart,
    /// `}`
    ObjectEnd,
    /// `[`
    ArrayStart,
    /// `]`
    ArrayEnd,
    /// A member's name, with its quotes.
    Key,
    /// A string, with its quotes.
    String,
    /// A number.
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

const _: () = assert!(MAX_DEPTH <= u128::BITS as usize, "a bit for each open container");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// The tokens of a text that holds one JSON value, one by one.
pub struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    start: usize,
    key_end: usize,
    /// For each open container, the innermost in the lowest bit, whether it is an object.
    open: u128,
    depth: usize,
    max_depth: usize,
    expect: Expect,
    /// Whether the text holds control characters anywhere: white space perhaps, but strings must be looked at.
    has_controls: bool,
}

impl<'a> Tokens<'a> {
    /// The tokens of `text`, at most `max_depth` containers deep, and no more than the format allows.
    #[must_use]
    pub fn new(text: &'a [u8], max_depth: usize) -> Self {
        // Once for all strings, and without an early return, so that it runs in vectors.
        let has_controls = text.iter().fold(false, |found, &byte| found | (byte < 0x20));
        let (max_depth, expect) = (max_depth.min(MAX_DEPTH), Expect::Value);
        Self { text, at: 0, start: 0, key_end: 0, open: 0, depth: 0, max_depth, expect, has_controls }
    }

    /// Where the last token starts.
    #[must_use]
    pub fn start(&self) -> usize {
        self.start
    }

    /// The name that the last token, a key, spells, without its quotes.
    #[must_use]
    pub fn key_bytes(&self) -> &'a [u8] {
        self.text.get(self.start + 1..self.key_end.wrapping_sub(1)).unwrap_or_default()
    }

    /// Where the last token ends; of a key, behind its colon.
    #[must_use]
    pub fn end(&self) -> usize {
        self.at
    }

    /// How many containers are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The bytes of the last token; a key comes with its colon.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.text.get(self.start..self.at).unwrap_or_default()
    }

    /// The next token; none where the value is complete and nothing but white space follows.
    ///
    /// # Errors
    /// Where the text breaks RFC 8259 or is nested too deep.
    #[allow(clippy::should_implement_trait, reason = "an iterator of results goes on after an error, this must not")]
    pub fn next(&mut self) -> Result<Option<Token>, JsonError> {
        self.skip_space();
        if self.expect == Expect::CommaOrEnd && self.peek() == Some(b',') {
            self.at += 1;
            self.skip_space();
            self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
        }
        self.start = self.at;
        let Some(byte) = self.peek() else {
            return if self.expect == Expect::Nothing { Ok(None) } else { Err(self.error("the text ends too early")) };
        };
        match self.expect {
            Expect::Nothing => Err(self.error("something follows the value")),
            Expect::CommaOrEnd => self.close(byte, "a comma or an end is missing"),
            Expect::KeyOrEnd if byte == b'}' => self.close(byte, ""),
            Expect::ValueOrEnd if byte == b']' => self.close(byte, ""),
            Expect::Key | Expect::KeyOrEnd => self.key(byte),
            Expect::Value | Expect::ValueOrEnd => self.value(byte),
        }
        .map(Some)
    }

    /// Reads one whole value and says what it is and where it lies.
    ///
    /// # Errors
    /// As [`Self::next`]; also where a container ends instead.
    pub fn skip_value(&mut self) -> Result<(Token, std::ops::Range<usize>), JsonError> {
        let depth = self.depth();
        let first = match self.next()? {
            Some(token) if token != Token::ObjectEnd && token != Token::ArrayEnd => token,
            _ => return Err(self.error("a value is missing")),
        };
        let start = self.start;
        while self.depth() > depth {
            self.next()?;
        }
        Ok((first, start..self.at))
    }

    fn error(&self, why: &'static str) -> JsonError {
        JsonError { why, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn in_object(&self) -> bool {
        self.open & 1 == 1
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn after_value(&mut self) {
        self.expect = if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn close(&mut self, byte: u8, why: &'static str) -> Result<Token, JsonError> {
        let token = match (self.in_object(), byte) {
            (true, b'}') => Token::ObjectEnd,
            (false, b']') => Token::ArrayEnd,
            _ => return Err(self.error(why)),
        };
        self.at += 1;
        self.open >>= 1;
        self.depth -= 1;
        self.after_value();
        Ok(token)
    }

    fn key(&mut self, byte: u8) -> Result<Token, JsonError> {
        if byte != b'"' {
            return Err(self.error("a member's name is missing"));
        }
        self.string()?;
        self.key_end = self.at;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.error("a colon is missing"));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key)
    }

    fn value(&mut self, byte: u8) -> Result<Token, JsonError> {
        let token = match byte {
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'"' => {
                self.string()?;
                Token::String
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                Token::Number
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return Err(self.error("a value is missing")),
        };
        self.after_value();
        Ok(token)
    }

    fn open(&mut self, is_object: bool) -> Result<Token, JsonError> {
        if self.depth >= self.max_depth {
            return Err(self.error(TOO_DEEP));
        }
        self.open = self.open << 1 | u128::from(is_object);
        self.depth += 1;
        self.at += 1;
        if is_object {
            self.expect = Expect::KeyOrEnd;
            Ok(Token::ObjectStart)
        } else {
            self.expect = Expect::ValueOrEnd;
            Ok(Token::ArrayStart)
        }
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<Token, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.error("a value is misspelled"));
        }
        self.at += word.len();
        Ok(Token::Literal)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let before = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == before { Err(self.error("a digit is missing")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let stop = string_stop(rest);
            if self.has_controls
                && let Some(control) = rest.get(..stop).unwrap_or_default().iter().position(|&byte| byte < 0x20)
            {
                self.at += control;
                return Err(self.error("a control character stands in a string"));
            }
            self.at += stop;
            match self.peek() {
                None => return Err(self.error("a string is not closed")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.escape()?,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let len = match self.text.get(self.at + 1..).unwrap_or_default() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return Err(self.error("an escape is misspelled")),
        };
        self.at += len;
        Ok(())
    }
}

/// Where the first quote or backslash stands, or the text's end. Most strings are short, and many long ones are full of
/// escapes: a look at the next bytes, a word at a time, costs less there than the call that is fastest for long ones.
#[inline]
fn string_stop(text: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const WORDS: usize = 4;
    // The top bit of each byte that is `byte`; perhaps of some behind the first such, by the borrow.
    let equal = |word: u64, byte: u8| {
        let differing = word ^ (EACH * u64::from(byte));
        differing.wrapping_sub(EACH) & !differing & (0x80 * EACH)
    };
    let mut at = 0;
    while at < 8 * WORDS
        && let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk)
    {
        let word = u64::from_le_bytes(*word);
        let stops = equal(word, b'"') | equal(word, b'\\');
        if stops != 0 {
            return at + stops.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()).map_or(text.len(), |stop| at + stop)
}

/// Whether `text` is one JSON value in UTF-8, at most `max_depth` deep.
///
/// # Errors
/// What breaks that first.
pub fn validate(text: &[u8], max_depth: usize) -> Result<(), JsonError> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(JsonError { why: NOT_UTF8, offset: error.valid_up_to() });
    }
    let mut tokens = Tokens::new(text, max_depth);
    while tokens.next()?.is_some() {}
    Ok(())
}

/// The elements of the array `text`, in order, each checked against RFC 8259 but for its UTF-8.
///
/// # Errors
/// Where `text` isn't JSON, isn't an array, or is nested deeper than the format allows.
pub fn elements(text: &[u8]) -> Result<Vec<&[u8]>, JsonError> {
    let mut tokens = Tokens::new(text, MAX_DEPTH);
    if tokens.next()? != Some(Token::ArrayStart) {
        return Err(JsonError { why: "not an array", offset: 0 });
    }
    let mut elements = Vec::new();
    while tokens.expect != Expect::Nothing {
        tokens.skip_space();
        if tokens.peek() == Some(b']') && tokens.expect != Expect::Value {
            tokens.next()?;
            break;
        }
        let (_, value) = tokens.skip_value()?;
        elements.push(text.get(value).unwrap_or_default());
    }
    tokens.next()?;
    Ok(elements)
}
