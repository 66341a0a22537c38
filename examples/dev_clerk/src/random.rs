//! Random text for the stand-in's ids, keys and secrets, and random numbers for its faults.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// Returns letters and digits, all equally likely.
pub(super) fn alphanumeric(length: usize) -> String {
    let random = std::iter::repeat_with(bytes).flatten();
    let fair = random.filter(|byte| usize::from(*byte) < ALPHABET.len() * 4);
    fair.filter_map(|byte| ALPHABET.get(usize::from(byte) % ALPHABET.len()).copied())
        .map(char::from)
        .take(length)
        .collect()
}

/// Returns hexadecimal digits.
pub(super) fn hexadecimal(length: usize) -> String {
    let digits = std::iter::repeat_with(|| format!("{:016x}", number()));
    digits.flat_map(|digits| digits.into_bytes()).map(char::from).take(length).collect()
}

/// Returns a webhook signing secret in the form that Clerk's Dashboard shows.
pub(super) fn signing_secret() -> String {
    let key: Vec<u8> = std::iter::repeat_with(bytes).flatten().take(32).collect();
    format!("whsec_{}", STANDARD.encode(key))
}

/// Returns a number, all equally likely.
pub(super) fn number() -> u64 {
    bytes().take(8).fold(0, |number, byte| number << 8 | u64::from(byte))
}

/// Returns a number from 0 up to, but not including, 1.
pub(super) fn fraction() -> f64 {
    // 32 bits are precise enough, and an `f64` holds them exactly.
    let bits = u32::try_from(number() >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// Returns fourteen bytes of a random UUID; the other two hold its version and variant.
fn bytes() -> impl Iterator<Item = u8> {
    let bytes = Uuid::new_v4().into_bytes();
    bytes.into_iter().enumerate().filter(|(at, _)| ![6, 8].contains(at)).map(|(_, byte)| byte)
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
