//! What must be known before a study's answer is believed, a sentence each.

use std::collections::BTreeSet;

use super::{Request, Run, Runs};

/// Of `runs`, at least one; drawings come first.
pub(super) fn notices(
    request: &Request,
    runs: &Runs,
    missing: &[String],
    drawings: bool,
) -> Vec<String> {
    let mut notices = Vec::new();
    if drawings {
        let text = "These pictures are drawings (critters), not photographs: the answer is about \
                    drawn cats and dogs.";
        notices.push(text.to_owned());
    }
    if request.experiment == "smoke" {
        notices.push("A check of the machine: its accuracies mean nothing.".to_owned());
    }
    if let Some(run) = runs.iter().find(|run| run.test.bounded) {
        let (done, total) = (run.test.steps, run.test.steps_total);
        notices.push(format!(
            "A bounded trial: stopped after {done} of {total} steps (--max-steps). \
             It shows that the experiment runs, not its answer."
        ));
    }
    let early: Vec<String> =
        runs.iter().filter(|run| run.test.stopped_early).map(in_steps).collect();
    if !early.is_empty() {
        notices.push(format!(
            "Stopped early, when validation no longer got better, so not after equally many steps: \
             {}.",
            early.join(", ")
        ));
    }
    if !missing.is_empty() {
        let (cells, names) = (runs.len() + missing.len(), missing.join(", "));
        let count = missing.len();
        notices.push(format!(
            "Unfinished: {count} of {cells} runs are missing ({names}); all numbers are without \
             them."
        ));
    }
    for failure in &request.failures {
        let last = failure.stderr.lines().last().unwrap_or("it said nothing");
        notices.push(format!(
            "{} failed with exit code {}: {last}",
            failure.run_name(),
            failure.exit_code
        ));
    }
    notices.extend(unlike(runs));
    notices.extend(alike(&request.arms, runs));
    notices.extend(runs[0].record.split.notes.iter().cloned());
    let rejected = runs[0].record.split.rejected.len();
    if rejected > 0 {
        notices.push(format!(
            "{rejected} pictures could not be used and were left out; they are listed below."
        ));
    }
    notices
}

/// What sets a run apart from an uncut one by one program on one device.
fn unlike(runs: &Runs) -> Vec<String> {
    let mut notices = Vec::new();
    for Run { name, record, .. } in runs.iter() {
        let lines = record.environment.resumed.iter().flat_map(|resume| &resume.inexact);
        notices.extend(lines.map(|line| format!("{name} went on inexactly: {line}.")));
    }
    let environments = || runs.iter().map(|run| &run.record.environment);
    let resumed = environments().flat_map(|environment| &environment.resumed);
    let commits = environments().map(|environment| environment.git_commit.as_str());
    for (name, found) in [
        ("commits", commits.chain(resumed.map(|resume| resume.git_commit.as_str())).collect()),
        ("devices", environments().map(|environment| environment.device.as_str()).collect()),
        ("processors", environments().map(|environment| environment.cpu_name.as_str()).collect()),
        (
            "libtorch",
            environments().map(|environment| environment.libtorch_version.as_str()).collect(),
        ),
    ] {
        let found: BTreeSet<&str> = found;
        if found.len() > 1 {
            let found: Vec<&str> = found.into_iter().collect();
            notices.push(format!("The runs differ in {name}: {}.", found.join(", ")));
        }
    }
    notices
}

/// Arms that no number of seeds will tell apart.
fn alike(arms: &[String], runs: &Runs) -> Vec<String> {
    let of = |arm: &str| runs.of(arm).collect::<Vec<_>>();
    let same = |one: &str, other: &str| {
        let (one, other) = (of(one), of(other));
        !one.is_empty()
            && one.len() == other.len()
            && one.iter().zip(other).all(|(one, other)| {
                (one.name.seed, &one.test.pictures) == (other.name.seed, &other.test.pictures)
            })
    };
    let twins = arms.iter().enumerate().filter_map(|(i, other)| {
        let twin = arms[..i].iter().find(|arm| same(arm, other))?;
        Some(format!(
            "{twin} and {other} gave every test picture the same probabilities under every seed: \
             here they are one function, and no more seeds will tell them apart (poolings of a \
             map that has one place, such as the last of pictures this small, are all the same)."
        ))
    });
    twins.collect()
}

fn in_steps(run: &Run) -> String {
    let (done, total) = (run.test.steps, run.test.steps_total);
    format!("{} after {done} of {total}", run.name)
}
