//! The shape of opaque tokens, which is judged before anybody is asked about one.

use super::principal::MachineKind;

/// Returns the kind of an opaque token by its prefix, which is all that tells it from a JWT.
pub(super) fn kind(token: &str) -> Option<MachineKind> {
    let prefix = MachineKind::ALL.into_iter().find(|kind| token.starts_with(kind.prefix()));
    // A JWT's header never begins so: it would not be JSON.
    prefix
}

/// Returns whether what follows the prefix of `kind` may be a secret: 16 to 512 characters of base64 or
/// base64url, padding at the end included. A random text of another shape is no reason to ask Clerk.
pub(super) fn is_whole(token: &str, kind: MachineKind) -> bool {
    let Some(secret) = token.strip_prefix(kind.prefix()) else { return false };
    let plain = secret.strip_suffix("==").or_else(|| secret.strip_suffix('=')).unwrap_or(secret);
    let of_base64 =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    (SHORTEST..=LONGEST).contains(&secret.len()) && plain.bytes().all(of_base64)
}

const SHORTEST: usize = 16;
const LONGEST: usize = 512;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(token: &str) -> Option<MachineKind> {
        kind(token).filter(|kind| is_whole(token, *kind))
    }

    #[test]
    fn a_secret_of_either_base64_is_whole_and_nothing_shorter_longer_or_other() {
        let (short, long) = ("a".repeat(16), "a".repeat(512));
        for (token, expected) in [
            (format!("ak_{short}"), Some(MachineKind::ApiKey)),
            (format!("oat_{short}"), Some(MachineKind::OAuth)),
            (format!("mt_{long}"), Some(MachineKind::M2m)),
            ("ak_LCWGPC/57+abcd_-efgn9=".to_owned(), Some(MachineKind::ApiKey)),
            ("ak_LCWGPC/57+abcdefgn9==".to_owned(), Some(MachineKind::ApiKey)),
            (format!("ak_{}", "a".repeat(15)), None),
            (format!("mt_{}", "a".repeat(513)), None),
            (format!("AK_{short}"), None),
            (format!("sk_{short}"), None),
            (format!("ak{short}"), None),
            ("ak_".to_owned(), None),
            (format!("ak_{short}==="), None),
            (format!("ak_{short}=a"), None),
            (format!("ak_{short}.{short}.{short}"), None),
            (format!("ak_{short} "), None),
            (format!("ak_{short}\u{e9}"), None),
        ] {
            assert_eq!(accepted(&token), expected, "{token}");
        }
    }

    proptest! {
        #[test]
        fn no_text_ends_the_judgement_and_what_is_whole_can_stand_in_json_as_it_is(token in ".{0,600}") {
            if let Some(kind) = accepted(&token) {
                prop_assert!(token.starts_with(kind.prefix()));
                prop_assert_eq!(serde_json::Value::from(&*token).to_string(), format!("\"{token}\""));
            }
        }

        #[test]
        fn every_secret_of_the_alphabet_is_whole(secret in "[A-Za-z0-9+/_-]{14,510}={0,2}") {
            let token = format!("ak_{secret}");
            prop_assert_eq!(accepted(&token).is_some(), (16..=512).contains(&secret.len()));
        }
    }
}
