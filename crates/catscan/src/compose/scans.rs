//! The scans: what the convolutions hold and what the networks look at, on the same pictures, at
//! the same taps (where their networks have the same blocks) and by the same scale for every arm.
//! (The published study drew its two arms at different layers with different thresholds, so its
//! pictures could not be compared.)

use anyhow::{Context, Result};
use catscan_data::{Dataset, RgbImage};
use catscan_train::metrics::predicted;
use catscan_viz::cam::{Cams, grad_cam};
use catscan_viz::feature_maps::{GridLayout, grid};
use catscan_viz::layer::layer;
use catscan_viz::report::{Block, Frame, Packed, Section};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use tch::Device;

use super::pick::{Picked, right_and_wrong};
use super::{Shown, section};
use crate::commands::write_file;
use crate::study::Study;

/// Where a map looks; how strongly is not comparable between networks, see [`ScaleRule`].
const SCALE: ScaleRule = ScaleRule::EachMap;

/// All convolutions' outputs for one picture, an arm at a time; also kept in each run's `scans/`.
pub fn feature_maps(shown: &[Shown], dataset: &Dataset) -> Result<Section> {
    let picked = right_and_wrong(shown, dataset);
    // The study showed a dog; the last class's right picture is one.
    let picture = picked.iter().take(2).next_back().context("the test part holds no pictures")?;
    let x = dataset.batch(&[picture.index], Device::Cpu);
    let mut blocks = vec![Block::Paragraph(format!(
        "The same test picture ({}) through each arm's first seed.",
        picture.name
    ))];
    for Shown { run, trained } in shown {
        let maps = grid(&trained.model, &x, &input(dataset, picture.index), &GridLayout::study())?;
        let picture = Packed::png(&maps.image)?;
        write_file(&run.record.folder.join("scans/feature-maps.png"), picture.bytes())?;
        blocks.push(Block::Picture {
            caption: format!("{} seed {}. {}", run.arm, run.seed, maps.caption),
            alt: format!("Grid of {} feature maps of arm {}", maps.tiles.len(), run.arm),
            picture,
        });
    }
    Ok(section("feature-maps", "Feature maps of all convolutions", blocks))
}

/// Grad-CAM at the last block, and at every block, for right and wrong pictures.
pub fn activation_maps(study: &Study, shown: &[Shown], dataset: &Dataset) -> Result<Section> {
    let picked = right_and_wrong(shown, dataset);
    if picked.is_empty() {
        let nothing = Block::Paragraph("The test part holds no picture to look at.".into());
        return Ok(section("cams", "What the networks look at", vec![nothing]));
    }
    let blocks: Vec<Vec<String>> =
        shown.iter().map(|shown| shown.trained.model.block_names()).collect();
    let mut arms = Vec::new();
    for (shown, taps) in shown.iter().zip(&blocks) {
        let cams = maps(shown, &picked, taps, dataset)?;
        arms.push(arm(study, shown, &picked, &cams, dataset));
    }
    let classes = &study.split.classes;
    let (columns, at_last) = last_block(classes, shown, &arms, &picked);
    let scale = SCALE.in_words();
    let rule = "Pictures by rule, not by taste: for two classes, one that every arm got right and \
                one that every arm (else some arm) got wrong, the one of median probability. Maps \
                are Grad-CAM (Selvaraju et al. 2017) for the class that the arm predicted, \
                negative parts cut off.";
    let heat_last = strip(&at_last, &columns, SCALE)?;
    let mut content = vec![
        Block::Paragraph(rule.into()),
        Block::Picture {
            caption: format!(
                "At the last block ({}), what speaks for either class, {scale}. Look whether the \
                 heat lies on the animal, and whether the arms look at the same parts of it.",
                last_names(&blocks)
            ),
            alt: "Grad-CAM of every arm at the last block".into(),
            picture: Packed::jpeg(&heat_last)?,
        },
    ];
    for (taps, group) in by_taps(&blocks, arms) {
        let names = group.iter().map(|arm| &*arm.name).collect::<Vec<_>>().join(", ");
        let frames = taps.iter().enumerate().map(|(at, tap)| {
            let picture = Packed::jpeg(&layer(&group, at, SCALE))?;
            let alt = format!("Grad-CAM at {tap} of {names}");
            Ok(Frame { name: tap.clone(), picture, alt })
        });
        content.push(Block::Slider {
            caption: format!(
                "One layer at a time, {scale}: {names}. The pictures are above, each arm's maps \
                 below; move the slider from the stem to the last block and look where the heat \
                 settles, and whether it settles alike."
            ),
            frames: frames.collect::<Result<_>>()?,
        });
        content.push(Block::Picture {
            caption: format!(
                "From the stem to the last block, {scale}: {names}. Arms whose networks have the \
                 same blocks stand in one picture. Early blocks follow edges, late ones regions; \
                 look where the class appears."
            ),
            alt: format!("Grad-CAM at every block of {names}"),
            picture: Packed::jpeg(&strip(&group, taps, SCALE)?)?,
        });
    }
    Ok(section("cams", "What the networks look at", content))
}

