//! Random texts and bent tokens: nothing panics, and nothing passes but what was signed.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tower_clerk::session::{AuthErrorKind, StaticKeys, Verifier};

use super::mutations::{recipes, runner};
use super::target::{Target, parts};
use crate::support::servers::{ISS, issuer};

/// Runs a future that never waits.
fn now_or_never<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("keys at hand need no wait"),
    }
}

#[test]
fn b15_no_random_text_panics_or_passes() {
    let target = Target::new();
    let good = target.token().mint();
    let [header, payload, signature] = parts(&good).map(str::to_owned);
    let part = || {
        prop_oneof![
            3 => "[A-Za-z0-9_-]{0,40}",
            1 => any::<String>(),
            1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(super::target::encoded),
            1 => Just(header.clone()),
            1 => Just(payload.clone()),
            1 => Just(signature.clone()),
        ]
    };
    let texts = prop_oneof![
        any::<String>(),
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        prop::collection::vec(part(), 1..6).prop_map(|parts| parts.join(".")),
    ];
    let run = runner(20_000).run(&texts, |text| {
        let verdict = now_or_never(target.verifier.verify(&text));
        prop_assert_eq!(verdict.is_ok(), text == good, "{}", text);
        Ok(())
    });
    run.unwrap();
}

#[test]
fn b15_no_bent_token_passes_unless_its_bytes_are_what_was_signed() {
    let (genuine, other) = (issuer(), issuer());
    let keys = StaticKeys::from_jwks(&genuine.jwks().to_string()).unwrap();
    let target = Target::by_keys(genuine.clone(), keys, |builder| builder);
    let (passed, refused) = (Cell::new(0), Cell::new(0));
    let run = runner(1_000).run(&recipes(), |recipe| {
        let bent = recipe.prepare(&genuine, &other, target.now());
        match now_or_never(target.verifier.verify(&bent.token)) {
            Ok(_) if !bent.genuine => return Err(TestCaseError::fail(bent.token)),
            Ok(_) => passed.set(passed.get() + 1),
            Err(_) => refused.set(refused.get() + 1),
        }
        Ok(())
    });
    run.unwrap();
    assert!(passed.get() > 100 && refused.get() > 100, "{passed:?} {refused:?}");
}

#[test]
fn b15_no_changed_character_passes_anywhere() {
    let genuine = issuer();
    let keys = StaticKeys::from_jwks(&genuine.jwks().to_string()).unwrap();
    let verifier = Verifier::builder(ISS, keys).build().unwrap();
    let token = genuine.token("user_1").mint();
    assert!(now_or_never(verifier.verify(&token)).is_ok());
    for (position, old) in token.char_indices() {
        for new in ["A", "B", "_", ".", "=", "", "AA"] {
            let mut changed = token.clone();
            changed.replace_range(position..=position, new);
            if !new.starts_with(old) || new.len() != 1 {
                let verdict = now_or_never(verifier.verify(&changed));
                assert!(verdict.is_err(), "{new:?} at {position}");
            }
        }
    }
    let other = issuer().token("user_1").mint();
    let grafted = format!("{}.{}", token.rsplit_once('.').unwrap().0, parts(&other)[2]);
    let verdict = now_or_never(verifier.verify(&grafted)).map_err(|error| error.kind());
    assert_eq!(verdict.err(), Some(AuthErrorKind::BadSignature));
}
