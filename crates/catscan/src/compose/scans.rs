//! Class activation maps: what the networks look at, on the same pictures, at the same taps (where
//! their networks have the same blocks) and by the same scale for every arm. (The published study
//! drew its two arms at different layers with different thresholds, so its pictures could not be
//! compared.)

use anyhow::Result;
use catscan_data::{BadImage, Dataset, RgbImage};
use catscan_train::metrics::predicted;
use catscan_viz::cam::{CamRow, Cams, Map, explain_each};
use catscan_viz::layer::layer;
use catscan_viz::report::{Block, Frame, Packed, Section};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use tch::Device;

use super::belief::{COARSE, fine_enough};
use super::pick::{Picked, right_and_wrong};
use super::{FirstRun, section};
use crate::study::Study;

/// Where a map looks; how strongly is not comparable between networks, see [`ScaleRule`].
const SCALE: ScaleRule = ScaleRule::EachMap;
/// Arms in one picture of depth strips, at most, so that it can be read on paper.
const TOGETHER: usize = 2;

/// Grad-CAM at the last block, and at every block, for right and wrong pictures: for both of two
/// classes; of more for the predicted and the true one.
pub fn activation_maps(study: &Study, shown: &[FirstRun], dataset: &Dataset) -> Result<Section> {
    let picked = right_and_wrong(shown, dataset);
    if picked.is_empty() {
        let nothing = Block::Paragraph("The test part holds no picture to look at.".into());
        return Ok(section("cams", "What the networks look at", vec![nothing]));
    }
    let blocks: Vec<Vec<String>> =
        shown.iter().map(|shown| shown.trained.model.block_names()).collect();
    let columns = columns(&study.split.classes);
    let (mut said, mut each, mut last) = (Vec::new(), Vec::new(), Vec::new());
    let mut coarse = Vec::new();
    for (shown, taps) in shown.iter().zip(&blocks) {
        let looked = look(study, shown, &picked, taps, dataset)?;
        said.push(looked.for_its_answer());
        each.push(looked.for_each_class());
        last.push(looked.at_the_last_block(columns.len()));
        coarse.push(looked.places(taps));
    }
    coarse.dedup();
    let scale = SCALE.in_words();
    let rule = "Pictures by rule, not by taste: for two classes, one that every arm got right and \
                one that every arm (else some arm) got wrong, the one of median probability. Maps \
                are Grad-CAM (Selvaraju et al. 2017), negative parts cut off, enlarged bilinearly.";
    let classes = Classes::of(study);
    let mut content = vec![Block::Paragraph(rule.into())];
    for last in last.chunks(TOGETHER) {
        content.push(Block::Picture {
            caption: format!(
                "At the last block ({}), what speaks {}, {scale}, enlarged bilinearly: {}. {} Look \
                 whether the heat lies on what the picture shows, and whether the arms look at the \
                 same parts of it.",
                last_names(&blocks),
                classes.at_the_last_block(),
                names(last),
                coarse.join(" ")
            ),
            alt: format!("Grad-CAM at the last block of {}", names(last)),
            picture: Packed::jpeg(&strip(last, &columns, SCALE)?)?,
        });
    }
    for (taps, group) in by_taps(&blocks, said) {
        content.push(slider(taps, &group)?);
    }
    for (taps, group) in by_taps(&blocks, each) {
        for group in group.chunks(TOGETHER) {
            content.push(depth_strips(taps, group, classes)?);
        }
    }
    Ok(section("cams", "What the networks look at", content))
}

/// For which classes maps are drawn.
#[derive(Clone, Copy)]
enum Classes {
    Two,
    More,
}

impl Classes {
    fn of(study: &Study) -> Classes {
        if study.split.classes.len() == 2 { Classes::Two } else { Classes::More }
    }

    fn at_the_last_block(self) -> &'static str {
        match self {
            Classes::Two => "for either class",
            Classes::More => {
                "for the class it answers and for the true one (where it is right, one)"
            }
        }
    }

    fn in_depth(self) -> &'static str {
        match self {
            Classes::Two => "for both classes",
            Classes::More => "for the class it answers and, where that is wrong, for the true one",
        }
    }
}

/// The map at every block from the stem to the head, for two classes.
fn depth_strips(taps: &[String], group: &[StripArm], classes: Classes) -> Result<Block> {
    let (names, scale, whose) = (names(group), SCALE.in_words(), classes.in_depth());
    Ok(Block::Picture {
        caption: format!(
            "Depth strips: each picture from the stem to the last block, {whose}, {scale}, \
             enlarged bilinearly: {names}. Early blocks follow edges, late ones regions; look \
             where the class appears, and what spoke for the other one."
        ),
        alt: format!("Grad-CAM at every block of {names}"),
        picture: Packed::jpeg(&strip(group, taps, SCALE)?)?,
    })
}

