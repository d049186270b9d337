//! What `--html` writes: a page with a section a picture.

use anyhow::Result;
use catscan_data::RgbImage;
use catscan_viz::cam::CamRow;
use catscan_viz::feature_maps::{FeatureGrid, beside};
use catscan_viz::report::{Block, Frame, Packed, Page, Section};
use catscan_viz::strip::ScaleRule;

use super::figures::{Group, Place, frame, named};
use super::look::{NetworkView, PictureViews};
use super::masks;
use super::record::{ScanRecord, on_masks, several};
use crate::compose::{self, table};

/// One picture's part of the page: what was said of it, its maps layer by layer, its feature maps.
pub fn section(
    place: Place,
    name: &str,
    method: &str,
    seen: &PictureViews,
    groups: &[Group],
) -> Result<Section> {
    let several = seen.by.len() > 1;
    let said = seen.by.iter().map(|by| says(method, by, several)).collect();
    let mut blocks = vec![Block::List(said)];
    for group in groups {
        blocks.push(slider(method, group)?);
    }
    blocks.push(Block::Details { summary: "Feature maps".to_owned(), blocks: features(seen)? });
    Ok(Section { id: format!("picture-{place}"), title: name.to_owned(), blocks })
}

fn says(method: &str, by: &NetworkView, several: bool) -> String {
    let whose = if several { format!("{}: ", by.network) } else { String::new() };
    format!(
        "{whose}predicted {}, with probability {:.4}. The maps are {method} for {}, whose \
         probability is {:.4}.",
        by.predicted, by.predicted_probability, by.class, by.probability
    )
}

fn slider(method: &str, group: &Group) -> Result<Block> {
    let names: Vec<&str> = group.arms.iter().map(|(name, _)| *name).collect();
    let several = names.len() > 1;
    let whose = if several { format!(" of {}", names.join("; ")) } else { String::new() };
    let one = |(at, tap): (usize, &String)| {
        let picture = Packed::jpeg(&frame(group, at))?;
        Ok(Frame { name: tap.clone(), picture, alt: format!("{method} at {tap}{whose}") })
    };
    let frames = group.titles.iter().enumerate().map(one).collect::<Result<_>>()?;
    let side = if several { ", the networks side by side" } else { "" };
    Ok(Block::Slider {
        caption: format!(
            "Above the picture, below the map's positive part, enlarged bilinearly, {}{side}.",
            ScaleRule::EachMap.in_words()
        ),
        frames,
    })
}

/// The study's figure of each network, then the channels asked for, side by side.
fn features(seen: &PictureViews) -> Result<Vec<Block>> {
    let several = seen.by.len() > 1;
    let whose =
        |by: &NetworkView| if several { format!("{}. ", by.network) } else { String::new() };
    let figure = |caption: String, alt: String, image: &RgbImage| -> Result<Block> {
        Ok(Block::Picture { caption, picture: Packed::png_quickly(image)?, alt })
    };
    let mut blocks = Vec::new();
    for by in &seen.by {
        let alt = format!("{}Grid of {} feature maps", whose(by), by.features.tiles.len());
        blocks.push(figure(whose(by) + &by.features.caption, alt, &by.features.image)?);
    }
    let drawn: Vec<(&NetworkView, &FeatureGrid)> =
        seen.by.iter().filter_map(|by| Some((by, by.channels.as_ref()?))).collect();
    if let Some((_, first)) = drawn.first() {
        let alike = drawn.iter().all(|(_, figure)| figure.caption == first.caption);
        let names: Vec<&str> = drawn.iter().map(|(by, _)| by.network).collect();
        let each = |(by, figure): &(&NetworkView, &FeatureGrid)| whose(by) + &figure.caption;
        let caption = match alike && several {
            true => format!("Side by side {}. Each: {}", names.join("; "), first.caption),
            false => drawn.iter().map(each).collect::<Vec<_>>().join(" "),
        };
        let image = named(seen, beside, |by| by.channels.as_ref());
        blocks.push(figure(caption, "Channels of one layer".to_owned(), &image)?);
    }
    Ok(blocks)
}

pub fn page(drawn: &[ScanRecord], mut sections: Vec<Section>, method: &CamRow) -> Page {
    let several = several(drawn);
    let answer = |drawn: &ScanRecord| {
        let said = format!("{}, {:.2}", drawn.predicted, drawn.predicted_probability);
        let asked = match drawn.class == drawn.predicted {
            true => String::new(),
            false => format!("; asked for {}, {:.2}", drawn.class, drawn.probability),
        };
        format!("{}: {said}{asked}", drawn.name(several))
    };
    if let Some(summary) = on_masks(drawn) {
        let blocks = vec![table(summary, masks::UNDER)];
        sections.push(compose::section("masks", "On the masks", blocks));
    }
    let empty = drawn.iter().filter(|drawn| !drawn.empty_taps.is_empty());
    Page {
        title: "What the network looks at".to_owned(),
        question: format!("{}: {}", method.name, method.about),
        answer: drawn.iter().map(answer).collect(),
        notices: empty.map(|drawn| drawn.nothing_there(several)).collect(),
        sections,
        footer: format!("Written by catscan {}.", env!("CARGO_PKG_VERSION")),
    }
}
