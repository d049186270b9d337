//! Are the maps to be believed? Every method is tested for every arm on the same test pictures:
//! what happens when the hot pixels go, whether the map follows the weights, whether seeds agree;
//! and each score against that of maps that know nothing.

mod arm;
mod figures;
mod plan;
mod scores;
mod words;

use anyhow::Result;
use catscan_data::{Dataset, Progress};
use catscan_viz::cam::CAMS;
use catscan_viz::report::{Block, Section};
use tch::Device;

use super::evidence_masks::EvidenceMasks;
use super::{section, table};
use crate::figures::rounded;
use crate::study::{Run, Runs, Study};
use crate::table::Table;
use arm::{ArmTests, MethodTest, TestPictures};
pub use arm::{COARSE, fine_enough};
use scores::{Score, Verdict, asked, difference, mean};

/// The section; one row an arm and a method. `count` is how many pictures, if anybody said so.
pub fn belief(
    study: &Study,
    runs: &Runs,
    dataset: &Dataset,
    known: &EvidenceMasks,
    count: Option<u32>,
    progress: &dyn Progress,
) -> Result<Option<Section>> {
    let pictures = plan::pictures(study, count, dataset.split.test.len());
    let indices = known.evenly(pictures);
    if indices.is_empty() {
        return Ok(None);
    }
    let seen = TestPictures {
        x: dataset.batch(&indices, Device::Cpu)?,
        classes: dataset.labels(&indices),
        indices,
        dataset,
        known,
    };
    let masked = seen.indices.iter().filter(|index| known.knows(**index)).count();
    let mut arms = Vec::new();
    progress.stage("are the maps to be believed?", (study.arms.len() * CAMS.len()) as u64);
    for arm in &study.arms {
        let runs: Vec<&Run> = runs.of(&arm.arm).collect();
        arms.push(ArmTests::ask(&arm.arm, &runs, &seen, progress)?);
    }
    let scores = asked(masked > 0);
    let mut content = vec![Block::List(words::columns(&scores))];
    content.extend(words::verdicts(&arms, &scores).into_iter().map(Block::Paragraph));
    content.push(table(numbers(&arms, &scores), &words::numbers(&arms, &seen, masked)));
    content.push(table(differences(&arms, &scores), &words::differences(scores.len())));
    content.extend(figures::curves(&arms)?);
    Ok(Some(section("belief", "Are the maps to be believed?", content)))
}

/// Every score, a row a method.
fn numbers(arms: &[ArmTests], scores: &[&Score]) -> Table {
    let mut head = vec!["arm".to_owned(), "method".into(), "better than random".into()];
    head.push("#pictures".into());
    let column = |score: &&Score| {
        let arrow = if score.up { '↑' } else { '↓' };
        format!("#{} {arrow}{}", score.name, if score.percent { ", %" } else { "" })
    };
    head.extend(scores.iter().map(column));
    head.extend(["#new weights → 0".into(), "#seeds agree ↑".into()]);
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for of_arm in arms {
        for tested in of_arm.methods.iter().chain(&of_arm.random) {
            let verdict = match of_arm.methods.iter().any(|one| std::ptr::eq(one, tested)) {
                true => words::verdict(&shown(of_arm, tested, scores)),
                false => "–".to_owned(),
            };
            let mut line = vec![of_arm.arm.clone(), tested.method.clone(), verdict];
            line.push(tested.places.len().to_string());
            let cell = |score: &&Score| {
                let mean = mean(&tested.scored.values(score));
                mean.map_or("–".to_owned(), |value| words::value(score, value))
            };
            line.extend(scores.iter().map(cell));
            line.extend(
                [tested.fresh, tested.agreed]
                    .map(|value| value.map_or("–".to_owned(), |value| rounded(value, 2))),
            );
            rows.row(line);
        }
    }
    rows
}

/// Every score's difference to that of random maps.
fn differences(arms: &[ArmTests], scores: &[&Score]) -> Table {
    let mut head = vec!["arm".to_owned(), "method".into(), "#pictures".into()];
    let unit = |score: &Score| if score.percent { ", points" } else { "" };
    head.extend(scores.iter().map(|score| format!("#{}{}", score.name, unit(score))));
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for of_arm in arms {
        for tested in &of_arm.methods {
            let mut line = vec![of_arm.arm.clone(), tested.method.clone()];
            line.push(tested.places.len().to_string());
            for score in scores {
                let random = of_arm.random_values(tested, score);
                let difference = difference(&tested.scored.values(score), &random);
                line.push(difference.map_or("–".to_owned(), |it| words::difference(score, &it)));
            }
            rows.row(line);
        }
    }
    rows
}

/// What each score of a method shows against random maps.
fn shown(of_arm: &ArmTests, tested: &MethodTest, scores: &[&Score]) -> Vec<Verdict> {
    let one = |score: &&Score| {
        let random = of_arm.random_values(tested, score);
        let difference = difference(&tested.scored.values(score), &random);
        difference.map_or(Verdict::TooFew, |difference| Verdict::of(score, &difference))
    };
    scores.iter().map(one).collect()
}
