//! Feature maps: what the convolutions hold, on the same picture for every arm; one channel of
//! every convolution, and the strongest channels of one layer.

use anyhow::{Context, Result};
use catscan_data::Dataset;
use catscan_viz::colormap::Colormap;
use catscan_viz::feature_maps::{
    ChannelLayout, ChannelScale, GridLayout, Order, beside, channels, grid,
};
use catscan_viz::report::{Block, Packed, Section};
use tch::Device;

use super::pick::{Picked, right_and_wrong};
use super::scans::input;
use super::{FirstRun, section};
use crate::files::write_file;

/// All convolutions' outputs for one picture, an arm at a time; also kept in each run's `scans/`.
pub fn feature_maps(shown: &[FirstRun], dataset: &Dataset) -> Result<Section> {
    let picked = right_and_wrong(shown, dataset);
    // The study showed a dog; the last class's right picture is one.
    let picture = picked.iter().take(2).next_back().context("the test part holds no pictures")?;
    let x = dataset.batch(&[picture.index], Device::Cpu)?;
    let mut blocks = vec![Block::Paragraph(format!(
        "The same test picture ({}) through each arm's first seed.",
        picture.name
    ))];
    for FirstRun { run, trained } in shown {
        let maps = grid(&trained.model, &x, &input(dataset, picture.index)?, &GridLayout::study())?;
        let picture = Packed::png(&maps.image)?;
        write_file(&run.record.folder.join("scans/feature-maps.png"), picture.bytes())?;
        blocks.push(Block::Picture {
            caption: format!("{}. {}", run.name, maps.caption),
            alt: format!("Grid of {} feature maps of arm {}", maps.tiles.len(), run.name.arm),
            picture,
        });
    }
    blocks.push(of_one_layer(shown, dataset, picture)?);
    Ok(section("feature-maps", "Feature maps", blocks))
}

/// All channels of one layer, the arms side by side: the same picture, the same kind of layer.
fn of_one_layer(shown: &[FirstRun], dataset: &Dataset, picture: &Picked) -> Result<Block> {
    let x = dataset.batch(&[picture.index], Device::Cpu)?;
    let layout = ChannelLayout {
        columns: 6,
        tile_px: 72,
        order: Order::Weight { class: i64::from(picture.label) },
        scale: ChannelScale::Row,
        colormap: Colormap::Viridis,
        most: 36,
    };
    let mut drawn = Vec::new();
    for FirstRun { run, trained } in shown {
        let tap = middle_block(&trained.model.block_names());
        let shown = input(dataset, picture.index)?;
        let figure = channels(&trained.model, &x, &shown, &tap, &layout)?;
        drawn.push((run.name.to_string(), figure));
    }
    let images: Vec<_> = drawn.iter().map(|(name, figure)| (&**name, &figure.image)).collect();
    let mut captions: Vec<String> =
        drawn.iter().map(|(name, figure)| format!("{name}: {}", figure.caption)).collect();
    if drawn.iter().all(|(_, figure)| figure.caption == drawn[0].1.caption) {
        captions = vec![format!("Each: {}", drawn[0].1.caption)];
    }
    Ok(Block::Picture {
        caption: format!(
            "The channels of one layer that speak most for {} on the same picture, the arms side \
             by side. {}",
            dataset.classes[picture.label as usize],
            captions.join(" "),
        ),
        alt: "Grids of the strongest channels of one layer, an arm beside the other".into(),
        picture: Packed::png(&beside(&images))?,
    })
}

/// Just before half way from the stem to the head: coarse enough to mean something, fine enough to
/// be seen.
fn middle_block(blocks: &[String]) -> String {
    blocks[blocks.len().saturating_sub(1) / 2].clone()
}