/// The names of the last blocks, each once.
fn last_names(blocks: &[Vec<String>]) -> String {
    let mut names: Vec<&str> = blocks.iter().filter_map(|taps| taps.last()).map(|t| &**t).collect();
    names.dedup();
    names.join(", ")
}

/// Arms of the same taps together, in the order in which each tap list comes first.
fn by_taps(blocks: &[Vec<String>], arms: Vec<StripArm>) -> Vec<(&[String], Vec<StripArm>)> {
    let mut groups: Vec<(&[String], Vec<StripArm>)> = Vec::new();
    for (taps, arm) in blocks.iter().zip(arms) {
        match groups.iter_mut().find(|(of, _)| of == taps) {
            Some((_, group)) => group.push(arm),
            None => groups.push((taps, vec![arm])),
        }
    }
    groups
}

fn maps(shown: &Shown, picked: &[Picked], taps: &[String], dataset: &Dataset) -> Result<Cams> {
    let indices: Vec<u32> = picked.iter().map(|picked| picked.index).collect();
    let said = |picked: &Picked| {
        i64::from(predicted(&shown.run.test.pictures[picked.place].probabilities))
    };
    let classes: Vec<i64> = picked.iter().map(said).collect();
    let x = dataset.batch(&indices, Device::Cpu);
    Ok(grad_cam(&shown.trained.model, &x, &classes, taps)?)
}

fn arm(
    study: &Study,
    shown: &Shown,
    picked: &[Picked],
    cams: &Cams,
    dataset: &Dataset,
) -> StripArm {
    let classes = &study.split.classes;
    let row = |(n, picked): (usize, &Picked)| {
        let shares = &shown.run.test.pictures[picked.place].probabilities;
        let said = predicted(shares);
        let verdict = if said == picked.label { "right" } else { "wrong" };
        StripRow {
            label: vec![
                format!("{verdict} {}", classes[picked.label as usize]),
                format!("P({}) {:.2}", classes[said as usize], shares[said as usize]),
                picked.name.clone(),
            ],
            picture: input(dataset, picked.index),
            maps: cams.of_picture(n),
        }
    };
    StripArm {
        name: format!("{} seed {}", shown.run.arm, shown.run.seed),
        rows: picked.iter().enumerate().map(row).collect(),
    }
}

/// The same rows at the last tap alone: what speaks for each of two classes; with more classes, for
/// the one that the arm predicted. Returns the columns' titles and the arms.
fn last_block(
    classes: &[String],
    shown: &[Shown],
    arms: &[StripArm],
    picked: &[Picked],
) -> (Vec<String>, Vec<StripArm>) {
    let two = classes.len() == 2;
    let titles = match two {
        true => classes.iter().map(|class| format!("for {class}")).collect(),
        false => vec!["for its answer".to_owned()],
    };
    let row = |shown: &Shown, row: &StripRow, picked: &Picked| {
        let said = predicted(&shown.run.test.pictures[picked.place].probabilities);
        let map = row.maps.last().expect("a network has blocks").clone();
        let maps = match (two, said) {
            (false, _) => vec![map],
            (true, 0) => vec![map.clone(), map.for_other_class()],
            (true, _) => vec![map.for_other_class(), map],
        };
        StripRow { maps, ..row.clone() }
    };
    let arms = shown.iter().zip(arms).map(|(shown, arm)| StripArm {
        name: arm.name.clone(),
        rows: arm
            .rows
            .iter()
            .zip(picked)
            .map(|(strip, picked)| row(shown, strip, picked))
            .collect(),
    });
    (titles, arms.collect())
}

/// A sample as a person sees it.
pub fn input(dataset: &Dataset, index: u32) -> RgbImage {
    dataset.picture(index).into_shown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_stand_together_where_their_blocks_are_the_same() {
        let taps = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let blocks: Vec<Vec<String>> =
            vec![taps(&["a", "b"]), taps(&["layer1"]), taps(&["a", "b"])];
        let arm = |name: &str| StripArm { name: name.into(), rows: Vec::new() };
        let groups = by_taps(&blocks, vec![arm("avg"), arm("resnet"), arm("max")]);
        let names = |at: usize| groups[at].1.iter().map(|arm| &*arm.name).collect::<Vec<_>>();
        assert_eq!((groups.len(), names(0), names(1)), (2, vec!["avg", "max"], vec!["resnet"]));
        assert_eq!(last_names(&blocks[..2]), "b, layer1");
    }
}
