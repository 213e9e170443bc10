//! A conversation is stored once: an `llm_request` shortened to what is new, and expanded again. Messages are shared in memory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use crate::base::{Base, Known, Window};
use crate::json::{self, JsonError, Token};

/// A member, or the equal elements of an array, shorter than this is never left out.
pub(crate) const MIN_LEFT_OUT: usize = 256;

/// The members of an expanded request, by name and bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    members: Vec<Part>,
    /// Where each name stands among the members.
    places: HashMap<Arc<[u8]>, usize>,
    /// Length of the full request at the start of this one's chain of bases.
    full_bytes: usize,
    /// What was written of requests since then.
    since_full_bytes: usize,
}

#[derive(Clone, Debug)]
struct Part {
    name: Arc<[u8]>,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Plain { bytes: Arc<[u8]>, hash: u64 },
    Array(Vec<Element>),
}

#[derive(Clone, Debug)]
struct Element {
    bytes: Arc<[u8]>,
    /// Hash of this element and all before it: equal where all are.
    hash: u64,
    /// Length of the array's text up to here, commas included, brackets not.
    end: usize,
}

fn hash_on(before: u64, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(before);
    hasher.write(bytes);
    hasher.finish()
}

fn push_element(elements: &mut Vec<Element>, bytes: Arc<[u8]>) {
    let (hash, end) = elements.last().map_or((0, 0), |last| (last.hash, last.end + 1));
    elements.push(Element { hash: hash_on(hash, &bytes), end: end + bytes.len(), bytes });
}

impl Value {
    fn of(value: &[u8], token: Token) -> Result<Self, JsonError> {
        if token != Token::ArrayStart {
            return Ok(Self::Plain { bytes: value.into(), hash: hash_on(0, value) });
        }
        let mut elements = Vec::new();
        for element in json::elements(value)? {
            push_element(&mut elements, element.into());
        }
        Ok(Self::Array(elements))
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain { bytes, .. } => out.extend_from_slice(bytes),
            Self::Array(elements) => write_array(elements, out),
        }
    }

    /// Length of the value's text.
    fn len(&self) -> usize {
        match self {
            Self::Plain { bytes, .. } => bytes.len(),
            Self::Array(elements) => elements.last().map_or(0, |last| last.end) + 2,
        }
    }

    /// By their hashes; [`Self::equals`] is sure.
    fn seems_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain { bytes, hash }, Self::Plain { bytes: others, hash: other }) => {
                hash == other && bytes.len() == others.len()
            }
            (Self::Array(ours), Self::Array(others)) => {
                ours.len() == others.len() && ours.last().map(|last| last.hash) == others.last().map(|last| last.hash)
            }
            _ => false,
        }
    }

    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Plain { bytes, .. }, Self::Plain { bytes: others, .. }) => bytes == others,
            (Self::Array(ours), Self::Array(others)) => {
                ours.len() == others.len() && equal_elements(ours, others) == ours.len()
            }
            _ => false,
        }
    }

    /// Takes over the memory of what is equal in the same member of an earlier request.
    fn share(&mut self, earlier: &Self) {
        match (self, earlier) {
            (Self::Plain { bytes, .. }, Self::Plain { bytes: others, .. }) if bytes == others => {
                *bytes = others.clone()
            }
            (Self::Array(ours), Self::Array(others)) => {
                for (our, other) in ours.iter_mut().zip(others).take_while(|(our, other)| our.bytes == other.bytes) {
                    our.bytes = other.bytes.clone();
                }
            }
            _ => {}
        }
    }
}

fn write_array(elements: &[Element], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&element.bytes);
    }
    out.push(b']');
}

/// How many elements at the beginning of both are equal, by their bytes.
fn equal_elements(ours: &[Element], others: &[Element]) -> usize {
    let pairs = ours.iter().zip(others);
    pairs.take_while(|(our, other)| Arc::ptr_eq(&our.bytes, &other.bytes) || our.bytes == other.bytes).count()
}

