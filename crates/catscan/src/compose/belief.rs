//! Are the maps to be believed? Every one-pass method is tested for every arm on a few test
//! pictures: what happens when the hot pixels go, whether the map follows the weights, whether
//! seeds agree.

use anyhow::Result;
use catscan_data::Dataset;
use catscan_viz::belief::{
    Pictures, agreement, deletion, deletion::Curves, drop, random, road, sanity,
};
use catscan_viz::cam::{CAMS, CamRow, Cams, Map, explain};
use catscan_viz::evidence::{pointing, share};
use catscan_viz::report::{Block, Section};
use tch::{Device, Tensor};

use super::{section, table};
use crate::study::{Run, Study};
use crate::table::Table;
use crate::weights::Trained;

/// Parts in which pixels go and come.
const STEPS: usize = 8;
/// Forwards of a picture for one map: deletion and insertion, ROAD, drop.
const PASSES: usize = 2 * (STEPS - 1) + 2 * road::SHARES.len() + 1;
/// Multiply-adds that all of it may cost: about ten seconds of two cores.
const MULTIPLY_ADDS: f64 = 1.2e12;
/// Pictures: as many as that buys, within these.
const FEWEST: usize = 4;
const MOST: usize = 16;
/// Pictures wider than this are not asked for ROAD: filling their holes takes longer than all else.
const WIDEST_ROAD_PX: u32 = 128;
/// Places along a map's side below which a map is too coarse to be tested.
const COARSE: u32 = 4;

/// The pictures looked at, and what is known of them.
struct Seen<'a> {
    dataset: &'a Dataset,
    indices: Vec<u32>,
    x: Tensor,
    classes: Vec<i64>,
}

/// A method's maps of the pictures, and how they compare with other networks'.
struct Tested {
    method: &'static str,
    maps: Vec<Map>,
    /// With those of a network with new weights, and of the arm's second seed.
    correlations: [Option<f64>; 2],
}

/// The section; one row an arm and a method.
pub fn belief(study: &Study, runs: &[Run], dataset: &Dataset) -> Result<Option<Section>> {
    let seen = look(study, dataset);
    if seen.indices.is_empty() {
        return Ok(None);
    }
    let known = seen.indices.iter().all(|index| dataset.evidence(*index).is_some());
    let mut head = vec![
        "arm",
        "method",
        "#deletion ↓",
        "#insertion ↑",
        "#ROAD ↑",
        "#drop ↓, %",
        "#increase ↑, %",
        "#new weights → 0",
        "#seeds agree ↑",
    ];
    if known {
        head.extend(["#mass on evidence ↑, %", "#peak on evidence ↑, %"]);
    }
    let mut rows = Table::new(&head);
    let mut taps: Vec<(String, Vec<&str>)> = Vec::new();
    for arm in &study.arms {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.arm == arm.arm).collect();
        let (tap, lines) = of_arm(&runs, &seen, known)?;
        match taps.iter_mut().find(|(known, _)| *known == tap) {
            Some((_, arms)) => arms.push(&arm.arm),
            None => taps.push((tap, vec![&arm.arm])),
        }
        for mut line in lines {
            line.insert(0, arm.arm.clone());
            rows.row(line);
        }
    }
    let caption = format!(
        "Maps of each arm's first seed for the true class of {} test pictures, at the last block \
         whose maps have at least {COARSE} × {COARSE} places ({}). An arrow says which way is \
         better. Differences of a few hundredths on so few pictures mean nothing.",
        seen.indices.len(),
        taps_in_words(&taps)
    );
    let content = vec![Block::List(words(known)), table(rows, &caption)];
    Ok(Some(section("belief", "Are the maps to be believed?", content)))
}

/// Where the maps were taken; whose, if not all at the same place.
fn taps_in_words(taps: &[(String, Vec<&str>)]) -> String {
    match taps {
        [(tap, _)] => tap.clone(),
        _ => {
            let of = |(tap, arms): &(String, Vec<&str>)| format!("{tap} of {}", arms.join(", "));
            taps.iter().map(of).collect::<Vec<_>>().join("; ")
        }
    }
}

