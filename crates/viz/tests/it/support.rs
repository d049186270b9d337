//! What several of the tests need: a model, pictures, a filled page, a parser's view of it.

use catscan_models::{Convention, Memory, Model, ModelConfig, Pool, Pooling, Precision};
use catscan_viz::report::{Block, Frame, Packed, Page, Section, Table, Thumb};
use catscan_viz::{Svg, chart, report};
use serde_json::Value;
use tch::Device;

pub use super::closed_form::{fill, pictures};

pub fn model(name: &str, outputs: i64) -> Model {
    let config = ModelConfig {
        name: name.to_owned(),
        shape: None,
        pooling: Pooling::densenet(Pool::Avg, Pool::Avg),
        convention: Convention::Torchvision,
        in_channels: 3,
        outputs,
        precision: Precision::Fp32,
        memory: Memory::Keep,
    };
    Model::build(&config, 7, Device::Cpu).unwrap()
}

/// A golden's list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// A panel of every kind of chart, in which every text is `text`.
fn panels_of(text: &str) -> Vec<Svg> {
    let s = || text.to_owned();
    let classes = [s(), s()];
    let point = chart::EpochPoint {
        epoch: 1,
        train_loss: 0.5,
        train_accuracy: 0.5,
        val_loss: 0.5,
        val_accuracy: 0.5,
    };
    let arm = chart::ArmCurves { name: s(), seeds: vec![vec![point]] };
    let scores = chart::ArmScores { name: s(), seeds: vec![(1, 1.0), (2, 2.0)], interval: None };
    let part = chart::PartCounts { part: s(), counts: vec![1, 2] };
    let seen = chart::Prediction { name: s(), label: 0, probabilities: vec![0.3, 0.7] };
    let line = chart::Line { name: s(), seed: Some(1), points: vec![(0.0, 1.0), (1.0, 2.0)] };
    let axes = chart::Axes { x: text, diagonal: true };
    let curves = chart::curves(&[arm]).unwrap();
    let heat = chart::HeatMap {
        title: s(),
        rows: vec![s()],
        columns: vec![s(), s()],
        values: vec![vec![1.0, f64::NAN]],
    };
    let heat_axes = chart::HeatAxes { x: text, value: text, written: |value| value.to_string() };
    let mut panels = chart::heat_maps(heat_axes, &[heat]).unwrap();
    panels.extend([
        chart::lines(text, axes, &[line]).unwrap(),
        curves.loss,
        curves.accuracy,
        chart::seed_points(text, text, std::slice::from_ref(&scores)).unwrap(),
        chart::seed_differences(text, text, &[scores]).unwrap(),
        chart::confusion(text, &classes, &[vec![1, 2], vec![3, 4]]).unwrap(),
        chart::split_bars(text, &classes, &[part]).unwrap(),
        chart::prediction_scatter(text, &classes, &[seen]).unwrap(),
    ]);
    panels
}

/// A page with a block of every kind, in which every text is `text`.
pub fn page_of(text: &str) -> Page {
    let s = || text.to_owned();
    let image = image::RgbImage::from_pixel(4, 4, image::Rgb([1, 2, 3]));
    let table =
        Table { caption: s(), head: vec![s(), s()], rows: vec![vec![s(), s()]], numeric: vec![1] };
    let (caption, alt) = (s(), s());
    let picture = Packed::png(&image).unwrap();
    let frame = || Frame { name: s(), picture: picture.clone(), alt: s() };
    let thumb = Thumb { picture: picture.clone(), lines: vec![s(), s()] };
    let blocks = vec![
        Block::Paragraph(s()),
        Block::List(vec![s()]),
        Block::Table(table),
        Block::Chart { caption: s(), panels: panels_of(text) },
        Block::Picture { caption, picture: picture.clone(), alt },
        Block::Slider { caption: s(), frames: vec![frame(), frame(), frame()] },
        Block::Gallery { caption: s(), pictures: vec![thumb] },
        Block::Code { title: s(), text: s() },
    ];
    let folded = Block::Details { summary: s(), blocks: blocks.clone() };
    let section = |blocks| Section { id: s(), title: s(), blocks };
    Page {
        title: s(),
        question: s(),
        answer: vec![s()],
        notices: vec![s()],
        sections: vec![section(blocks), section(vec![folded])],
        footer: s(),
    }
}

/// The page as a browser's parser sees it.
pub fn parsed(page: &Page) -> (String, scraper::Html) {
    let html = report::render(page).unwrap();
    let document = scraper::Html::parse_document(&html);
    (html, document)
}

/// How many elements `selector` finds.
pub fn count(document: &scraper::Html, selector: &str) -> usize {
    document.select(&scraper::Selector::parse(selector).unwrap()).count()
}
