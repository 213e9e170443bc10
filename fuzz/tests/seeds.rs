//! Each target over the seeds and the vectors, and over changes of them for two seconds. `FUZZ_SECONDS=60` goes on for longer.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The same changes each time (xorshift64*), so that what fails here fails again.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Pieces that matter to one decoder or another.
const WORDS: [&[u8]; 22] = [
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"{",
    b"}",
    b"\"",
    b"\\u",
    b",\"crc32c\":\"",
    b"\"base\":{",
    b"\"same\":[\"tools\"]",
    b"\"prefix\":{\"messages\":1}",
    b"\"v\":2",
    b"\"seq\":3",
    b"trace_end",
    b"llm_request",
    b"\xff",
    b"1e400",
    b"\x28\xb5\x2f\xfd",
    b"\x50\x2a\x4d\x18",
    b"\xef\xbb\xbf",
    b"9007199254740993",
];

fn changed(chance: &mut Chance, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[chance.below(seeds.len())].clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(data.len() + 1);
        let to = at + chance.below((data.len() - at).min(60) + 1);
        match chance.below(6) {
            0 if at < data.len() => data[at] ^= 1 << chance.below(8),
            1 => drop(data.drain(at..to)),
            2 => drop(data.splice(at..at, WORDS[chance.below(WORDS.len())].iter().copied())),
            3 => drop(data.splice(at..to, WORDS[chance.below(WORDS.len())].iter().copied())),
            4 => {
                let other = &seeds[chance.below(seeds.len())];
                let from = chance.below(other.len() + 1);
                let more = other[from..(from + chance.below(300)).min(other.len())].to_vec();
                drop(data.splice(at..at, more));
            }
            _ => data.truncate(at),
        }
    }
    data
}

fn run(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    assert!(seeds.len() > 10, "the seeds are there");
    let seconds = std::env::var("FUZZ_SECONDS")
        .map_or(2, |given| given.parse().expect("a number of seconds"));
    seeds.iter().for_each(|seed| target(seed));
    let (mut chance, began, mut count) = (Chance(0x9e37_79b9_7f4a_7c15), Instant::now(), 0_u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let data = changed(&mut chance, seeds);
        if std::panic::catch_unwind(|| target(&data)).is_err() {
            panic!("case {count}: {:?}", String::from_utf8_lossy(&data));
        }
        count += 1;
    }
    println!("{count} cases");
}

fn seeds() -> Vec<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = [here.join("seeds"), here.join("../tests/fixtures/vectors")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("the folder is there"))
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).expect("it can be read"))
        .collect()
}

/// The seeds' lines, one by one.
fn lines() -> Vec<Vec<u8>> {
    seeds()
        .iter()
        .flat_map(|seed| seed.split_inclusive(|byte| *byte == b'\n'))
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn line() {
    run(agenttrace_fuzz::line, &lines());
}

#[test]
fn pieces() {
    let chosen = [[1, 1], [7, 4], [200, 12], [50, 2]];
    let with = |(index, seed): (usize, Vec<u8>)| [&chosen[index % 4][..], &seed].concat();
    run(
        agenttrace_fuzz::pieces,
        &seeds()
            .into_iter()
            .enumerate()
            .map(with)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn packed() {
    run(agenttrace_fuzz::packed, &seeds());
}

#[test]
fn expand() {
    run(agenttrace_fuzz::expand, &seeds());
}
