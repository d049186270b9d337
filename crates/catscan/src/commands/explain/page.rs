//! What `--html` writes: a page with a section a picture.

use anyhow::Result;
use catscan_viz::cam::CamRow;
use catscan_viz::feature_maps::FeatureGrid;
use catscan_viz::layer::layer;
use catscan_viz::report::{Block, Frame, Packed, Page, Section};
use catscan_viz::strip::{ScaleRule, StripArm};

use super::Drawn;
use super::masks::{self, OnMask};
use crate::compose::{self, table};

/// One picture's part of the page: its maps layer by layer, then the `figures` of feature maps.
pub(super) fn section(
    number: usize,
    name: &str,
    says: String,
    arm: &StripArm,
    taps: &[String],
    figures: [Option<&FeatureGrid>; 2],
) -> Result<Section> {
    let frame = |(at, tap): (usize, &String)| {
        let picture = Packed::jpeg(&layer(std::slice::from_ref(arm), at, ScaleRule::EachMap))?;
        Ok(Frame { name: tap.clone(), picture, alt: format!("{} at {tap}", arm.name) })
    };
    let frames = taps.iter().enumerate().map(frame).collect::<Result<_>>()?;
    let scale = ScaleRule::EachMap.in_words();
    let picture = |features: &FeatureGrid| -> Result<Block> {
        Ok(Block::Picture {
            caption: features.caption.clone(),
            picture: Packed::png(&features.image)?,
            alt: format!("Grid of {} feature maps", features.tiles.len()),
        })
    };
    let pictures = figures.into_iter().flatten().map(picture).collect::<Result<_>>()?;
    Ok(Section {
        id: format!("picture-{}", number + 1),
        title: name.to_owned(),
        blocks: vec![
            Block::Paragraph(says),
            Block::Slider {
                caption: format!("Above the picture, below the map, {scale}."),
                frames,
            },
            Block::Details { summary: "Feature maps".to_owned(), blocks: pictures },
        ],
    })
}

pub(super) fn page(drawn: &[Drawn], mut sections: Vec<Section>, method: &CamRow) -> Page {
    // With `--class` the probability is of the class asked about, which the sections say.
    let answer = |drawn: &Drawn| match drawn.class == drawn.predicted {
        true => format!("{}: {}, {:.2}", drawn.picture, drawn.predicted, drawn.probability),
        false => format!("{}: {}", drawn.picture, drawn.predicted),
    };
    let on_masks: Vec<&OnMask> = drawn.iter().filter_map(|drawn| drawn.on_mask.as_ref()).collect();
    if !on_masks.is_empty() {
        let blocks = vec![table(masks::summary(&on_masks), masks::UNDER)];
        sections.push(compose::section("masks", "On the masks", blocks));
    }
    let empty = drawn.iter().filter(|drawn| !drawn.empty_taps.is_empty());
    Page {
        title: "What the network looks at".to_owned(),
        question: format!("{}: {}", method.name, method.about),
        answer: drawn.iter().map(answer).collect(),
        notices: empty.map(nothing_there).collect(),
        sections,
        footer: format!("Written by catscan {}.", env!("CARGO_PKG_VERSION")),
    }
}

/// The taps of a picture at which there is nothing to see, in words.
pub(super) fn nothing_there(drawn: &Drawn) -> String {
    let (class, taps) = (&drawn.class, drawn.empty_taps.join(", "));
    format!("{}: nothing speaks for {class} at {taps}", drawn.picture)
}
