//! Sessions are kept sealed: whoever reads the store alone cannot use them, and a rotated secret makes them unreadable.
//!
//! AES-256-GCM under a key derived (HKDF-SHA256) from the client secret; what cannot be opened counts as absent.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::rand;
use events::AppName;
use secrecy::{ExposeSecret, SecretString};

/// Seals and opens what belongs to one secret of one app.
pub(crate) struct Sealer {
    key: LessSafeKey,
    fingerprint: String,
}

/// Cryptography failed although it had all it needs: random numbers, or room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session cannot be sealed: the system's cryptography failed")]
pub(crate) struct SealError;

/// An HKDF output of so many bytes.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl Sealer {
    /// For this secret of this client.
    pub(crate) fn new(app: &AppName, client_id: &str, secret: &SecretString) -> Result<Self, SealError> {
        let prk = Salt::new(HKDF_SHA256, b"finlinkd.session.v1").extract(secret.expose_secret().as_bytes());
        let mut key = [0; 32];
        expand(&prk, &[b"key", app.as_str().as_bytes(), client_id.as_bytes()], &mut key)?;
        let mut print = [0; 16];
        expand(&prk, &[b"fingerprint", app.as_str().as_bytes(), client_id.as_bytes()], &mut print)?;
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError)?;
        let fingerprint = format!("{:032x}", u128::from_be_bytes(print));
        Ok(Self { key: LessSafeKey::new(key), fingerprint })
    }

    /// Names the secret without telling it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Seals a session's token: a random nonce, then ciphertext and tag.
    pub(crate) fn seal(&self, token: &SecretString) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealError)?;
        let mut sealed = token.expose_secret().as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), self.context(), &mut sealed)
            .map_err(|_| SealError)?;
        sealed.splice(..0, nonce);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] made; `None` for everything else.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<SecretString> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut room = sealed.to_vec();
        let token = self.key.open_in_place(nonce, self.context(), &mut room).ok()?;
        std::str::from_utf8(token).ok().map(SecretString::from)
    }

    fn context(&self) -> Aad<&[u8]> {
        Aad::from(self.fingerprint.as_bytes())
    }
}

fn expand(prk: &Prk, info: &[&[u8]], out: &mut [u8]) -> Result<(), SealError> {
    // Lengths before parts, so that no two lists of parts are the same bytes.
    let lengths: Vec<[u8; 8]> = info.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
    let parts: Vec<&[u8]> = lengths.iter().zip(info).flat_map(|(length, part)| [length.as_slice(), part]).collect();
    prk.expand(&parts, Bytes(out.len())).and_then(|okm| okm.fill(out)).map_err(|_| SealError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(app: &str, client: &str, secret: &str) -> Sealer {
        Sealer::new(&app.parse().unwrap(), client, &SecretString::from(secret)).unwrap()
    }

    #[test]
    fn only_the_same_secret_of_the_same_app_opens_a_session() {
        let ours = sealer("main", "client", "secret");
        let token = SecretString::from("a session's token");
        let sealed = ours.seal(&token).unwrap();
        assert_ne!(sealed, ours.seal(&token).unwrap(), "a nonce is never used twice");
        assert_eq!(sealer("main", "client", "secret").open(&sealed).unwrap().expose_secret(), token.expose_secret());
        for other in
            [sealer("main", "client", "rotated"), sealer("other", "client", "secret"), sealer("main", "c", "secret")]
        {
            assert!(other.open(&sealed).is_none());
            assert_ne!(other.fingerprint(), ours.fingerprint());
        }
    }

    #[test]
    fn what_was_tampered_with_or_is_no_session_is_absent() {
        let ours = sealer("main", "client", "secret");
        let mut sealed = ours.seal(&SecretString::from("token")).unwrap();
        sealed[NONCE_LEN] ^= 1;
        assert!(ours.open(&sealed).is_none());
        for garbage in [&[][..], &[0; 5], &[0; NONCE_LEN], &[0; 64]] {
            assert!(ours.open(garbage).is_none());
        }
    }
}