/// What each column is, in words.
fn words(known: bool) -> Vec<String> {
    let mut words = vec![
        "random: maps that know nothing. A method that is not clearly better than its arm's random \
         row says little.",
        "deletion, insertion (Petsiuk et al. 2018): the mean probability of the class while pixels \
         are removed, or brought into a blurred picture, the hottest first.",
        "ROAD (Rong et al. 2022): the same with holes filled in from around them; how much more \
         the hottest pixels matter than the coldest. A random map gets about 0. (Not asked of \
         pictures wider than 128 pixels.)",
        "drop, increase (Chattopadhyay et al. 2018): what the class loses, and how often it gains, \
         when only the hot part is shown.",
        "new weights (Adebayo et al. 2018): rank correlation with maps of the same network with \
         all weights drawn anew. Near 1, the map shows the picture and not what was learned.",
        "seeds agree: rank correlation between the arm's first two seeds. Near 0, the map is one \
         training's luck.",
    ];
    if known {
        words.push(
            "mass and peak on evidence: the part of the map's positive mass, and the share of \
             highest points, on what really tells the classes apart.",
        );
    }
    words.into_iter().map(String::from).collect()
}

/// Test pictures evenly from the test part: as many as the multiply-adds buy, a quarter at most.
fn look<'a>(study: &Study, dataset: &'a Dataset) -> Seen<'a> {
    let methods = methods().count() + 1;
    let all: f64 = study.arms.iter().map(|arm| arm.multiply_adds as f64).sum();
    let bought = MULTIPLY_ADDS / (all * (methods * PASSES) as f64);
    let test = &dataset.split.test;
    let pictures = (bought as usize).min(test.len() / 4).clamp(FEWEST, MOST);
    let every = test.len().div_ceil(pictures).max(1);
    let indices: Vec<u32> = test.iter().copied().step_by(every).collect();
    let x = match indices.is_empty() {
        true => Tensor::new(),
        false => dataset.batch(&indices, Device::Cpu),
    };
    Seen { dataset, classes: dataset.labels(&indices), indices, x }
}

/// The methods that are tested: those that cost one pass, and are not the last block's only.
fn methods() -> impl Iterator<Item = &'static CamRow> {
    CAMS.iter().filter(|row| row.is_one_pass() && !row.only_at_last())
}

/// Where one arm's maps were taken, and its lines without its name: each method, then maps that
/// know nothing.
fn of_arm(runs: &[&Run], seen: &Seen, known: bool) -> Result<(String, Vec<Vec<String>>)> {
    let open = |run: &&Run| Trained::open_run(&run.record.folder, Device::Cpu);
    let first = runs.first().map(open).transpose()?.expect("an arm has finished runs");
    let second = runs.get(1).map(open).transpose()?;
    let blocks = first.model.block_names();
    let mut tested = Vec::new();
    let (mut tap, mut size) = (String::new(), (1, 1));
    for row in methods() {
        let at = if tap.is_empty() { blocks.clone() } else { vec![tap.clone()] };
        let cams = explain(row, &first.model, &seen.x, &seen.classes, &at)?;
        let maps = fine_enough(cams);
        (tap, size) = (maps.tap, (maps.maps[0].width, maps.maps[0].height));
        let fresh =
            sanity::correlation(row, &first.model, &seen.x, &seen.classes, &tap, &maps.maps)?;
        let agreed = match &second {
            None => None,
            Some(second) => {
                let at = [tap.clone()];
                let theirs = explain(row, &second.model, &seen.x, &seen.classes, &at)?;
                agreement::agreement(&maps.maps, &theirs.taps[0].maps)
            }
        };
        tested.push(Tested { method: row.name, maps: maps.maps, correlations: [fresh, agreed] });
    }
    let maps = random::maps(seen.indices.len(), size.0, size.1);
    tested.push(Tested { method: "random", maps, correlations: [None, None] });
    let pictures = Pictures::new(&first.model, &seen.x, &seen.classes)?;
    let all: Vec<&[Map]> = tested.iter().map(|tested| tested.maps.as_slice()).collect();
    let curves = deletion::curves(&pictures, &all, STEPS)?;
    let line = |(tested, curves): (Tested, Curves)| {
        let mut line = vec![tested.method.to_owned()];
        line.extend(numbers(&pictures, seen, &tested, &curves, known)?);
        Ok(line)
    };
    let lines = tested.into_iter().zip(curves).map(line).collect::<Result<_>>()?;
    Ok((tap, lines))
}

