//! `has`, and the active organization, of the auth object that the SDK makes of a verified token.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tower_clerk::session::{Authorization, FactorLevel, Reverification, Session, Verifier};
use tower_clerk::test_util::ManualClock;

use crate::tally::Way::{OtherValues, TheyAccept, WeAccept};
use crate::tally::{Class, Tally, Verdict};
use crate::theirs::{ISS, NOW, ask, payload};

#[derive(Deserialize)]
struct Input {
    token: String,
    questions: Vec<Question>,
    organization: Shown,
}

#[derive(Deserialize)]
struct Question {
    asked: Asked,
    /// Missing if the auth object cannot be made.
    theirs: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct Asked {
    role: Option<String>,
    permission: Option<String>,
    feature: Option<String>,
    plan: Option<String>,
    reverification: Option<AskedFactors>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum AskedFactors {
    Preset(String),
    #[serde(rename_all = "camelCase")]
    Custom {
        level: String,
        after_minutes: f64,
    },
}

impl AskedFactors {
    fn ours(&self) -> Reverification {
        match self {
            Self::Preset(name) => match &**name {
                "strict_mfa" => Reverification::STRICT_MFA,
                "strict" => Reverification::STRICT,
                "moderate" => Reverification::MODERATE,
                "lax" => Reverification::LAX,
                other => panic!("no preset {other}"),
            },
            Self::Custom { level, after_minutes } => {
                let level = match &**level {
                    "first_factor" => FactorLevel::First,
                    "second_factor" => FactorLevel::Second,
                    "multi_factor" => FactorLevel::Multi,
                    other => panic!("no level {other}"),
                };
                Reverification::new(level, Duration::from_secs_f64(after_minutes * 60.0))
            }
        }
    }
}

impl Asked {
    fn ours(&self) -> Authorization {
        let parts = [
            self.role.as_deref().map(Authorization::role),
            self.permission.as_deref().map(Authorization::permission),
            self.feature.as_deref().map(Authorization::feature),
            self.plan.as_deref().map(Authorization::plan),
            self.reverification.as_ref().map(|asked| Authorization::reverified(asked.ours())),
        ];
        parts.into_iter().flatten().reduce(Authorization::and).expect("something is asked")
    }
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    Ok(ShownOrganization),
    Thrown(IgnoredAny),
}

/// The organization, of any types: nothing checks them there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct ShownOrganization {
    id: Value,
    slug: Value,
    role: Value,
    permissions: Value,
}

impl ShownOrganization {
    fn of(session: &Session) -> Self {
        let Some(organization) = session.organization() else {
            return Self { permissions: Value::Array(Vec::new()), ..Self::default() };
        };
        Self {
            id: organization.id().into(),
            slug: organization.slug().into(),
            role: organization.role().into(),
            permissions: organization.permissions().collect(),
        }
    }
}

/// A question, or no question: what the organization is.
struct View {
    claims: Value,
    asked: Option<Asked>,
}

impl View {
    /// Version 2 is exactly this number.
    fn is_version_2(&self) -> bool {
        self.claims.get("v").and_then(Value::as_f64) == Some(2.0)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// Version 2's organization, if JavaScript takes it for true.
    fn o(&self) -> Option<&Value> {
        let o = self.claims.get("o").filter(|_| self.is_version_2())?;
        let is_false = o.is_null() || *o == false || *o == 0 || *o == "";
        (!is_false).then_some(o)
    }

    /// Whether version 2's organization is an object of texts with an id.
    fn has_readable_o(&self) -> bool {
        let Some(Value::Object(o)) = self.o() else { return false };
        let optional = ["slg", "rol", "per", "fpm"];
        let are_texts = optional
            .iter()
            .all(|name| o.get(*name).is_none_or(|one| one.is_string() || one.is_null()));
        o.get("id").is_some_and(Value::is_string) && are_texts
    }

    /// Whether a claim has an element without a colon, or is no text.
    fn is_poisoned(&self, name: &str) -> bool {
        self.claims.get(name).is_some_and(|claim| match claim.as_str() {
            Some(list) => list.split(',').any(|element| !element.contains(':')),
            None => true,
        })
    }

    fn asks_of_organization(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.role.is_some() || asked.permission.is_some())
    }

