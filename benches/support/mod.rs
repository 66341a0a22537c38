//! What the criterion benches share: where their results go, and ratios out of them. Each ratio is
//! of two medians from one run: absolute times say nothing about another machine. And a JWKS.

use std::path::{Path, PathBuf};

use criterion::Criterion;
use serde_json::Value;
use tower_clerk::session::keys::{Fetch, FetchFuture, Fetched};

/// Results where [`Ratios`] finds them.
pub(crate) fn criterion() -> Criterion {
    Criterion::default().output_directory(&folder())
}

/// A JWKS that is at hand: fetching it takes no time.
#[allow(dead_code, reason = "not every bench needs it")]
pub(crate) struct Document(pub(crate) String);

impl Fetch for Document {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(std::future::ready(Ok(Fetched::new(self.0.clone()))))
    }
}

/// Prints lines of a table: what was measured, and what it is of the baseline.
pub(crate) struct Ratios {
    group: &'static str,
}

impl Ratios {
    /// Of a group whose benches have run.
    pub(crate) fn of(group: &'static str) -> Self {
        println!("\n| {group} | median | ratio | of |\n|---|---|---|---|");
        Self { group }
    }

    /// One bench beside another.
    pub(crate) fn beside(&self, name: &str, baseline: &str) {
        self.line(name, self.median(name), self.median(baseline), baseline);
    }

    /// What one bench takes beyond a second one, beside what a third takes beyond a fourth.
    #[allow(dead_code, reason = "not every bench needs it")]
    pub(crate) fn beyond(&self, name: &str, without: &str, baseline: &str) {
        let label = format!("{name}, without {without}");
        let own = self.median(name).zip(self.median(without)).map(|(a, b)| a - b);
        self.line(&label, own, self.median(baseline), baseline);
    }

    fn line(&self, label: &str, own: Option<f64>, baseline: Option<f64>, name: &str) {
        // A filter on the command line leaves some out.
        if let (Some(own), Some(baseline)) = (own, baseline) {
            println!("| {label} | {own:.0} ns | {:.3} | {name} |", own / baseline);
        }
    }

    /// In nanoseconds.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        let file = folder().join(self.group).join(name).join("new/estimates.json");
        let estimates: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
        estimates["median"]["point_estimate"].as_f64()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion")
}