/// The last tap whose maps are not too coarse; the last of all if none is.
fn fine_enough(mut cams: Cams) -> catscan_viz::cam::TapMaps {
    let fine = |maps: &[Map]| maps.iter().all(|map| map.width.min(map.height) >= COARSE);
    let at = cams.taps.iter().rposition(|tap| fine(&tap.maps)).unwrap_or(cams.taps.len() - 1);
    cams.taps.remove(at)
}

/// The numbers of one method's maps.
fn numbers(
    pictures: &Pictures,
    seen: &Seen,
    tested: &Tested,
    curves: &Curves,
    known: bool,
) -> Result<Vec<String>> {
    let maps = &tested.maps;
    let kept = drop::drop(pictures, maps)?;
    let share_of = |value: f64| format!("{:.0}", value * 100.0);
    // Adding zero turns a negative one, which rounding leaves, into zero.
    let rounded = |value: f64, digits: i32| {
        let ten = 10f64.powi(digits);
        (value * ten).round() / ten + 0.0
    };
    let number = |value: f64| format!("{:.3}", rounded(value, 3)).replace('-', "−");
    let mut line = vec![
        number(curves.deletion_area()),
        number(curves.insertion_area()),
        match seen.dataset.size_px <= WIDEST_ROAD_PX {
            true => number(road::road(pictures, maps)?),
            false => "–".to_owned(),
        },
        share_of(kept.drop),
        share_of(kept.increase),
    ];
    line.extend(tested.correlations.map(|value| {
        value
            .map_or("–".to_owned(), |value| format!("{:.2}", rounded(value, 2)).replace('-', "−"))
    }));
    if known {
        let (mut mass, mut hits, mut full) = (0.0, 0.0, 0.0);
        for (index, map) in seen.indices.iter().zip(maps) {
            let mask = seen.dataset.evidence(*index).expect("asked before");
            if let Some(share) = share(map, &mask, seen.dataset.size_px)? {
                (mass, full) = (mass + share, full + 1.0);
            }
            if pointing(map, &mask, seen.dataset.size_px)? == Some(true) {
                hits += 1.0;
            }
        }
        line.extend([mass, hits].map(|sum: f64| share_of(sum / f64::max(full, 1.0))));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_tested_are_those_that_cost_one_pass() {
        let names: Vec<&str> = methods().map(|row| row.name).collect();
        assert!(names.contains(&"grad-cam") && names.contains(&"eigen-cam"), "{names:?}");
        assert!(!names.contains(&"cam") && !names.contains(&"occlusion"), "{names:?}");
    }

    #[test]
    fn arms_are_named_where_their_maps_are_taken_at_different_blocks() {
        let one = ("a".to_owned(), vec!["avg", "max"]);
        assert_eq!(taps_in_words(std::slice::from_ref(&one)), "a");
        assert_eq!(taps_in_words(&[one, ("b".to_owned(), vec!["s3"])]), "a of avg, max; b of s3");
    }

    #[test]
    fn the_last_maps_that_are_not_too_coarse_are_tested() {
        let tap = |name: &str, side: u32| catscan_viz::cam::TapMaps {
            tap: name.to_owned(),
            maps: vec![Map {
                height: side,
                width: side,
                signed: vec![0.0; (side * side) as usize],
            }],
        };
        let cams = |taps| Cams { method: "grad-cam", taps, probabilities: vec![] };
        assert_eq!(fine_enough(cams(vec![tap("a", 8), tap("b", 4), tap("c", 2)])).tap, "b");
        assert_eq!(fine_enough(cams(vec![tap("a", 2), tap("b", 1)])).tap, "b");
    }
}
