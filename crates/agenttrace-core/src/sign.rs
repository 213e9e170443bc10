//! Ed25519 signatures, with keys in the PEM that `openssl genpkey -algorithm ed25519` writes.

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::error::{Error, why};

/// Signs `message` with a private key (PKCS#8 in PEM); returns the public key's 32 bytes and the signature's 64.
///
/// # Errors
/// [`Error::Invalid`] for what is no such key.
pub fn sign(private_key: &str, message: &[u8]) -> Result<([u8; 32], [u8; 64]), Error> {
    let key = SigningKey::from_pkcs8_pem(private_key).map_err(|_| Error::Invalid { why: why::NO_PRIVATE_KEY })?;
    Ok((key.verifying_key().to_bytes(), key.sign(message).to_bytes()))
}

/// Whether `signature` is that of `message` by the owner of a public key (SPKI in PEM). Malleable signatures and weak keys
/// are refused.
///
/// # Errors
/// [`Error::Invalid`] for what is no such key.
pub fn is_signed(public_key: &str, message: &[u8], signature: &[u8]) -> Result<bool, Error> {
    let key = VerifyingKey::from_public_key_pem(public_key).map_err(|_| Error::Invalid { why: why::NO_PUBLIC_KEY })?;
    let Ok(signature) = Signature::from_slice(signature) else { return Ok(false) };
    Ok(key.verify_strict(message, &signature).is_ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    // The keys of the example in RFC 8410, section 10.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn what_was_signed_is_signed_and_nothing_else_is() {
        let (public, signature) = sign(PRIVATE, b"message").unwrap();
        assert_eq!(public[..4], [0x19, 0xbf, 0x44, 0x09]);
        assert!(is_signed(PUBLIC, b"message", &signature).unwrap());
        assert!(!is_signed(PUBLIC, b"another", &signature).unwrap());
        for bit in 0..signature.len() * 8 {
            let mut forged = signature;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_signed(PUBLIC, b"message", &forged).unwrap());
        }
        assert!(!is_signed(PUBLIC, b"message", &signature[..63]).unwrap());
    }

    #[test]
    fn keys_of_another_kind_are_refused() {
        assert!(matches!(sign(PUBLIC, b""), Err(Error::Invalid { .. })));
        assert!(matches!(sign("", b""), Err(Error::Invalid { .. })));
        assert!(matches!(is_signed(PRIVATE, b"", &[0; 64]), Err(Error::Invalid { .. })));
    }
}
