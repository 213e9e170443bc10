//! One search of a text for secrets.

use crate::finder::{Base64Cleaner, Finder, Found, Kind};
use crate::names::Name;
use crate::plain::{Plain, Window, part};
use crate::quotes::closing_quote;
use crate::redact::{PLACEHOLDER, Span};
use crate::rule::{Expression, Fate, Marks, Raw};

/// An escape that spells a letter, but for its backslashes.
const SPELLED_BYTES: usize = 6;
const BASE64: &[u8] = b"{\"base64\":\"";

const OF_VALUES: usize = 0;
const OF_SHAPES: usize = 1;
const OF_NAMES: usize = 2;

pub(crate) struct Search<'f, 'a, 'c> {
    finder: &'f Finder,
    raw: &'a [u8],
    base64: Option<Base64Cleaner<'c, 'f>>,
    window: Option<Window<'a>>,
    raw_marks: Marks,
    marks: Marks,
    found: Found<'f>,
    /// Before which places values, shapes, and values behind names have been found.
    froms: [usize; 3],
}

impl<'f, 'a, 'c> Search<'f, 'a, 'c> {
    pub(crate) fn new(finder: &'f Finder, raw: &'a [u8], base64: Option<Base64Cleaner<'c, 'f>>) -> Self {
        Self {
            finder,
            raw,
            base64,
            window: None,
            raw_marks: Marks::default(),
            marks: Marks::default(),
            found: Found { spans: Vec::new(), open: None },
            froms: [0; 3],
        }
    }

