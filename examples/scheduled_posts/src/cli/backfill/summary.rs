//! The summary of a backfill for people. Text only.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanCount;
use tower_clerk::backfill::{
    Drift, RecordDrift, RecordReport, RecordsRemoved, Refused, Removed, Report, Sample,
};

use crate::time;

pub(super) fn of_run(report: &Report, took: Duration) -> String {
    let Report { instance_id, users, written, unchanged, unreadable, resumed, .. } = report;
    let here = written + unchanged;
    let instance_id = name_of(instance_id.as_deref());
    let resumed = if *resumed {
        let before = users.saturating_sub(here);
        format!("yes, after the {} of an interrupted run", HumanCount(before))
    } else if report.outdated {
        "no, from the start: the interrupted run began more than a day ago".to_owned()
    } else {
        "no, from the start".to_owned()
    };
    let outcome = match (report.is_short(), report.total) {
        (true, Some(total)) if report.listed < total => format!(
            "Clerk counts {} users of {instance_id}, but listed {}: some may be missing. Run it again.",
            HumanCount(total),
            HumanCount(report.listed),
        ),
        (true, _) => format!(
            "Clerk listed fewer organizations or members of {instance_id} than it counts: some may be \
             missing. Run it again."
        ),
        _ => format!("Done: all users of {instance_id} are in the database."),
    };
    let outcome = match (report.refused, report.all_refused()) {
        (_, 0) => outcome,
        (0, refused) => format!(
            "The database refuses {} of the organizations and memberships of {instance_id}; all others \
             were written.",
            HumanCount(refused)
        ),
        (refused, _) => format!(
            "The database refuses {} of the users of {instance_id}; all others were written.",
            HumanCount(refused)
        ),
    };
    let total = match report.total {
        Some(total) => HumanCount(total).to_string(),
        None => "an unknown number".to_owned(),
    };
    let mut text = format!(
        "{outcome}\n  \
           users         {users}\n  \
           listed        {listed} of {total}\n  \
           new or newer  {written}\n  \
           unchanged     {unchanged}\n  \
           unreadable    {unreadable}\n  \
           resumed       {resumed}\n  \
           since         {since}\n  \
           took          {took}, {rate} rows per second",
        users = HumanCount(*users),
        listed = HumanCount(report.listed),
        written = HumanCount(*written),
        unchanged = HumanCount(*unchanged),
        unreadable = unreadable_note(*unreadable),
        since = time::show(report.since.into()),
        took = shown(took),
        rate = rate(here, took),
    );
    add_records(&mut text, "organizations", report.organizations.as_ref());
    add_records(&mut text, "memberships", report.memberships.as_ref());
    list_refused(&mut text, "refused", report.refused, &report.first_refused);
    for (name, records) in [
        ("refused organizations", &report.organizations),
        ("refused memberships", &report.memberships),
    ] {
        if let Some(records) = records {
            list_refused(&mut text, name, records.refused, &records.first_refused);
        }
    }
    text
}

/// Adds what became of organizations or memberships.
fn add_records(text: &mut String, name: &str, records: Option<&RecordReport>) {
    let Some(RecordReport { processed, written, unchanged, unreadable, .. }) = records else {
        return;
    };
    let [processed, written, unchanged] = [processed, written, unchanged].map(|n| HumanCount(*n));
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "\n  {name:<13} {processed}  ({written} new or newer, {unchanged} unchanged, {} unreadable)",
        HumanCount(*unreadable)
    );
}

/// Adds what the database refuses, and why.
fn list_refused(text: &mut String, name: &str, refused: u64, first: &[Refused]) {
    if refused == 0 {
        return;
    }
    // Writing to a String cannot fail.
    let _ =
        write!(text, "\n  {name:<13} {}  (mend the cause, then run it again)", HumanCount(refused));
    for Refused { id, reason, .. } in first {
        let _ = write!(text, "\n    {id}: {reason}");
    }
    let more = refused.saturating_sub(first.len() as u64);
    if more > 0 {
        let _ = write!(text, "\n    and {} more", HumanCount(more));
    }
}

pub(super) fn of_drift(drift: &Drift) -> String {
    let Drift { instance_id, users, unreadable, missing, outdated, deleted, gone, .. } = drift;
    let users = HumanCount(*users);
    let names_instance = instance_id.is_some();
    let instance_id = name_of(instance_id.as_deref());
    let mut text = if drift.is_none() && gone.is_some() {
        format!("No difference: the {users} users of {instance_id} are up to date in the database.")
    } else if drift.is_none() {
        format!("No difference was found in the {users} users of {instance_id}.")
    } else {
        format!(
            "Clerk ({users} users of {instance_id}) and the database differ. Nothing was changed."
        )
    };
    list(&mut text, "missing", missing, "not in the database; `backfill` adds them");
    list(&mut text, "outdated", outdated, "older in the database; `backfill` updates them");
    list(
        &mut text,
        "deleted",
        deleted,
        "still listed by Clerk, but deleted here: only `backfill --revive ID` lets one be added again",
    );
    match gone {
        Some(gone) => list(
            &mut text,
            "gone",
            gone,
            "no longer at Clerk; `backfill --remove-gone --at-most N` removes them",
        ),
        None if !names_instance => text
            .push_str("\n  gone      unknown: the Backend API does not tell which instance it is"),
        None => text.push_str(
            "\n  gone      unknown: the database also has users of other Clerk instances",
        ),
    }
    add_drift(&mut text, "organizations", drift.organizations.as_ref());
    add_drift(&mut text, "memberships", drift.memberships.as_ref());
    if let Some(total) = drift.total.filter(|total| drift.listed < *total) {
        let _ = write!(
            text,
            "\n  listed    {} of the {} users that Clerk counts; others were not compared",
            HumanCount(drift.listed),
            HumanCount(total)
        );
    }
    if *unreadable > 0 {
        let _ = write!(text, "\n  skipped   {}", unreadable_note(*unreadable));
    }
    text
}

