//! The one place that knows CRC-32C (Castagnoli, RFC 3720): seals and the chain over them.

use crc_fast::{CrcAlgorithm, Digest};

/// CRC-32C of `bytes`. The check value of `123456789` is `e3069283`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32C of what gave `value`, followed by `bytes`.
#[must_use]
pub fn extend(value: u32, bytes: &[u8]) -> u32 {
    // The state between pieces is the checksum before its last inversion.
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!value));
    digest.update(bytes);
    digest.finalize() as u32
}

/// A checksum as a seal spells it: 8 lower-case hex digits.
#[must_use]
pub fn to_hex(value: u32) -> [u8; 8] {
    let mut hex = [0; 8];
    for (place, digit) in hex.iter_mut().enumerate() {
        let nibble = (value >> (28 - 4 * place)) as u8 & 0xf;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
    hex
}

/// The checksum that 8 lower-case hex digits spell; none for anything else.
#[must_use]
pub fn from_hex(hex: &[u8]) -> Option<u32> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // All eight at once: a byte of `values` is what one digit stands for. Of ASCII, only letters have bit 6.
    let hex = u64::from_be_bytes(hex.try_into().ok()?);
    let values = (hex & (0x0f * EACH)) + ((hex >> 6) & EACH) * 9;
    let letters = ((values + 0x76 * EACH) >> 7) & EACH;
    // What isn't a digit isn't spelled like the value that it gave.
    if values & (0xf0 * EACH) != 0 || values + u64::from(b'0') * EACH + letters * 39 != hex {
        return None;
    }
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some((fours | (fours >> 16)) as u32)
}

/// The lines of a trace so far: how many, and CRC-32C over the four big-endian bytes of each one's checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    value: u32,
    events: u64,
}

impl Chain {
    /// Counts a line by the checksum of its bytes.
    pub fn push(&mut self, crc: u32) {
        self.value = extend(self.value, &crc.to_be_bytes());
        self.events += 1;
    }

    /// Counts lines by their checksums: four bytes for each, big endian.
    pub(crate) fn push_all(&mut self, crcs: &[u8]) {
        self.value = extend(self.value, crcs);
        self.events += crcs.len() as u64 / 4;
    }

    /// The checksum over the checksums; 0 before the first.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.value
    }

    /// How many lines were counted.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::{from_hex, to_hex};

    /// Each byte at each place: a digit or refused.
    #[test]
    fn only_lower_case_digits_are_hex() {
        for place in 0..8 {
            for byte in 0..=255_u8 {
                let mut hex = *b"0a9f8b7c";
                if let Some(digit) = hex.get_mut(place) {
                    *digit = byte;
                }
                let spelled = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                assert_eq!(from_hex(&hex).map(to_hex), spelled.then_some(hex), "{byte} at {place}");
            }
        }
        assert_eq!(from_hex(b"0a9f8b7c"), Some(0x0a9f_8b7c));
        assert_eq!(from_hex(b"0a9f8b7"), None);
    }
}