    fn asks_for_nothing(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| {
            let Asked { role, permission, feature, plan, .. } = asked;
            [role, permission, feature, plan].into_iter().flatten().any(|asked| is_empty(asked))
        })
    }
}

/// Whether nothing is left of a requirement without its scope.
fn is_empty(asked: &str) -> bool {
    asked.trim_start_matches("org:").is_empty()
}

const CLASSES: &[Class<View>] = &[
    Class {
        name: "version 1 with a part of an organization, without its id",
        way: OtherValues,
        reason: "Without an id there is no active organization; their `has` says so too, and only the parts are shown",
        holds: |t| t.asked.is_none() && !t.is_version_2() && t.text("org_id").is_none(),
    },
    Class {
        name: "version 1 with a slug, role or permissions of a wrong type",
        way: OtherValues,
        reason: "What is not understood is none; they pass on whatever stands there",
        holds: |t| {
            let is_odd = |name| t.claims.get(name).is_some_and(|claim| !claim.is_string());
            let permissions = t.claims.get("org_permissions");
            let has_odd_permissions = permissions.is_some_and(|list| !list.is_array());
            let is_any_odd = is_odd("org_slug") || is_odd("org_role") || has_odd_permissions;
            t.asked.is_none() && !t.is_version_2() && is_any_odd
        },
    },
    Class {
        name: "a role or permission in version 1's organization, whose id is not text",
        way: TheyAccept(&["lacking"]),
        reason: "What is not understood grants nothing",
        holds: |t| {
            let has_odd_id = t.claims.get("org_id").is_some_and(|id| !id.is_string());
            t.asks_of_organization() && !t.is_version_2() && has_odd_id
        },
    },
    Class {
        name: "version 2 with an organization that is not an object of texts with an id",
        way: OtherValues,
        reason: "What is not understood is none; they pass on whatever stands there",
        holds: |t| t.asked.is_none() && t.o().is_some() && !t.has_readable_o(),
    },
    Class {
        name: "a role or permission in an organization that is not an object of texts with an id",
        way: TheyAccept(&["lacking"]),
        reason: "What is not understood grants nothing",
        holds: |t| t.asks_of_organization() && t.o().is_some() && !t.has_readable_o(),
    },
    Class {
        name: "version 2 with an organization, and features or parts that cannot be read",
        way: WeAccept(&["thrown"]),
        reason: "They throw for the whole request; here what cannot be read grants nothing, and the rest counts",
        holds: |t| t.o().is_some() && (t.is_poisoned("fea") || !t.has_readable_o()),
    },
    Class {
        name: "an empty requirement",
        way: TheyAccept(&["lacking"]),
        reason: "A requirement that is empty by mistake must not hold by chance; nor does it go unheard beside others",
        holds: View::asks_for_nothing,
    },
];

#[test]
fn each_requirement_holds_that_clerks_sdk_says_holds() {
    let Some(theirs) = ask::<Input>("has", 20_000) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock = ManualClock::new();
    clock.set_wall(UNIX_EPOCH + Duration::from_secs(NOW));
    let verifier = Verifier::builder(ISS, theirs.keys.jwks()).clock(Arc::new(clock));
    let verifier = verifier.build().unwrap();
    let mut tally = Tally::new(CLASSES);
    for Input { token, questions, organization } in theirs.inputs {
        let session = runtime.block_on(verifier.verify(&token)).unwrap();
        let mut view = View { claims: payload(&token).unwrap(), asked: None };
        let ours: Verdict<_> = Ok(Some(ShownOrganization::of(&session)));
        let theirs = match organization {
            Shown::Ok(organization) => Ok(Some(organization)),
            Shown::Thrown(_) => Err("thrown".to_owned()),
        };
        tally.compare(&view, &ours, &theirs, || view.claims.to_string());
        for Question { asked, theirs } in questions {
            let ours = session.has(&asked.ours());
            view.asked = Some(asked);
            let ours: Verdict<_> =
                if ours { Ok(None::<ShownOrganization>) } else { Err("lacking".to_owned()) };
            let theirs = match theirs {
                Some(true) => Ok(None),
                Some(false) => Err("lacking".to_owned()),
                None => Err("thrown".to_owned()),
            };
            tally.compare(&view, &ours, &theirs, || format!("{:?} {}", view.asked, view.claims));
        }
    }
    tally.close("has", 1_000);
}
