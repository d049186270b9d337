//! Writes a report with every kind of block, to look at: made-up runs, drawn pictures and an
//! untrained network. Give pictures (paths) to see maps over photographs instead.
//!
//!     cargo run --release -p catscan-viz --example sample_report -- report.html [PICTURE…]

use catscan_models::{Convention, Memory, Model, ModelConfig, Pool, Pooling, Precision};
use catscan_viz::chart::{self, ArmCurves, ArmScores, EpochPoint, PartCounts, Prediction};
use catscan_viz::feature_maps::{GridLayout, grid};
use catscan_viz::report::{Block, Packed, Page, Section, Table, render};
use catscan_viz::strip::{ScaleRule, StripArm, StripRow, strip};
use catscan_viz::{VizError, cam};
use image::RgbImage;
use std::error::Error;
use tch::{Device, Kind, Tensor};

const SIZE_PX: u32 = 96;
const ARMS: [&str; 2] = ["avg", "max"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = arguments.next().ok_or("sample_report: no path given; name the file to write")?;
    let mut pictures = Vec::new();
    for path in arguments {
        let picture = image::open(&path)?.to_rgb8();
        let filter = image::imageops::FilterType::Triangle;
        pictures.push(image::imageops::resize(&picture, SIZE_PX, SIZE_PX, filter));
    }
    pictures.truncate(4);
    for index in pictures.len()..4 {
        let drawn = catscan_data::critters::draw(7, index as u64, SIZE_PX);
        pictures.push(RgbImage::from_raw(SIZE_PX, SIZE_PX, drawn.rgb).ok_or("a drawing's size")?);
    }
    let html = render(&page(&pictures)?)?;
    std::fs::write(&out, &html)?;
    println!("{out}: {} KiB", html.len() / 1024);
    Ok(())
}

fn page(pictures: &[RgbImage]) -> Result<Page, VizError> {
    let models = ARMS.map(untrained);
    Ok(Page {
        title: "pooling-compare".into(),
        question: "Does max pooling beat average pooling in DenseNet-121?".into(),
        answer: vec![
            "On these pictures max pooling is 2.9 points better: 91.0 % against 88.1 % test \
             accuracy, 95 % interval of the difference 0.6 to 5.2 points, n = 3 seeds an arm."
                .into(),
            "The interval leaves out zero, but it is wide: three seeds cannot tell a difference of \
             one point from five."
                .into(),
        ],
        notices: vec![
            "This page is a sample: its runs are made up and its network is untrained.".into(),
            "2 of 2,500 pictures were unreadable and were left out; they are listed below.".into(),
        ],
        sections: vec![
            Section { id: "results".into(), title: "Results".into(), blocks: results()? },
            Section { id: "training".into(), title: "Training".into(), blocks: training()? },
            Section { id: "errors".into(), title: "Where it goes wrong".into(), blocks: errors()? },
            Section {
                id: "scans".into(),
                title: "What the networks look at".into(),
                blocks: scans(&models, pictures)?,
            },
            Section { id: "repeat".into(), title: "To repeat it".into(), blocks: repeat() },
        ],
        footer: "Written by the sample_report example of catscan-viz.".into(),
    })
}

fn results() -> Result<Vec<Block>, VizError> {
    let scores =
        [("avg", [87.5, 88.9, 87.9], (86.3, 89.9)), ("max", [90.4, 91.9, 90.7], (89.0, 93.0))];
    let scores = scores.map(|(name, values, interval)| ArmScores {
        name: name.into(),
        seeds: (1..).zip(values).collect(),
        interval: Some(interval),
    });
    let parts = [("train", 850), ("val", 200), ("test", 199)]
        .map(|(part, each)| PartCounts { part: part.into(), counts: vec![each, each] });
    Ok(vec![
        Block::Table(table()),
        Block::Chart {
            caption:
                "Each point is a seed, the tick their mean, the bar the mean's 95 % interval. \
                      Look at whether the bars overlap."
                    .into(),
            panels: vec![chart::seed_points("Test accuracy", "test accuracy (%)", &scores)?],
        },
        Block::Chart {
            caption: "How many pictures of each class each part holds.".into(),
            panels: vec![chart::split_bars("Pictures", &classes(), &parts)?],
        },
        Block::Details {
            summary: "2 pictures left out".into(),
            blocks: vec![Block::List(vec![
                "cats/666.jpg: ends after 0 bytes".into(),
                "dogs/<b>11702</b>.jpg: an HTML page".into(),
            ])],
        },
    ])
}

fn table() -> Table {
    let row = |cells: &str| cells.split(" | ").map(String::from).collect();
    Table {
        caption: "Mean over 3 seeds with the 95 % interval (Student's t). Time on two cores."
            .into(),
        head: row(
            "arm | test accuracy (%) | 95 % interval | test loss | parameters | images/s | seconds",
        ),
        rows: vec![
            row("avg | 88.1 | 86.3 to 89.9 | 0.291 | 6,954,881 | 74.8 | 162"),
            row("max | 91.0 | 89.0 to 93.0 | 0.228 | 6,954,881 | 76.1 | 159"),
        ],
        numeric: (1..7).collect(),
    }
}

fn training() -> Result<Vec<Block>, VizError> {
    let arms: Vec<ArmCurves> = ARMS
        .iter()
        .enumerate()
        .map(|(a, name)| ArmCurves {
            name: (*name).into(),
            seeds: (0..3).map(|seed| made_up_curve(a as f64, f64::from(seed))).collect(),
        })
        .collect();
    let panels = chart::curves(&arms)?;
    Ok(vec![Block::Chart {
        caption: "Lines are means over 3 seeds, bands run from the lowest to the highest seed. Look \
                  at the gap between dashed and solid lines: it is what the network learned by heart."
            .into(),
        panels: vec![panels.loss, panels.accuracy],
    }])
}

