//! The account of a category: agreements, and differences by their reasons.

use std::collections::BTreeMap;
use std::fmt::{self, Debug};

/// A class of explained differences. `holds` looks at the input, not only at the verdicts.
pub(crate) struct Class<I> {
    pub(crate) name: &'static str,
    pub(crate) way: Way,
    /// The reason why ours is right.
    pub(crate) reason: &'static str,
    pub(crate) holds: fn(&I) -> bool,
}

/// Which of the two accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// They, and we refuse for one of these reasons.
    TheyAccept(&'static [&'static str]),
    /// We, and they refuse for one of these reasons.
    WeAccept(&'static [&'static str]),
    /// Both, and they read different values.
    OtherValues,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TheyAccept(reasons) => write!(f, "they accept, we say {}", reasons.join(" or ")),
            Self::WeAccept(reasons) => write!(f, "we accept, they say {}", reasons.join(" or ")),
            Self::OtherValues => f.write_str("both accept, and read different values"),
        }
    }
}

impl Way {
    fn fits<V>(self, ours: &Verdict<V>, theirs: &Verdict<V>) -> bool {
        match (self, ours, theirs) {
            (Self::TheyAccept(reasons), Err(reason), Ok(_)) => reasons.contains(&&**reason),
            (Self::WeAccept(reasons), Ok(_), Err(reason)) => reasons.contains(&&**reason),
            (Self::OtherValues, Ok(_), Ok(_)) => true,
            _ => false,
        }
    }
}

/// What one side makes of an input: the values that it reads, or the reason why it refuses.
pub(crate) type Verdict<V> = Result<V, String>;

pub(crate) struct Tally<I: 'static> {
    classes: &'static [Class<I>],
    accepted: usize,
    refused: usize,
    explained: BTreeMap<&'static str, usize>,
    /// The first few that nothing explains.
    unexplained: Vec<String>,
    unexplained_count: usize,
}

impl<I> Tally<I> {
    pub(crate) fn new(classes: &'static [Class<I>]) -> Self {
        Self {
            classes,
            accepted: 0,
            refused: 0,
            explained: BTreeMap::new(),
            unexplained: Vec::new(),
            unexplained_count: 0,
        }
    }

    /// Compares two verdicts about an input; `told` shows it if nothing explains their difference.
    pub(crate) fn compare<V: PartialEq + Debug>(
        &mut self,
        input: &I,
        ours: &Verdict<V>,
        theirs: &Verdict<V>,
        told: impl FnOnce() -> String,
    ) {
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs => return self.accepted += 1,
            (Err(_), Err(_)) => return self.refused += 1,
            _ => {}
        }
        let mut is_explained = false;
        for class in self.classes.iter().filter(|class| class.way.fits(ours, theirs)) {
            if (class.holds)(input) {
                is_explained = true;
                *self.explained.entry(class.name).or_default() += 1;
            }
        }
        if !is_explained {
            self.unexplained_count += 1;
            if self.unexplained.len() < SHOWN {
                let told = told();
                self.unexplained.push(format!("ours {ours:?}, theirs {theirs:?}\n  {told}"));
            }
        }
    }

    /// Prints the account. Fails if a difference is not explained, if an explanation is never needed,
    /// or if fewer than `least` inputs were accepted, or refused, by both.
    pub(crate) fn close(self, category: &str, least: usize) {
        println!(
            "{category}: accepted by both {}, refused by both {}",
            self.accepted, self.refused
        );
        for class in self.classes {
            let count = self.explained.get(class.name).copied().unwrap_or_default();
            println!("  {count:>6}  {}: {}. {}.", class.name, class.way, class.reason);
        }
        let count = self.unexplained_count;
        let shown = self.unexplained.join("\n");
        assert_eq!(count, 0, "{category}: {count} differences are not explained:\n{shown}");
        let idle = self.classes.iter().filter(|class| !self.explained.contains_key(class.name));
        let idle: Vec<_> = idle.map(|class| class.name).collect();
        assert!(idle.is_empty(), "{category}: no input needs these explanations: {idle:?}");
        assert!(
            self.accepted >= least && self.refused >= least,
            "{category}: too few inputs that both accept, or refuse, to prove anything"
        );
    }
}

const SHOWN: usize = 15;
