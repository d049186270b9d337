//! Gradient flow as heat maps: the norm of every layer's gradient at every epoch, a map an arm, one
//! colour scale for all.

use anyhow::Result;
use catscan_viz::Svg;
use catscan_viz::chart::{HeatAxes, HeatMap, heat_maps};

use super::gradients::{Flow, in_figures};

/// Cells of all maps together, at most: each is about 130 bytes of the page.
const CELLS: usize = 12_000;

/// The maps' axes: colours are powers of ten.
const AXES: HeatAxes =
    HeatAxes { x: "epoch", value: "norm", written: |power| in_figures(10f64.powf(power)) };

/// One map an arm, in the arms' order; none where every gradient is zero. Runs of an arm are its
/// seeds: a cell is their geometric mean. Where the epochs are too many for the page, neighbours
/// share a column in the same way; layers never do.
pub(super) fn maps(flows: &[Flow]) -> Result<Vec<Svg>> {
    let mut arms: Vec<&str> = flows.iter().map(|flow| &*flow.name.arm).collect();
    arms.dedup();
    let most = CELLS / arms.len().max(1);
    let maps: Vec<HeatMap> = (arms.iter())
        .map(|arm| {
            let own: Vec<&Flow> = flows.iter().filter(|flow| flow.name.arm == *arm).collect();
            map(arm, &own, most)
        })
        .collect();
    let alive = |map: &HeatMap| map.values.iter().flatten().any(|value| value.is_finite());
    match maps.iter().any(alive) {
        true => Ok(heat_maps(AXES, &maps)?),
        false => Ok(Vec::new()),
    }
}

fn map(arm: &str, seeds: &[&Flow], most_cells: usize) -> HeatMap {
    let rows = seeds[0].records[0].layers.clone();
    let last = seeds.iter().flat_map(|flow| &flow.records).map(|record| record.epoch).max();
    let epochs = last.unwrap_or(0) as usize;
    let columns = (most_cells / rows.len().max(1)).clamp(1, epochs.max(1));
    let together = epochs.div_ceil(columns).max(1);
    let starts: Vec<usize> = (1..=epochs).step_by(together).collect();
    let name = |start: &usize| match (*start, (*start + together - 1).min(epochs)) {
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}–{to}"),
    };
    let cell = |row: usize, start: usize| {
        let own = seeds.iter().flat_map(|flow| &flow.records).filter(|record| {
            let epoch = record.epoch as usize;
            start <= epoch && epoch < start + together
        });
        // By its name: a run that froze layers for a while has fewer.
        let norm = own.filter_map(|record| {
            let place = record.layers.iter().position(|layer| *layer == rows[row])?;
            Some(record.norms[place])
        });
        geometric_mean(norm)
    };
    let values =
        (0..rows.len()).map(|row| starts.iter().map(|start| cell(row, *start)).collect()).collect();
    HeatMap {
        title: format!("{arm}: gradient by layer and epoch"),
        columns: starts.iter().map(name).collect(),
        rows,
        values,
    }
}

/// As a power of ten, of those that are above zero; not finite where none is.
fn geometric_mean(norms: impl Iterator<Item = f64>) -> f64 {
    let powers: Vec<f64> =
        norms.filter(|norm| *norm > 0.0 && norm.is_finite()).map(f64::log10).collect();
    match powers.is_empty() {
        true => f64::NEG_INFINITY,
        false => powers.iter().sum::<f64>() / powers.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_name::RunName;
    use catscan_train::GradientRecord;

    fn flow(arm: &str, norms: &[&[f64]]) -> Flow<'static> {
        let record = |(i, norms): (usize, &&[f64])| GradientRecord {
            epoch: i as u32 + 1,
            step: i as u64 + 1,
            layers: (0..norms.len()).map(|layer| format!("conv{layer}")).collect(),
            norms: norms.to_vec(),
        };
        let name: &'static RunName = Box::leak(Box::new(RunName::new(arm, 1)));
        Flow { name, records: norms.iter().enumerate().map(record).collect() }
    }

    #[test]
    fn every_layer_has_a_row_and_every_epoch_a_column() {
        let seeds = [
            flow("plain", &[&[1e-4, 1e-1], &[1e-3, 0.0]]),
            flow("plain", &[&[1e-2, 1e-1], &[1e-3, 0.0]]),
        ];
        let found = map("plain", &seeds.iter().collect::<Vec<_>>(), CELLS);
        assert_eq!(
            (&found.rows[..], &found.columns[..]),
            (&["conv0", "conv1"].map(String::from)[..], &["1", "2"].map(String::from)[..])
        );
        // The geometric mean of the seeds; a layer without any gradient stays blank.
        assert!((found.values[0][0] + 3.0).abs() < 1e-12, "{found:?}");
        assert!((found.values[0][1] + 3.0).abs() < 1e-12 && found.values[1][1].is_infinite());
    }

    #[test]
    fn many_epochs_share_columns_and_layers_never_rows() {
        let norms: Vec<Vec<f64>> = (0..10).map(|i| vec![10f64.powi(-i); 4]).collect();
        let norms: Vec<&[f64]> = norms.iter().map(Vec::as_slice).collect();
        let found = map("plain", &[&flow("plain", &norms)], 12);
        assert_eq!(found.columns, ["1–4", "5–8", "9–10"]);
        assert_eq!(found.values.len(), 4);
        assert!(
            (found.values[3][0] + 1.5).abs() < 1e-12 && (found.values[3][2] + 8.5).abs() < 1e-12
        );
    }

    #[test]
    fn arms_have_a_map_each_and_dead_networks_none() {
        let flows = [flow("plain", &[&[1e-4, 1e-1]]), flow("dense", &[&[1e-1, 1e-1, 1e-2]])];
        let drawn = maps(&flows).unwrap();
        assert_eq!(drawn.len(), 2);
        assert!(drawn[1].as_str().contains("<title>conv2; epoch 1; norm 0.0100</title>"));
        assert!(drawn[0].said().contains("colours from 1.0e−4 to 0.1000"), "{}", drawn[0].said());
        assert!(maps(&[flow("plain", &[&[0.0, 0.0]])]).unwrap().is_empty());
    }
}