/// Adds how organizations or memberships differ: only what does.
fn add_drift(text: &mut String, name: &str, drift: Option<&RecordDrift>) {
    let Some(RecordDrift { listed, unreadable, missing, outdated, deleted, gone, .. }) = drift
    else {
        return;
    };
    let short = match drift.is_some_and(|drift| drift.is_short) {
        true => "; fewer than Clerk counts, so that others were not compared",
        false => "",
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "\n  {name}  {} at Clerk{short}", HumanCount(*listed));
    let none = Sample::default();
    for (kind, sample, meaning) in [
        ("missing", missing, "not in the database; `backfill` adds them"),
        ("outdated", outdated, "older or other in the database; `backfill` updates them"),
        (
            "deleted",
            deleted,
            "still listed by Clerk, but deleted here, or with their user or organization",
        ),
        (
            "gone",
            gone.as_ref().unwrap_or(&none),
            "no longer at Clerk; `backfill --remove-gone --at-most N` removes them",
        ),
    ] {
        if sample.count > 0 {
            list(text, &format!("{name} {kind}"), sample, meaning);
        }
    }
    if *unreadable > 0 {
        let _ = write!(text, "\n  {name} skipped  {}", unreadable_note(*unreadable));
    }
}

pub(super) fn of_removal(removed: &Removed) -> String {
    let Removed { removed, kept, gone_already, held, organizations, memberships, .. } = removed;
    let mut text = match *removed {
        0 => "No user was removed.".to_owned(),
        1 => "Removed 1 user whom Clerk no longer has.".to_owned(),
        n => format!("Removed {} users whom Clerk no longer has.", HumanCount(n)),
    };
    list_held(&mut text, "users", held);
    if *kept > 0 {
        let _ = write!(text, "\n  kept          {kept}: Clerk still has them");
    }
    if *gone_already > 0 {
        let _ = write!(text, "\n  gone already  {gone_already}: a webhook removed them meanwhile");
    }
    for (name, removed) in [("organizations", organizations), ("memberships", memberships)] {
        let RecordsRemoved { removed, kept, gone_already, held, incomplete, .. } = removed;
        if *removed + kept + gone_already > 0 {
            let _ = write!(
                text,
                "\n  {name:<13} {} removed, {} kept, {} gone already",
                HumanCount(*removed),
                HumanCount(*kept),
                HumanCount(*gone_already)
            );
        }
        list_held(&mut text, name, held);
        if *incomplete > 0 {
            let _ = write!(
                text,
                "\n  not looked at {}: organizations whose list of members is shorter than its own count",
                HumanCount(*incomplete)
            );
        }
    }
    text
}

/// Adds the removed records of which a row stays.
fn list_held(text: &mut String, kind: &str, held: &Sample) {
    if held.count > 0 {
        let meaning = "their rows stay, emptied: a foreign key refers to them; see `doctor`";
        list(text, &format!("held {kind}"), held, meaning);
    }
}

/// Adds one kind of difference: the number of users, the meaning, and the first ids.
fn list(text: &mut String, name: &str, sample: &Sample, meaning: &str) {
    let Sample { count, examples, .. } = sample;
    // Writing to a String cannot fail.
    let _ = write!(text, "\n  {name:<8}  {}", HumanCount(*count));
    if *count == 0 {
        return;
    }
    let _ = write!(text, "  ({meaning})");
    for id in examples.iter().take(SHOWN_IDS) {
        let _ = write!(text, "\n    {id}");
    }
    let more = count.saturating_sub(examples.len().min(SHOWN_IDS) as u64);
    if more > 0 {
        let _ = write!(text, "\n    and {} more", HumanCount(more));
    }
}

fn name_of(instance_id: Option<&str>) -> &str {
    instance_id.unwrap_or("an instance that the Backend API does not name")
}

fn unreadable_note(unreadable: u64) -> String {
    match unreadable {
        0 => "0".to_owned(),
        n => format!("{} (listed without a usable id)", HumanCount(n)),
    }
}

fn shown(took: Duration) -> String {
    match took.as_secs() {
        0..60 => format!("{:.1} s", took.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

fn rate(rows: u64, took: Duration) -> HumanCount {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    HumanCount(rows.saturating_mul(1000) / millis)
}

const SHOWN_IDS: usize = 10;

#[cfg(test)]
mod tests;