    pub(crate) fn all(mut self) -> Found<'f> {
        self.odd_values();
        let mut next = 0;
        while let Some(at) = self.finder.needles.next(self.raw, next) {
            next = at + 2;
            if let Some(before) = at.checked_sub(1) {
                self.at(before);
            }
            if matches!(self.raw.get(at), Some(b'\\' | b'%' | b'u')) {
                self.spelled(at);
            }
            self.at(at);
            if self.raw.get(at + 1) == Some(&b'%') {
                self.spelled(at + 1);
            }
            if let Some(end) = self.base64.and_then(|cleaner| self.skipped(at, cleaner)) {
                next = end;
            }
        }
        self.found
    }

    #[inline]
    fn at(&mut self, place: usize) {
        if self.finder.needles.may_be_at(self.raw, place) {
            self.found_at(place);
        }
    }

    #[inline(never)]
    fn found_at(&mut self, place: usize) {
        for number in self.finder.needles.at(self.raw, place) {
            match self.finder.kinds.get(number) {
                Some(Kind::Shape(shape, offset)) if place >= *offset => self.shape(*shape, place - offset, place),
                Some(Kind::Slashes(shape, offset)) => {
                    let mut window = self.window_at(place);
                    let start = window.plain_place(place).checked_sub(*offset);
                    start.into_iter().for_each(|start| self.plain_shape(&mut window, *shape, start));
                    self.window = Some(window);
                }
                Some(Kind::Value(value, offset)) => self.value(*value, *offset, place),
                Some(Kind::Name) => self.name(place + 3),
                _ => {}
            }
        }
    }

    /// The end of a `{"base64":"…"}` that begins here or a byte before, when it could be read.
    fn skipped(&mut self, at: usize, cleaner: Base64Cleaner<'c, 'f>) -> Option<usize> {
        if !part(self.raw, at.saturating_sub(1)..=at).contains(&b'{') {
            return None;
        }
        let mut places = [at.checked_sub(1), Some(at)].into_iter().flatten();
        let open = places.find(|open| part(self.raw, *open..).starts_with(BASE64))?;
        let start = open + BASE64.len();
        let end = start + memchr::memchr(b'"', part(self.raw, start..))?;
        if self.raw.get(end + 1) != Some(&b'}') {
            return None;
        }
        self.found.spans.extend(cleaner(part(self.raw, start..end))?.map(|span| span.at(start, end)));
        self.froms = self.froms.map(|from| from.max(end));
        Some(end)
    }

    /// An escape here that spells a letter: what it is part of stands only in the text without escapes.
    fn spelled(&mut self, place: usize) {
        let finder = self.finder;
        let letter = |high: u8, low: u8| finder.is_letter(hex(high)? * 16 + hex(low)?).then_some(());
        let counts = match part(self.raw, place..) {
            [b'%', high, low, ..] => letter(*high, *low).is_some(),
            [b'\\', b'u', b'0', b'0', high, low, ..] => letter(*high, *low).is_some(),
            [b'\\', b'u', ..] => finder.is_foreign,
            // Its second byte is the one that was looked at.
            [b'u', ..] if place > 0 && self.raw.get(place - 1) == Some(&b'\\') => return self.spelled(place - 1),
            _ => false,
        };
        if !counts {
            return;
        }
        let mut window = self.window_at(place);
        let first = window.plain_place(place);
        for at in first.saturating_sub(3)..first + 4 {
            let _ = window.byte(at + SPELLED_BYTES);
            for number in finder.needles.at(window.bytes(), at) {
                match finder.kinds.get(number) {
                    Some(Kind::Shape(shape, offset)) if at >= *offset => {
                        self.plain_shape(&mut window, *shape, at - offset);
                    }
                    Some(Kind::Value(value, offset)) if at >= *offset => {
                        self.plain_value(&mut window, *value, at - offset);
                    }
                    Some(Kind::Name) => self.plain_name(&mut window, at + 3),
                    _ => {}
                }
            }
        }
        self.window = Some(window);
    }

    /// The text without escapes around this place.
    fn window_at(&mut self, place: usize) -> Window<'a> {
        if let Some(window) = self.window.take_if(|window| window.is_near(place)) {
            return window;
        }
        self.marks = Marks::default();
        Window::around(self.raw, place)
    }

    /// letters: where its letters stand; start: where it begins if no escape is before them.
    fn shape(&mut self, number: usize, start: usize, letters: usize) {
        let Some((name, rule)) = self.finder.shapes.get(number) else { return };
        if start < at_most(&self.froms, OF_SHAPES) {
            return;
        }
        if let Some(before) = ahead(self.raw, start)
            && memchr::memchr2(b'\\', b'%', part(self.raw, start..letters)).is_none()
        {
            let (fate, is_open) = rule.run(&mut Raw(self.raw), start, before, number, &mut self.raw_marks);
            if fate != Fate::Escape {
                self.ran(OF_SHAPES, (name, rule), start, start, fate, is_open);
                return;
            }
        }
        let mut window = self.window_at(letters);
        let start = window.plain_place(letters).checked_sub(letters - start);
        start.into_iter().for_each(|start| self.plain_shape(&mut window, number, start));
        self.window = Some(window);
    }

    fn plain_shape(&mut self, window: &mut Window<'a>, number: usize, start: usize) {
        let Some((name, rule)) = self.finder.shapes.get(number) else { return };
        if window.raw_place(start, false) < at_most(&self.froms, OF_SHAPES) {
            return;
        }
        let before = start.checked_sub(1).and_then(|before| window.byte(before));
        let (fate, is_open) = rule.run(window, start, before, number, &mut self.marks);
        self.plainly_ran(window, OF_SHAPES, (name, rule), start, start, fate, is_open);
    }

    /// The name that ends here.
    fn name(&mut self, end: usize) {
        let mut name = Name::before(self.raw, end);
        let ahead = name.start.checked_sub(1).and_then(|before| self.raw.get(before));
        let first = self.raw.get(name.start);
        let is_escaped = match (ahead, first) {
            (Some(b'%'), _) | (Some(b'\\'), Some(b'u')) => true,
            (Some(b'\\'), Some(b'n' | b'r' | b't' | b'b' | b'f')) => {
                name = Name::of(self.raw, name.start + 1, end);
                false
            }
            _ => false,
        };
        let finder = self.finder;
        if !is_escaped {
            for number in finder.names.rules(self.raw, &name) {
                let Some((named, rule)) = finder.named.get(number) else { continue };
                if name.start < at_most(&self.froms, OF_NAMES) || !name.follows(self.raw, &named.before) {
                    continue;
                }
                let number = finder.shapes.len() + number;
                let before = end.checked_sub(1).and_then(|before| self.raw.get(before).copied());
                let (fate, is_open) = rule.run(&mut Raw(self.raw), end, before, number, &mut self.raw_marks);
                if fate == Fate::Escape {
                    return self.name_in_window(end);
                }
                let start = name.start.saturating_sub(1);
                if self.ran(OF_NAMES, (&named.name, rule), start, end, fate, is_open) {
                    return;
                }
            }
            return;
        }
        self.name_in_window(end);
    }

    fn name_in_window(&mut self, end: usize) {
        let mut window = self.window_at(end - 1);
        let end = window.plain_place(end - 1) + 1;
        self.plain_name(&mut window, end);
        self.window = Some(window);
    }

    fn plain_name(&mut self, window: &mut Window<'a>, end: usize) {
        let finder = self.finder;
        let name = Name::before(window.bytes(), end);
        for number in finder.names.rules(window.bytes(), &name) {
            let Some((named, rule)) = finder.named.get(number) else { continue };
            let is_behind = window.raw_place(name.start, false) >= at_most(&self.froms, OF_NAMES);
            if !is_behind || !name.follows(window.bytes(), &named.before) {
                continue;
            }
            let before = end.checked_sub(1).and_then(|before| window.byte(before));
            let (fate, is_open) = rule.run(window, end, before, finder.shapes.len() + number, &mut self.marks);
            let start = name.start.saturating_sub(1);
            if self.plainly_ran(window, OF_NAMES, (&named.name, rule), start, end, fate, is_open) {
                return;
            }
        }
    }

    /// What a run over the text as it is came to; whether it found a secret.
    fn ran(
        &mut self,
        group: usize,
        (name, rule): (&'f String, &Expression),
        start: usize,
        from: usize,
        fate: Fate,
        is_open: bool,
    ) -> bool {
        if is_open {
            self.opened(start);
        }
        let Fate::Match(end) = fate else { return false };
        let (start, end) = rule.secret(self.raw, from, end);
        if start == end || part(self.raw, start..).starts_with(PLACEHOLDER) {
            return false;
        }
        self.push(group, Span::new(start, end, name, group), rule)
    }

    #[expect(clippy::too_many_arguments, reason = "as `ran`, and the window")]
    fn plainly_ran(
        &mut self,
        window: &Window<'a>,
        group: usize,
        (name, rule): (&'f String, &Expression),
        start: usize,
        from: usize,
        fate: Fate,
        is_open: bool,
    ) -> bool {
        if is_open {
            self.opened(window.raw_place(start, false));
        }
        let Fate::Match(end) = fate else { return false };
        let (start, end) = rule.secret(window.bytes(), from, end);
        if start == end || part(window.bytes(), start..).starts_with(PLACEHOLDER) {
            return false;
        }
        let (start, end) = (window.raw_place(start, false), window.raw_place(end, true));
        self.push(group, Span::new(start, end, name, group), rule)
    }

    fn push(&mut self, group: usize, mut span: Span<'f>, rule: &Expression) -> bool {
        let quote = span.start.checked_sub(1).filter(|quote| rule.has_group() && self.raw.get(*quote) == Some(&b'"'));
        if let Some(quote) = quote {
            span.end = closing_quote(self.raw, quote, span.end);
        }
        if let Some(from) = self.froms.get_mut(group) {
            *from = span.end;
        }
        self.found.spans.push(span);
        true
    }

    fn opened(&mut self, start: usize) {
        self.found.open = Some(self.found.open.map_or(start, |open| open.min(start)));
    }

    /// letters: where those stand that begin `offset` bytes behind the value's start.
    fn value(&mut self, number: usize, offset: usize, letters: usize) {
        let Some((name, value)) = self.finder.values.get(number) else { return };
        if let Some(start) = letters.checked_sub(offset)
            && start >= at_most(&self.froms, OF_VALUES)
            && part(self.raw, start..).starts_with(value)
            && ahead(self.raw, start).is_some()
            && memchr::memchr2(b'\\', b'%', value).is_none()
        {
            self.found_value(Span::new(start, start + value.len(), name, OF_VALUES));
            return;
        }
        let near = letters.saturating_sub((offset + 1) * SPELLED_BYTES)
            ..self.raw.len().min(letters + value.len() * SPELLED_BYTES);
        if memchr::memchr2(b'\\', b'%', part(self.raw, near)).is_some() {
            let mut window = self.window_at(letters);
            let start = window.plain_place(letters).checked_sub(offset);
            start.into_iter().for_each(|start| self.plain_value(&mut window, number, start));
            self.window = Some(window);
        }
    }

    fn plain_value(&mut self, window: &mut Window<'a>, number: usize, start: usize) {
        let Some((name, value)) = self.finder.values.get(number) else { return };
        let _ = window.byte(start + value.len());
        if part(window.bytes(), start..).starts_with(value) {
            let (start, end) = (window.raw_place(start, false), window.raw_place(start + value.len(), true));
            if start >= at_most(&self.froms, OF_VALUES) {
                self.found_value(Span::new(start, end, name, OF_VALUES));
            }
        }
    }

    /// Another value may begin within it and go on behind it; the same one at another of its letters does not.
    fn found_value(&mut self, span: Span<'f>) {
        if self.found.spans.last() != Some(&span) {
            self.found.spans.push(span);
        }
    }

    /// Values of which no four letters stand as they are in every spelling: the whole text has to be undone.
    fn odd_values(&mut self) {
        if self.finder.odd.is_empty() {
            return;
        }
        let plain = Plain::of_any_depth(self.raw);
        for (name, value) in self.finder.odd.iter().filter_map(|number| self.finder.values.get(*number)) {
            for start in memchr::memmem::find_iter(&plain.bytes, value) {
                let (start, end) = (plain.raw_place(start, false), plain.raw_place(start + value.len(), true));
                self.found.spans.push(Span::new(start, end, name, OF_VALUES));
            }
        }
    }
}

/// The byte before this place as it looks without escapes, if that can be told from the few bytes before it.
fn ahead(raw: &[u8], place: usize) -> Option<Option<u8>> {
    let near = part(raw, place.saturating_sub(SPELLED_BYTES)..place);
    let Some(escape) = memchr::memrchr2(b'\\', b'%', near) else { return Some(near.last().copied()) };
    match part(near, escape..) {
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f'] => Some(Some(b'\n')),
        [b'\\', b'u', ..] | [b'\\'] => None,
        [b'\\', ..] => Some(near.last().copied()),
        rest if rest.len() > 3 => Some(near.last().copied()),
        _ => None,
    }
}

fn at_most(froms: &[usize; 3], group: usize) -> usize {
    froms.get(group).copied().unwrap_or_default()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
