//! Random values in Finlink's formats, all from seeded generators.

use std::fmt::Write;

use fastrand::Rng;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

const ENTITIES: [&str; 8] =
    ["santander", "bbva", "caixabank", "sabadell", "bankinter", "openbank", "myinvestor", "degiro"];

/// A generator of its own for each purpose, so that one more draw for one purpose changes nothing elsewhere.
pub(crate) fn generator(seed: u64, app: &str, purpose: &str) -> Rng {
    let digest = Sha256::digest(format!("{seed}/{app}/{purpose}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Rng::with_seed(u64::from_be_bytes(first))
}

/// Whether something of this share happens.
pub(crate) fn happens(rng: &mut Rng, share: f64) -> bool {
    // Drawn even where the answer is known: the number of draws must not depend on the rates.
    rng.f64() < share
}

/// A connection's id: 10 upper-case letters and digits.
pub(crate) fn token(rng: &mut Rng) -> String {
    const CHARACTERS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    (0..10).map(|_| char::from(CHARACTERS[rng.usize(..36)])).collect()
}

/// A UUID of version 4.
pub(crate) fn uuid(rng: &mut Rng) -> Uuid {
    Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}

/// A financial entity.
pub(crate) fn entity(rng: &mut Rng) -> &'static str {
    ENTITIES[rng.usize(..ENTITIES.len())]
}

/// So many hexadecimal characters.
pub(crate) fn hex(rng: &mut Rng, characters: usize) -> String {
    let mut text = String::with_capacity(characters + 16);
    while text.len() < characters {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{:016x}", rng.u64(..));
    }
    text.truncate(characters);
    text
}
