//! One arm's maps by every method, and what they get.

use anyhow::Result;
use catscan_data::{Dataset, Progress};
use catscan_models::{Mode, Model};
use catscan_viz::VizError;
use catscan_viz::batch_size::OF_A_REPORT;
use catscan_viz::belief::{Pictures, agreement::agreement, random, sanity};
use catscan_viz::cam::{CAMS, CamRow, INPUT, Map, explain, grad_cam};
use tch::{Device, Tensor};

use super::plan::{compared, pictures_of};
use super::scores::{MapScores, Score, scored};
use crate::compose::evidence_masks::EvidenceMasks;
use crate::compose::pick::evenly;
use crate::study::Run;
use crate::weights::Trained;

/// Places along a map's side below which a map is too coarse to be tested.
pub const COARSE: u32 = 4;

/// The pictures looked at, and what is known of them.
pub struct TestPictures<'a> {
    pub dataset: &'a Dataset,
    pub known: &'a EvidenceMasks<'a>,
    pub indices: Vec<u32>,
    /// `[N, C, H, W]`.
    pub x: Tensor,
    /// What the maps explain: each picture's true class.
    pub classes: Vec<i64>,
}

/// A method and what its maps got.
pub struct MethodTest {
    pub method: String,
    /// Which of the pictures seen it was asked about.
    pub places: Vec<usize>,
    /// Width and height of its maps.
    pub size: (u32, u32),
    pub scored: MapScores,
    /// Rank correlation with the maps of the network with new weights.
    pub fresh: Option<f64>,
    /// Mean rank correlation of all pairs of seeds.
    pub agreed: Option<f64>,
}

