//! Any requirement and any claims: the verdict is that of an evaluator of the test's own, which is
//! written after Clerk's tables and asks a description of the claims instead of the claims.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

const ROLES: [&str; 3] = ["admin", "editor", "viewer"];
const VERBS: [&str; 2] = ["read", "write"];
const SLUGS: [&str; 3] = ["posts", "chat", "export"];
const SCOPES: [&str; 5] = ["o", "u", "ou", "uo", "x"];

/// What a token says.
#[derive(Clone, Debug)]
struct Said {
    version_2: bool,
    /// None is active, one without an id is, or a good one.
    organization: Option<bool>,
    role: Option<&'static str>,
    /// The scope and slug of each feature, with the permissions that it grants as bits.
    features: Vec<(&'static str, &'static str, u8)>,
    /// Whether the list of features ends with a comma, by which Clerk cannot read any of it.
    poisoned: bool,
    plans: Vec<(&'static str, &'static str)>,
    /// Minutes since each factor was verified; -1 for none.
    ages: Option<[i64; 2]>,
}

#[derive(Clone, Debug)]
enum Asked {
    Role(&'static str),
    Permission(&'static str, &'static str),
    Feature(&'static str, &'static str),
    Plan(&'static str, &'static str),
    Verified(FactorLevel, u64),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

impl Said {
    fn grants(&self) -> Vec<String> {
        let of_organization = self.features.iter().filter(|(scope, ..)| scope.contains('o'));
        let each = of_organization.flat_map(|(_, slug, bits)| {
            let granted = (0..VERBS.len()).filter(move |bit| bits >> bit & 1 == 1);
            granted.map(move |bit| format!("org:{slug}:{}", VERBS[bit]))
        });
        if self.version_2 && self.poisoned { Vec::new() } else { each.collect() }
    }

    fn claims(&self) -> Claims {
        let mut features: Vec<_> =
            self.features.iter().map(|(scope, slug, _)| format!("{scope}:{slug}")).collect();
        if self.poisoned {
            features.push(String::new());
        }
        let plans: Vec<_> =
            self.plans.iter().map(|(scope, slug)| format!("{scope}:{slug}")).collect();
        let mut members = json!({});
        if !features.is_empty() {
            members["fea"] = features.join(",").into();
        }
        if !plans.is_empty() {
            members["pla"] = plans.join(",").into();
        }
        if let Some(ages) = self.ages {
            members["fva"] = json!(ages);
        }
        let id = self.organization.map(|good| if good { "org_1" } else { "" });
        if self.version_2 {
            members["v"] = json!(2);
            // What version 1 says does not count.
            members["org_id"] = json!("org_1");
            members["org_role"] = json!("org:admin");
        }
        match id {
            Some(id) if self.version_2 => {
                let masks = self.features.iter().filter(|(scope, ..)| scope.contains('o'));
                let masks: Vec<_> = masks.map(|(_, _, bits)| bits.to_string()).collect();
                let mut o = json!({ "id": id, "per": VERBS.join(","), "fpm": masks.join(",") });
                if let Some(role) = self.role {
                    o["rol"] = role.into();
                }
                members["o"] = o;
            }
            Some(id) => {
                members["org_id"] = id.into();
                members["org_permissions"] = self.grants().into();
                if let Some(role) = self.role {
                    members["org_role"] = format!("org:{role}").into();
                }
            }
            None => {}
        }
        claims(members)
    }
}

impl Asked {
    fn authorization(&self) -> Authorization {
        match self {
            Self::Role(role) => Authorization::role(role),
            Self::Permission(slug, verb) => Authorization::permission(&format!("{slug}:{verb}")),
            Self::Feature(scope, slug) => Authorization::feature(&format!("{scope}{slug}")),
            Self::Plan(scope, slug) => Authorization::plan(&format!("{scope}{slug}")),
            Self::Verified(level, minutes) => Authorization::reverified(within(*level, *minutes)),
            Self::And(one, other) => one.authorization().and(other.authorization()),
            Self::Or(one, other) => one.authorization().or(other.authorization()),
        }
    }

    /// Whether it holds; with `anew`, as if the user had just verified whatever is asked for.
    fn holds(&self, said: &Said, anew: bool) -> bool {
        let active = said.organization == Some(true);
        match self {
            Self::Role(role) => active && !role.is_empty() && said.role == Some(role),
            Self::Permission(slug, verb) => {
                active && said.grants().contains(&format!("org:{slug}:{verb}"))
            }
            Self::Feature(asked, slug) => {
                !said.poisoned
                    && said.features.iter().any(|(scope, own, _)| own == slug && fits(asked, scope))
            }
            Self::Plan(asked, slug) => {
                said.plans.iter().any(|(scope, own)| own == slug && fits(asked, scope))
            }
            Self::Verified(_, 0) => false,
            Self::Verified(..) if anew => true,
            Self::Verified(level, minutes) => {
                let Some([first, second]) = said.ages else { return false };
                let fresh = |age: i64| age != -1 && *minutes as i64 > age;
                match (level, first == -1, second == -1) {
                    (FactorLevel::First, false, _) | (_, false, true) => fresh(first),
                    (FactorLevel::Second, _, false) => fresh(second),
                    (FactorLevel::Multi, false, false) => fresh(first) && fresh(second),
                    (FactorLevel::First | FactorLevel::Multi, true, _)
                    | (FactorLevel::Second, true, true) => false,
                }
            }
            Self::And(one, other) => one.holds(said, anew) && other.holds(said, anew),
            Self::Or(one, other) => one.holds(said, anew) || other.holds(said, anew),
        }
    }

    /// The verifications that it asks for and that are not fresh.
    fn stale(&self, said: &Said) -> Vec<Reverification> {
        match self {
            Self::And(one, other) | Self::Or(one, other) => {
                [one.stale(said), other.stale(said)].concat()
            }
            Self::Verified(level, minutes) if !self.holds(said, false) => {
                vec![within(*level, *minutes)]
            }
            _ => Vec::new(),
        }
    }
}

/// Whether an entitlement of this scope is one for which a query with this prefix asks.
fn fits(asked: &str, scope: &str) -> bool {
    let (user, organization) = (scope.contains('u'), scope.contains('o'));
    match asked {
        "" => user || organization,
        "org:" => organization,
        "user:" => user,
        _ => false,
    }
}

fn within(level: FactorLevel, minutes: u64) -> Reverification {
    Reverification::new(level, Duration::from_secs(minutes * 60))
}

fn said() -> impl Strategy<Value = Said> {
    let feature = (select(&SCOPES), select(&SLUGS), 0..4_u8);
    let ages = [select(&[-1_i64, 0, 9, 10, 60]), select(&[-1_i64, 0, 9, 10, 60])];
    (
        any::<bool>(),
        select(&[None, Some(false), Some(true), Some(true)]),
        proptest::option::of(select(&ROLES)),
        proptest::collection::vec(feature, 0..4),
        proptest::bool::weighted(0.1),
        proptest::collection::vec((select(&SCOPES), select(&SLUGS)), 0..3),
        proptest::option::of(ages),
    )
        .prop_map(|(version_2, organization, role, features, poisoned, plans, ages)| Said {
            version_2,
            organization,
            role,
            features,
            poisoned,
            plans,
            ages,
        })
}

fn asked() -> impl Strategy<Value = Asked> {
    let scope = || select(&["", "org:", "user:", "ou:"]);
    let level = select(&[FactorLevel::First, FactorLevel::Second, FactorLevel::Multi]);
    let part = prop_oneof![
        select(&["admin", "editor", "viewer", ""]).prop_map(Asked::Role),
        (select(&SLUGS), select(&VERBS)).prop_map(|(slug, verb)| Asked::Permission(slug, verb)),
        (scope(), select(&SLUGS)).prop_map(|(scope, slug)| Asked::Feature(scope, slug)),
        (scope(), select(&SLUGS)).prop_map(|(scope, slug)| Asked::Plan(scope, slug)),
        (level, select(&[0_u64, 10, 60])).prop_map(|(level, age)| Asked::Verified(level, age)),
    ];
    part.prop_recursive(6, 40, 2, |inner| {
        let two = (inner.clone(), inner).prop_map(|(one, other)| (Box::new(one), Box::new(other)));
        (two, any::<bool>()).prop_map(|((one, other), all)| match all {
            true => Asked::And(one, other),
            false => Asked::Or(one, other),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_tree_of_requirements_is_judged_as_an_evaluator_of_the_tests_own_judges_it(
        said in said(),
        asked in asked(),
    ) {
        let (claims, authorization) = (said.claims(), asked.authorization());
        prop_assert_eq!(claims.has(&authorization), asked.holds(&said, false));
        let lack = claims.lack(&authorization);
        match lack {
            None => prop_assert!(asked.holds(&said, false)),
            // Verifying again is asked for only where it helps, and only what is stale.
            Some(Lack::Verification(again)) => {
                prop_assert!(asked.holds(&said, true));
                prop_assert!(asked.stale(&said).contains(&again), "{:?}", again);
            }
            Some(Lack::Other) => prop_assert!(!asked.holds(&said, true)),
        }
    }
}

#[test]
fn several_requirements_are_the_same_however_they_are_put_together() {
    let [a, b, c] = ["a", "b", "c"].map(Authorization::role);
    let all = |one: &Authorization, other: &Authorization| one.clone().and(other.clone());
    let any = |one: &Authorization, other: &Authorization| one.clone().or(other.clone());
    assert_eq!(all(&all(&a, &b), &c), all(&a, &all(&b, &c)));
    assert_eq!(any(&any(&a, &b), &c), any(&a, &any(&b, &c)));
    assert_ne!(all(&a, &b), any(&a, &b));
    assert_ne!(any(&all(&a, &b), &c), all(&a, &any(&b, &c)));
}

#[test]
fn of_alternatives_that_nobody_understands_none_holds() {
    let nothing = Authorization::role("")
        .or(Authorization::permission("org:"))
        .or(Authorization::feature("ORG:export"))
        .or(Authorization::plan(""))
        .or(Authorization::reverified(Reverification::new(FactorLevel::First, Duration::ZERO)));
    for claims in [editor(), claims(json!({})), claims(json!({ "fva": [0, 0], "pla": ":" }))] {
        assert!(!claims.has(&nothing));
        assert_eq!(claims.lack(&nothing), Some(Lack::Other));
        assert!(!claims.has(&nothing.clone().and(nothing.clone())));
    }
    let holds: Value = json!({ "org_id": "org_1", "org_role": "org:editor" });
    assert!(claims(holds).has(&nothing.or(Authorization::role("editor"))));
}
