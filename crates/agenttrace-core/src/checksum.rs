//! The one place that knows CRC-32C (Castagnoli, RFC 3720): seals and the chain over them.

/// CRC-32C of `bytes`. The check value of `123456789` is `e3069283`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// CRC-32C of what gave `value`, followed by `bytes`.
#[must_use]
pub fn extend(value: u32, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(value, bytes)
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
    let hex: &[u8; 8] = hex.try_into().ok()?;
    let mut value = 0;
    for &digit in hex {
        let nibble = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u32::from(nibble);
    }
    Some(value)
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