/// One arm.
pub struct ArmTests {
    pub arm: String,
    /// Where methods that work at any block were asked.
    pub tap: String,
    pub seeds: usize,
    pub methods: Vec<MethodTest>,
    /// Maps that know nothing, of each size that a method's maps have.
    pub random: Vec<MethodTest>,
    /// Methods that this network cannot be asked for, and why.
    pub left_out: Vec<(&'static str, String)>,
}

impl ArmTests {
    /// Asks all methods about an arm's runs.
    pub fn ask(
        arm: &str,
        runs: &[&Run],
        seen: &TestPictures,
        progress: &dyn Progress,
    ) -> Result<ArmTests> {
        let open = |run: &&Run| Ok(Trained::open_run(&run.record.folder, Device::Cpu)?.model);
        let networks: Vec<Model> = runs.iter().map(open).collect::<Result<_>>()?;
        let first = &networks[0];
        let fresh = sanity::unlearned(first, Device::Cpu)?;
        let (tap, last) = (tested_tap(first, seen)?, first.block_names().pop().unwrap_or_default());
        let mut of_arm = ArmTests {
            arm: arm.to_owned(),
            seeds: networks.len(),
            methods: Vec::new(),
            random: Vec::new(),
            left_out: Vec::new(),
            tap,
        };
        for row in CAMS {
            progress.advance(1);
            let at = match (row.looks_at_input(), row.only_at_last()) {
                (true, _) => INPUT,
                (_, true) => &last,
                _ => &of_arm.tap,
            };
            let channels = if at == INPUT { 0 } else { channels(first, at, seen)? };
            let places = places(seen, pictures_of(row, channels, seen.indices.len()));
            let maps = match maps(row, first, at, seen, &places) {
                Ok(maps) => maps,
                Err(error @ VizError::Shape { .. }) => {
                    of_arm.left_out.push((row.name, error.to_string()));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let size = (maps[0].width, maps[0].height);
            let scored = seen.score(first, &maps, &places)?;
            let (mut new, mut agreed) = (None, None);
            if compared(row, channels) {
                new = agreement(&maps, &self::maps(row, &fresh, at, seen, &places)?);
                let others =
                    networks[1..].iter().map(|model| self::maps(row, model, at, seen, &places));
                let mut all = vec![maps];
                all.extend(others.collect::<Result<Vec<_>, _>>()?);
                agreed = of_all_pairs(&all);
            }
            let method = row.name.to_owned();
            of_arm.methods.push(MethodTest { method, places, size, scored, fresh: new, agreed });
        }
        of_arm.ask_random(first, seen)?;
        Ok(of_arm)
    }

    /// Maps that know nothing, once for each size of maps that was tested.
    fn ask_random(&mut self, model: &Model, seen: &TestPictures) -> Result<()> {
        let mut sizes: Vec<(u32, u32)> = self.methods.iter().map(|tested| tested.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let places: Vec<usize> = (0..seen.indices.len()).collect();
        for size in sizes {
            let maps = random::maps(places.len(), size.0, size.1);
            self.random.push(MethodTest {
                method: format!("random, {} × {}", size.0, size.1),
                scored: seen.score(model, &maps, &places)?,
                places: places.clone(),
                size,
                fresh: None,
                agreed: None,
            });
        }
        Ok(())
    }

    /// The maps that know nothing of a method's size.
    pub fn random_of(&self, tested: &MethodTest) -> &MethodTest {
        let found = self.random.iter().find(|random| random.size == tested.size);
        found.expect("every size was asked")
    }

    /// A score of maps that know nothing, on a method's pictures.
    pub fn random_values(&self, tested: &MethodTest, score: &Score) -> Vec<Option<f64>> {
        let values = self.random_of(tested).scored.values(score);
        tested.places.iter().map(|place| values[*place]).collect()
    }
}

impl TestPictures<'_> {
    /// The pictures at `places`, their classes and numbers.
    fn part(&self, places: &[usize]) -> (Tensor, Vec<i64>, Vec<u32>) {
        let rows: Vec<i64> = places.iter().map(|place| *place as i64).collect();
        let x = self.x.index_select(0, &Tensor::from_slice(&rows));
        let classes = places.iter().map(|place| self.classes[*place]).collect();
        (x, classes, places.iter().map(|place| self.indices[*place]).collect())
    }

    fn score(&self, model: &Model, maps: &[Map], places: &[usize]) -> Result<MapScores> {
        let (x, classes, indices) = self.part(places);
        let pictures = Pictures::new(model, &x, &classes)?;
        scored(&pictures, maps, &indices, self.known, self.dataset.size_px)
    }
}

/// As many of the pictures seen, evenly.
fn places(seen: &TestPictures, count: usize) -> Vec<usize> {
    evenly(&(0..seen.indices.len()).collect::<Vec<_>>(), count)
}

fn maps(
    row: &CamRow,
    model: &Model,
    at: &str,
    seen: &TestPictures,
    places: &[usize],
) -> Result<Vec<Map>, VizError> {
    let taps = if row.looks_at_input() { vec![] } else { vec![at.to_owned()] };
    let mut all = Vec::with_capacity(places.len());
    for some in places.chunks(OF_A_REPORT) {
        let (x, classes, _) = seen.part(some);
        all.extend(explain(row, model, &x, &classes, &taps)?.taps.remove(0).maps);
    }
    Ok(all)
}

/// The last block whose maps are not too coarse; the last of all if none is.
fn tested_tap(model: &Model, seen: &TestPictures) -> Result<String> {
    let (x, classes, _) = seen.part(&[0]);
    let mut cams = grad_cam(model, &x, &classes, &model.block_names())?;
    let maps: Vec<&Map> = cams.taps.iter().map(|tap| &tap.maps[0]).collect();
    let at = fine_enough(&maps);
    Ok(cams.taps.remove(at).tap)
}

/// Which of a picture's maps, from the stem to the head, is the last that is not too coarse; the
/// last of all if none is.
pub fn fine_enough(maps: &[&Map]) -> usize {
    let fine = |map: &&Map| map.width.min(map.height) >= COARSE;
    maps.iter().rposition(fine).unwrap_or(maps.len() - 1)
}

/// The channels of a tap.
fn channels(model: &Model, tap: &str, seen: &TestPictures) -> Result<usize> {
    let mut taps = model.taps(&[tap])?;
    let _ = tch::no_grad(|| model.forward(&seen.x.narrow(0, 0, 1), Mode::Eval, &mut taps));
    Ok(taps.get(tap).map_or(1, |activation| activation.size()[1] as usize))
}

/// The mean over all pairs of networks of their maps' agreement.
fn of_all_pairs(networks: &[Vec<Map>]) -> Option<f64> {
    let pairs = networks.iter().enumerate();
    let pairs = pairs.flat_map(|(i, one)| networks[i + 1..].iter().map(move |other| (one, other)));
    let agreed: Vec<f64> = pairs.filter_map(|(one, other)| agreement(one, other)).collect();
    (!agreed.is_empty()).then(|| agreed.iter().sum::<f64>() / agreed.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(signed: &[f32]) -> Map {
        Map { height: 1, width: signed.len() as u32, signed: signed.to_vec() }
    }

    #[test]
    fn the_last_maps_that_are_not_too_coarse_are_tested() {
        let [large, fine, coarse, least] = [8, 4, 2, 1].map(|side| Map {
            height: side,
            width: side,
            signed: vec![0.0; (side * side) as usize],
        });
        assert_eq!(fine_enough(&[&large, &fine, &coarse]), 1);
        assert_eq!(fine_enough(&[&coarse, &least]), 1);
    }

    #[test]
    fn seeds_agree_by_all_their_pairs() {
        let [up, down] = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]].map(|values| vec![map(&values)]);
        // Of three pairs one agrees and two are turned round; the first two alone would say 1.
        let got = of_all_pairs(&[up.clone(), up.clone(), down]).unwrap();
        assert!((got + 1.0 / 3.0).abs() < 1e-12, "{got}");
        assert_eq!(of_all_pairs(&[up]), None);
    }
}