/// One layer at a time, for the class that the arm predicted.
fn slider(taps: &[String], group: &[StripArm]) -> Result<Block> {
    let names = names(group);
    let frames = taps.iter().enumerate().map(|(at, tap)| {
        let picture = Packed::jpeg(&layer(group, at, SCALE))?;
        let alt = format!("Grad-CAM at {tap} of {names}");
        Ok(Frame { name: tap.clone(), picture, alt })
    });
    Ok(Block::Slider {
        caption: format!(
            "One layer at a time, for the class that the arm predicted, {}, enlarged bilinearly: \
             {names}. The pictures are above, each arm's maps below; move the slider from the stem \
             to the last block and look where the heat settles, and whether it settles alike.",
            SCALE.in_words()
        ),
        frames: frames.collect::<Result<_>>()?,
    })
}

fn names(group: &[StripArm]) -> String {
    group.iter().map(|arm| &*arm.name).collect::<Vec<_>>().join(", ")
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

/// What one arm's network looks at on the picked pictures.
struct Looked {
    name: String,
    pictures: Vec<LookedAt>,
}

/// One picture's maps.
struct LookedAt {
    /// "right cat", "P(cat) 0.93".
    verdict: [String; 2],
    /// The file's name.
    name: String,
    shown: RgbImage,
    /// The class predicted: which of `maps`.
    said: usize,
    /// Class names with their maps, one a tap: both of two classes; of more the predicted one and,
    /// where that is wrong, the true one.
    maps: Vec<(String, Vec<Map>)>,
}

/// One forward for all taps and classes; one backward for all taps and, with one logit, for both
/// classes.
fn look(
    study: &Study,
    shown: &FirstRun,
    picked: &[Picked],
    taps: &[String],
    dataset: &Dataset,
) -> Result<Looked> {
    let classes = &study.split.classes;
    let shares = |picked: &Picked| &shown.run.test.pictures[picked.place].probabilities;
    let said: Vec<i64> = picked.iter().map(|picked| predicted(shares(picked)).into()).collect();
    let choices = match classes.len() {
        2 => vec![vec![0; said.len()], vec![1; said.len()]],
        _ => vec![said.clone(), picked.iter().map(|picked| picked.label.into()).collect()],
    };
    let indices: Vec<u32> = picked.iter().map(|picked| picked.index).collect();
    let x = dataset.batch(&indices, Device::Cpu)?;
    let method = CamRow::find("grad-cam").expect("a row of the table");
    let cams: Vec<Cams> = explain_each(method, &shown.trained.model, &x, &choices, taps)?;
    let looked_at = |(n, picked): (usize, &Picked)| -> Result<LookedAt> {
        let class = said[n] as usize;
        let verdict = if class == picked.label as usize { "right" } else { "wrong" };
        // Of more than two classes the true one is not drawn again where it was predicted.
        let drawn = if classes.len() != 2 && verdict == "right" { 1 } else { 2 };
        let maps = choices.iter().zip(&cams).take(drawn);
        Ok(LookedAt {
            verdict: [
                format!("{verdict} {}", classes[picked.label as usize]),
                format!("P({}) {:.2}", classes[class], shares(picked)[class]),
            ],
            name: picked.name.clone(),
            shown: input(dataset, picked.index)?,
            said: if classes.len() == 2 { class } else { 0 },
            maps: maps
                .map(|(of, cams)| (classes[of[n] as usize].clone(), cams.of_picture(n)))
                .collect(),
        })
    };
    Ok(Looked {
        name: shown.run.name.to_string(),
        pictures: picked.iter().enumerate().map(looked_at).collect::<Result<_>>()?,
    })
}

impl Looked {
    /// A row a picture: the class that was predicted, at every tap.
    fn for_its_answer(&self) -> StripArm {
        self.strip(|at| vec![at.row(None, at.maps[at.said].1.clone())])
    }

    /// A row a picture and class, at every tap.
    fn for_each_class(&self) -> StripArm {
        self.strip(|at| {
            at.maps.iter().map(|(of, maps)| at.row(Some(of.as_str()), maps.clone())).collect()
        })
    }

    /// A row a picture: the last tap, in as many columns; where there are fewer classes the last
    /// one stands again.
    fn at_the_last_block(&self, columns: usize) -> StripArm {
        let last = |maps: &[Map]| maps.last().expect("a network has blocks").clone();
        self.strip(|at| {
            let map = |column: usize| last(&at.maps[column.min(at.maps.len() - 1)].1);
            vec![at.row(None, (0..columns).map(map).collect())]
        })
    }

    /// How fine the last block's maps are; where too coarse to be tested, which block is.
    fn places(&self, taps: &[String]) -> String {
        let maps: Vec<&Map> = self.pictures[0].maps[0].1.iter().collect();
        let (last, tested) = (maps[maps.len() - 1], fine_enough(&maps));
        let size = format!("These maps have {} × {} places", last.width, last.height);
        match tested + 1 == maps.len() {
            true => format!("{size}."),
            false => format!(
                "{size}; whether maps are to be believed is asked further down, at the last block \
                 with at least {COARSE} × {COARSE} ({}, in the slider below).",
                taps[tested]
            ),
        }
    }

    fn strip(&self, rows: impl Fn(&LookedAt) -> Vec<StripRow>) -> StripArm {
        StripArm { name: self.name.clone(), rows: self.pictures.iter().flat_map(rows).collect() }
    }
}

impl LookedAt {
    fn row(&self, of: Option<&str>, maps: Vec<Map>) -> StripRow {
        let mut label = self.verdict.to_vec();
        label.extend(of.map(|class| format!("heat for {class}")));
        label.push(self.name.clone());
        StripRow { label, picture: self.shown.clone(), maps }
    }
}

/// The titles of [`Looked::at_the_last_block`].
fn columns(classes: &[String]) -> Vec<String> {
    match classes.len() {
        2 => classes.iter().map(|class| format!("for {class}")).collect(),
        _ => ["for its answer", "for the true class"].map(String::from).to_vec(),
    }
}

/// A sample as a person sees it.
pub fn input(dataset: &Dataset, index: u32) -> Result<RgbImage, BadImage> {
    Ok(dataset.picture(index)?.into_shown())
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

    #[test]
    fn both_of_two_classes_have_a_row_and_the_answer_has_its_own() {
        let map = |v: f32| Map { height: 1, width: 1, signed: vec![v] };
        let looked = Looked {
            name: "avg seed 1".into(),
            pictures: vec![LookedAt {
                verdict: ["wrong cat".into(), "P(dog) 0.70".into()],
                name: "a.jpg".into(),
                shown: RgbImage::new(4, 4),
                said: 1,
                maps: vec![
                    ("cat".into(), vec![map(1.0), map(2.0)]),
                    ("dog".into(), vec![map(3.0), map(4.0)]),
                ],
            }],
        };
        let each = looked.for_each_class();
        assert_eq!(each.rows.len(), 2);
        let want = ["wrong cat", "P(dog) 0.70", "heat for dog", "a.jpg"];
        assert_eq!(each.rows[1].label, want);
        assert_eq!(looked.for_its_answer().rows[0].maps, [map(3.0), map(4.0)]);
        assert_eq!(looked.at_the_last_block(2).rows[0].maps, [map(2.0), map(4.0)]);
        let taps = ["a", "b"].map(String::from);
        assert_eq!(looked.places(&taps), "These maps have 1 × 1 places.");
    }

    #[test]
    fn of_more_classes_a_right_answer_is_drawn_once_and_coarse_maps_are_told() {
        let map = |side: u32| Map {
            height: side,
            width: side,
            signed: vec![1.0; (side * side) as usize],
        };
        let looked = Looked {
            name: "avg seed 1".into(),
            pictures: vec![LookedAt {
                verdict: ["right cat".into(), "P(cat) 0.70".into()],
                name: "a.jpg".into(),
                shown: RgbImage::new(4, 4),
                said: 0,
                maps: vec![("cat".into(), vec![map(4), map(2)])],
            }],
        };
        assert_eq!(looked.for_each_class().rows.len(), 1);
        assert_eq!(looked.at_the_last_block(2).rows[0].maps, [map(2), map(2)]);
        let taps = ["a", "b"].map(String::from);
        let told = looked.places(&taps);
        assert!(told.contains("2 × 2 places") && told.contains("(a, in the slider"), "{told}");
        let names = ["cat", "dog", "fox"].map(String::from);
        assert_eq!(columns(&names), ["for its answer", "for the true class"]);
        assert!(!Classes::More.in_depth().contains("both"));
    }
}
