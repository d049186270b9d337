//! Where the evidence is known (for drawings, or by masks of one's own): how much of each arm's
//! maps lies on it.

use std::borrow::Cow;

use anyhow::Result;
use catscan_data::Dataset;
use catscan_viz::batch_size::OF_A_REPORT;
use catscan_viz::cam::grad_cam;
use catscan_viz::evidence::{Tally, area, on_mask};
use catscan_viz::report::Section;
use tch::Device;

use super::evidence_masks::EvidenceMasks;
use super::{section, table};
use crate::study::{Run, Runs, Study};
use crate::table::Table;
use crate::weights::Trained;

/// Test pictures looked at, evenly taken from the test part.
const PICTURES: usize = 64;

/// The section on evidence; none for photographs whose evidence nobody has drawn.
pub fn evidence(
    study: &Study,
    runs: &Runs,
    dataset: &Dataset,
    known: &EvidenceMasks,
) -> Result<Option<Section>> {
    let indices = known.with_evidence(PICTURES);
    let mut masks: Vec<Cow<[u8]>> = Vec::new();
    for index in &indices {
        masks.extend(known.of(*index)?);
    }
    if masks.is_empty() {
        return Ok(None);
    }
    let covered = masks.iter().map(|mask| area(mask)).sum::<f64>() / masks.len() as f64;
    let mut rows = Table::new(&[
        "arm",
        "tap",
        "#energy on the mask, %",
        "#peak on the mask, %",
        "#maps",
        "#empty maps",
    ]);
    for arm in &study.arms {
        let runs: Vec<&Run> = runs.of(&arm.arm).collect();
        for (tap, tally) in tallies(&runs, &indices, dataset, &masks)? {
            let of = |share: Option<f64>| {
                share.map_or("–".to_owned(), |share| format!("{:.1}", 100.0 * share))
            };
            rows.row([
                arm.arm.clone(),
                tap,
                of(tally.energy()),
                of(tally.peak()),
                tally.maps.to_string(),
                tally.empty.to_string(),
            ]);
        }
    }
    let (pictures, masks) = match known.is_own() {
        true => ("pictures", "The masks are those given with --masks"),
        false => {
            ("drawings", "The masks show what tells cats from dogs (ears, muzzle, whiskers, tail)")
        }
    };
    let caption = format!(
        "Grad-CAM for the true class on {} test {pictures} and all seeds, enlarged bilinearly. \
         {masks}; they cover {:.1} % of a picture, which is what a map that knows nothing scores. \
         Energy is the part of a map's positive mass on the mask (Wang et al. 2020), peak how \
         often the map's highest point is (Zhang et al. 2018); maps without a positive part count \
         for neither.",
        indices.len(),
        covered * 100.0
    );
    Ok(Some(section("evidence", "Do they look at what matters?", vec![table(rows, &caption)])))
}

/// The sums of one arm, over its runs and the pictures, each with its mask; a tap at a time.
fn tallies(
    runs: &[&Run],
    indices: &[u32],
    dataset: &Dataset,
    masks: &[Cow<[u8]>],
) -> Result<Vec<(String, Tally)>> {
    let mut tallies: Vec<(String, Tally)> = Vec::new();
    for run in runs {
        let trained = Trained::open_run(&run.record.folder, Device::Cpu)?;
        let taps = trained.model.block_names();
        tallies.resize_with(taps.len(), Default::default);
        for (some, masks) in indices.chunks(OF_A_REPORT).zip(masks.chunks(OF_A_REPORT)) {
            let x = dataset.batch(some, Device::Cpu)?;
            let cams = grad_cam(&trained.model, &x, &dataset.labels(some), &taps)?;
            for ((name, tally), tap) in tallies.iter_mut().zip(&cams.taps) {
                name.clone_from(&tap.tap);
                for (mask, map) in masks.iter().zip(&tap.maps) {
                    tally.add(on_mask(map, mask, dataset.size_px)?);
                }
            }
        }
    }
    Ok(tallies)
}
