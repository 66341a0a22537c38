//! Any features, names and masks: the permissions are those of a decoder of the test's own, which is
//! written after Clerk's and knows numbers only as decimal digits.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Halves a decimal number; returns it with what is left over.
fn halved(digits: &str) -> (String, bool) {
    let mut carry = 0;
    let half = digits.bytes().map(|digit| {
        let value = carry * 10 + (digit - b'0');
        carry = value % 2;
        char::from(b'0' + value / 2)
    });
    (half.collect(), carry == 1)
}

/// The bits of a decimal number, the least first.
fn bits(digits: &str, count: usize) -> Vec<bool> {
    let mut rest = digits.to_owned();
    let next = |_| {
        let (half, bit) = halved(&rest);
        rest = half;
        bit
    };
    (0..count).map(next).collect()
}

fn decoded(fea: &str, per: &str, fpm: &str) -> Vec<String> {
    let elements: Vec<_> = fea.split(',').map(|element| element.trim().split_once(':')).collect();
    if elements.contains(&None) || per.is_empty() || fpm.is_empty() {
        return Vec::new();
    }
    let features =
        elements.into_iter().flatten().filter(|(scope, _)| matches!(*scope, "o" | "ou" | "uo"));
    let names: Vec<_> = per.split(',').map(str::trim).collect();
    let mut granted = Vec::new();
    for ((_, feature), mask) in features.zip(fpm.split(',').map(str::trim)) {
        if mask.is_empty() || mask.contains(|c: char| !c.is_ascii_digit()) {
            continue;
        }
        for (name, bit) in names.iter().zip(bits(mask, names.len())) {
            if bit {
                granted.push(format!("org:{feature}:{name}"));
            }
        }
    }
    granted
}

fn features() -> impl Strategy<Value = String> {
    let element = prop_oneof![
        60 => select(&["o:a", "ou:b", "uo:c", " o:d ", "o:e:f", "o:"][..]).prop_map(str::to_owned),
        30 => select(&["u:g", "x:h", "O:i", ":j", "u:"][..]).prop_map(str::to_owned),
        1 => select(&["k", "", " "][..]).prop_map(str::to_owned),
    ];
    vec(element, 0..8).prop_map(|elements| elements.join(","))
}

fn masks() -> impl Strategy<Value = String> {
    let mask = prop_oneof![
        6 => "[0-9]{1,60}",
        2 => any::<u64>().prop_map(|mask| mask.to_string()),
        1 => "0{0,30}[0-9]{1,30} ",
        1 => select(&["-1", "1.5", "0x1", "+1", "", "1e3", "٣", "1 2"][..])
            .prop_map(str::to_owned),
    ];
    vec(mask, 0..8).prop_map(|masks| masks.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_masks_grant_what_a_decoder_of_the_tests_own_reads_in_them(
        fea in features(),
        per in vec(" {0,1}[a-z]{0,2}", 0..150).prop_map(|names| names.join(",")),
        fpm in masks(),
    ) {
        let expected = decoded(&fea, &per, &fpm);
        prop_assert_eq!(permissions(v2(&fea, &per, &fpm)), expected);
    }
}

#[test]
fn the_decoder_of_the_test_reads_clerks_own_examples() {
    assert_eq!(bits("18446744073709551616", 66).iter().position(|bit| *bit), Some(64));
    assert_eq!(
        decoded("o:repositories,o:impersonation,o:billing", "manage,read,update", "6,0,3"),
        [
            "org:repositories:read",
            "org:repositories:update",
            "org:billing:manage",
            "org:billing:read"
        ]
    );
    assert_eq!(
        decoded("o:reservations,u:dashboard,uo:support-chat,o:impersonation", "read,manage", "2,3"),
        ["org:reservations:manage", "org:support-chat:read", "org:support-chat:manage"]
    );
}