fn made_up_curve(arm: f64, seed: f64) -> Vec<EpochPoint> {
    (1..=12)
        .map(|epoch| {
            let t = f64::from(epoch);
            let wobble = 0.02 * (t * 1.7 + seed * 2.1 + arm).sin();
            let fall = (-t / (5.0 - arm)).exp();
            EpochPoint {
                epoch,
                train_loss: 0.16 + 0.55 * fall + 0.4 * wobble,
                train_accuracy: 0.95 - 0.42 * fall - 0.3 * wobble,
                val_loss: 0.27 - 0.05 * arm + 0.45 * fall + wobble,
                val_accuracy: 0.88 + 0.03 * arm - 0.36 * fall - wobble,
            }
        })
        .collect()
}

fn errors() -> Result<Vec<Block>, VizError> {
    let mut matrices = Vec::new();
    let mut scatters = Vec::new();
    for (a, name) in ARMS.iter().enumerate() {
        let pictures = made_up_predictions(a as f32);
        let mut counts = vec![vec![0; 2]; 2];
        for picture in &pictures {
            counts[picture.label as usize][usize::from(picture.probabilities[1] > 0.5)] += 1;
        }
        matrices.push(chart::confusion(name, &classes(), &counts)?);
        scatters.push(chart::prediction_scatter(name, &classes(), &pictures)?);
    }
    Ok(vec![
        Block::Chart {
            caption: "Counts, and their share of the row. Look at which animal is mistaken more \
                      often."
                .into(),
            panels: matrices,
        },
        Block::Chart {
            caption:
                "Every test picture of seed 0. Dots are right, crosses wrong; sideways spread \
                      means nothing. Look at crosses far from the middle: errors made with \
                      confidence."
                    .into(),
            panels: scatters,
        },
    ])
}

fn made_up_predictions(arm: f32) -> Vec<Prediction> {
    (0..398u32)
        .map(|i| {
            let label = i % 2;
            let mixed = (i + 1).wrapping_mul(0x9E37_79B1);
            let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85EB_CA77);
            let chance = (mixed >> 8) as f32 / 16_777_216.0;
            let towards = chance.powf(5.5 + 1.5 * arm);
            let p = if label == 1 { 1.0 - towards } else { towards };
            Prediction { name: format!("{i:03}.jpg"), label, probabilities: vec![1.0 - p, p] }
        })
        .collect()
}

fn scans(models: &[Model; 2], pictures: &[RgbImage]) -> Result<Vec<Block>, VizError> {
    let batch = Tensor::cat(&pictures.iter().map(tensor).collect::<Vec<_>>(), 0);
    let taps = models[0].block_names();
    let labels = ["right cat", "right dog", "wrong cat", "wrong dog"];
    let arms: Result<Vec<StripArm>, VizError> = ARMS
        .iter()
        .zip(models)
        .map(|(name, model)| {
            let cams = cam::grad_cam(model, &batch, &[0, 1, 0, 1], &taps)?;
            let row = |n: usize| {
                let p = cams.probabilities[n][n % 2];
                StripRow {
                    label: vec![labels[n].into(), format!("P({}) {p:.2}", classes()[n % 2])],
                    picture: pictures[n].clone(),
                    maps: cams.of_picture(n),
                }
            };
            Ok(StripArm { name: (*name).into(), rows: (0..4).map(row).collect() })
        })
        .collect();
    let image = strip(&arms?, &taps, ScaleRule::EachMap)?;
    let maps = grid(&models[0], &batch.narrow(0, 1, 1), &pictures[1], &GridLayout::study())?;
    Ok(vec![
        Block::Picture {
            caption: "Grad-CAM for the true class at every block, from the stem to the head; each \
                      map by its own largest value. Look at whether the heat gathers on the animal \
                      as the network gets deeper."
                .into(),
            picture: Packed::jpeg(&image)?,
            alt: "Four pictures in two arms, each beside its heat maps at six depths.".into(),
        },
        Block::Picture {
            caption: maps.caption,
            picture: Packed::png(&maps.image)?,
            alt: "A grid of 120 small feature maps, from fine edges to coarse blocks.".into(),
        },
    ])
}

/// DenseNet-121 as its seed made it.
fn untrained(arm: &str) -> Model {
    let pool = if arm == "avg" { Pool::Avg } else { Pool::Max };
    let config = ModelConfig {
        name: "densenet121".into(),
        shape: None,
        pooling: Pooling::densenet(pool, pool),
        convention: Convention::Keras,
        in_channels: 3,
        outputs: 1,
        precision: Precision::Fp32,
        memory: Memory::Keep,
    };
    Model::build(&config, 1, Device::Cpu).expect("the registry holds this model")
}

/// `[1, 3, H, W]` in 0..=1.
fn tensor(picture: &RgbImage) -> Tensor {
    let size = i64::from(SIZE_PX);
    let bytes = Tensor::from_slice(picture.as_raw()).view([1, size, size, 3]);
    bytes.permute([0, 3, 1, 2]).contiguous().to_kind(Kind::Float) / 255.0
}

fn repeat() -> Vec<Block> {
    vec![
        Block::Code {
            title: "The command".into(),
            text: "cargo xtask experiment pooling-compare --profile quick --seeds 0,1,2".into(),
        },
        Block::Details {
            summary: "The recipe of avg, seed 0".into(),
            blocks: vec![Block::Code {
                title: String::new(),
                text: "{\n  \"model\": { \"name\": \"densenet121\" },\n  \"batch\": 20\n}".into(),
            }],
        },
    ]
}

fn classes() -> [String; 2] {
    ["cat".into(), "dog".into()]
}
