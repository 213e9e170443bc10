//! How each line of one trace begins: its version, trace, time and number.

use crate::event::{NS_PER_S, TS_LEN, TraceId, format_ts, put_digits};

const VERSION_AND_TRACE: &[u8] = b"{\"v\":1,\"trace_id\":\"";
const TS: &[u8] = b"\",\"ts\":\"";
const SEQ: &[u8] = b"\",\"seq\":";
const TS_AT: usize = VERSION_AND_TRACE.len() + 32 + TS.len();
const FRACTION_AT: usize = TS_AT + 20;
const LEN: usize = TS_AT + TS_LEN + SEQ.len();

/// The beginning of the last line, whose second the next one most often shares: then nine digits are new.
pub(crate) struct Head {
    text: [u8; LEN],
    second: u64,
}

impl Head {
    pub(crate) fn new(trace_id: &TraceId) -> Self {
        let mut new = Self { text: [0; LEN], second: 0 };
        new.put(0, VERSION_AND_TRACE);
        new.put(VERSION_AND_TRACE.len(), trace_id.as_bytes());
        new.put(TS_AT - TS.len(), TS);
        new.put(TS_AT, &format_ts(0));
        new.put(TS_AT + TS_LEN, SEQ);
        new
    }

    /// Puts it behind `line`. ts_ns: nanoseconds since 1970 UTC.
    pub(crate) fn push(&mut self, line: &mut Vec<u8>, ts_ns: i128, seq: u64) {
        match u64::try_from(ts_ns) {
            Ok(ts_ns) if ts_ns / NS_PER_S == self.second => {
                put_digits(&mut self.text, FRACTION_AT, 9, ts_ns % NS_PER_S);
            }
            within => {
                self.second = within.map_or(u64::MAX, |ts_ns| ts_ns / NS_PER_S);
                self.put(TS_AT, &format_ts(ts_ns));
            }
        }
        line.extend_from_slice(&self.text);
        push_number(line, seq);
    }

    fn put(&mut self, at: usize, part: &[u8]) {
        let end = at + part.len();
        self.text.get_mut(at..end).into_iter().for_each(|place| place.copy_from_slice(part));
    }
}

fn push_number(line: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut rest = number;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    line.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever came before: seconds that stay, go on and go back, and times that no 64 bits hold.
    #[test]
    fn a_head_spells_its_time_as_format_ts_does() {
        let trace_id = TraceId::new(b"0123456789abcdef0123456789abcdef").unwrap_or_else(|| unreachable!());
        let mut head = Head::new(&trace_id);
        let end = i128::from(u64::MAX);
        let times = [0, 1, 999_999_999, 1_000_000_000, 5, end, end + 1, end, i128::MAX, -1, i128::MIN, 7];
        for (seq, ts_ns) in (0..).zip(times.into_iter().flat_map(|ts_ns| [ts_ns, ts_ns])) {
            let mut line = Vec::new();
            head.push(&mut line, ts_ns, seq);
            let ts = String::from_utf8_lossy(&format_ts(ts_ns)).into_owned();
            let expected = format!("{{\"v\":1,\"trace_id\":\"{}\",\"ts\":\"{ts}\",\"seq\":{seq}", trace_id.as_str());
            assert_eq!(String::from_utf8_lossy(&line), expected);
        }
    }
}