/// The same by their hashes. Those of longer beginnings differ where those of shorter ones do: the place is found by halving.
fn seemingly_equal_elements(ours: &[Element], others: &[Element]) -> usize {
    let (mut low, mut high) = (0, ours.len().min(others.len()));
    while low < high {
        let middle = (low + high) / 2;
        if ours.get(middle).map(|our| our.hash) == others.get(middle).map(|other| other.hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// What is done with one member of a request on some base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Written,
    Same,
    Prefix(usize),
}

/// What a request can leave out on some base: a cut for each member.
struct Shared {
    cuts: Vec<Cut>,
    /// Bytes that needn't be written.
    saved_bytes: usize,
}

/// What can be left out of a member on the same one of a base, by the hashes, and how many bytes that saves.
fn cut(ours: &Value, theirs: &Value) -> (Cut, usize) {
    if ours.seems_equal(theirs) {
        return (Cut::Same, ours.len());
    }
    let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) else { return (Cut::Written, 0) };
    let count = seemingly_equal_elements(ours, theirs);
    let bytes = count.checked_sub(1).and_then(|last| ours.get(last)).map_or(0, |last| last.end);
    (Cut::Prefix(count), bytes)
}

/// An `llm_request`'s `request`, shortened.
pub(crate) struct Shortened {
    /// The value of `request`.
    pub(crate) request: Vec<u8>,
    /// The value of `base`.
    pub(crate) base: Vec<u8>,
}

impl Request {
    /// The request that the object `text` is, in full.
    pub(crate) fn of(text: &[u8]) -> Result<Self, JsonError> {
        let mut request = Self { full_bytes: text.len(), ..Self::default() };
        let mut parts: Vec<Option<Part>> = Vec::new();
        let mut places = HashMap::new();
        for member in json::members(text)? {
            let name: Arc<[u8]> = member.name.into();
            // Of doubled members the last one holds; there are none in what we write.
            let doubled = places.insert(name.clone(), parts.len());
            if let Some(earlier) = doubled.and_then(|earlier| parts.get_mut(earlier)) {
                *earlier = None;
            }
            let value = Value::of(member.value, member.token)?;
            parts.push(Some(Part { name, value }));
        }
        parts.into_iter().flatten().for_each(|part| request.push(part));
        Ok(request)
    }

    fn push(&mut self, part: Part) {
        self.places.insert(part.name.clone(), self.members.len());
        self.members.push(part);
    }

    fn get(&self, name: &[u8]) -> Option<&Value> {
        self.places.get(name).and_then(|&place| self.members.get(place)).map(|part| &part.value)
    }

    /// Takes over the memory of what an earlier request holds too.
    pub(crate) fn share(&mut self, earlier: &Self) {
        for part in &mut self.members {
            if let Some(value) = earlier.get(&part.name) {
                part.value.share(value);
            }
        }
    }

    fn shared_with(&self, base: &Self) -> Shared {
        let mut saved_bytes = 0;
        let cut_member = |part: &Part| match base.get(&part.name).map(|theirs| cut(&part.value, theirs)) {
            Some((cut, saved)) if saved >= MIN_LEFT_OUT => {
                saved_bytes += saved;
                cut
            }
            _ => Cut::Written,
        };
        let cuts = self.members.iter().map(cut_member).collect();
        Shared { cuts, saved_bytes }
    }

    fn cut_members<'a>(&'a self, shared: &'a Shared) -> impl Iterator<Item = (&'a Part, Cut)> {
        self.members.iter().zip(shared.cuts.iter().copied())
    }

    /// Whether what the hashes promise is so.
    fn holds(&self, shared: &Shared, base: &Self) -> bool {
        self.cut_members(shared).all(|(part, cut)| match (cut, &part.value, base.get(&part.name)) {
            (Cut::Written, ..) => true,
            (Cut::Same, ours, Some(theirs)) => ours.equals(theirs),
            (Cut::Prefix(count), Value::Array(ours), Some(Value::Array(theirs))) => {
                equal_elements(ours, theirs) >= count
            }
            _ => false,
        })
    }

    fn write_cut(&self, cuts: impl Iterator<Item = Cut>, out: &mut Vec<u8>) {
        out.push(b'{');
        for (Part { name, value }, cut) in self.members.iter().zip(cuts) {
            if cut == Cut::Same {
                continue;
            }
            push_name(out, name);
            match (value, cut) {
                (Value::Array(elements), Cut::Prefix(count)) => {
                    write_array(elements.get(count..).unwrap_or_default(), out);
                }
                _ => value.write(out),
            }
        }
        out.push(b'}');
    }

    /// Shortens this request, given in full, on the best of the earlier ones; none where it is written in full.
    pub(crate) fn shorten(&mut self, window: &Window<Self>) -> Option<Shortened> {
        let mut best: Option<(&Known<Self>, &Self, Shared)> = None;
        for known in window.nearest_first() {
            let Some(base) = &known.request else { continue };
            let shared = self.shared_with(base);
            if shared.saved_bytes > best.as_ref().map_or(0, |(_, _, best)| best.saved_bytes) {
                best = Some((known, base, shared));
            }
        }
        let (known, base, shared) = best?;
        if !self.holds(&shared, base) {
            return None;
        }
        let mut request = Vec::new();
        self.write_cut(shared.cuts.iter().copied(), &mut request);
        let since_full_bytes = base.since_full_bytes + request.len();
        if since_full_bytes > base.full_bytes {
            return None;
        }
        let shortened = Shortened { request, base: self.spell_base(known, &shared) };
        (self.full_bytes, self.since_full_bytes) = (base.full_bytes, since_full_bytes);
        Some(shortened)
    }

    /// Makes of the request as written, ours, the expanded one; says whether `said` can be applied to `base`.
    pub(crate) fn expand(&mut self, said: &Base<'_>, base: &Self) -> bool {
        for (name, count) in &said.prefix {
            let Some(Value::Array(theirs)) = base.get(name) else { return false };
            let Some(shared) = usize::try_from(*count).ok().and_then(|count| theirs.get(..count)) else { return false };
            let ours = self.places.get(*name).and_then(|&place| self.members.get_mut(place));
            let Some(Part { value: Value::Array(ours), .. }) = ours else { return false };
            let mut elements = shared.to_vec();
            for own in ours.drain(..) {
                push_element(&mut elements, own.bytes);
            }
            *ours = elements;
        }
        for name in &said.same {
            let part = base.places.get(*name).and_then(|&place| base.members.get(place));
            let Some(part) = part.filter(|_| self.get(name).is_none()) else { return false };
            self.push(part.clone());
        }
        true
    }

    /// Length of the request's text.
    pub(crate) fn len(&self) -> usize {
        let members = self.members.iter().map(|part| part.name.len() + part.value.len() + 4);
        members.sum::<usize>().saturating_sub(1) + 2
    }

    /// The request as JSON, whole.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_cut(std::iter::repeat(Cut::Written), out);
    }

    fn spell_base(&self, known: &Known<Self>, shared: &Shared) -> Vec<u8> {
        let (mut same, mut prefix) = (Vec::new(), Vec::new());
        for (Part { name, .. }, cut) in self.cut_members(shared) {
            match cut {
                Cut::Written => {}
                Cut::Same => {
                    same.extend_from_slice(if same.is_empty() { b"\"" } else { b",\"" });
                    same.extend_from_slice(name);
                    same.push(b'"');
                }
                Cut::Prefix(count) => {
                    prefix.extend_from_slice(if prefix.is_empty() { b"\"" } else { b",\"" });
                    prefix.extend_from_slice(name);
                    prefix.extend_from_slice(format!("\":{count}").as_bytes());
                }
            }
        }
        let mut out = format!("{{\"seq\":{},\"crc32c\":\"{:08x}\"", known.seq, known.crc).into_bytes();
        for (opening, names, closing) in [(",\"same\":[", same, b']'), (",\"prefix\":{", prefix, b'}')] {
            if !names.is_empty() {
                out.extend_from_slice(opening.as_bytes());
                out.extend_from_slice(&names);
                out.push(closing);
            }
        }
        out.push(b'}');
        out
    }
}

/// A comma if one is needed, a name in quotes, a colon.
fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    if !out.ends_with(b"{") {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name);
    out.extend_from_slice(b"\":");
}
