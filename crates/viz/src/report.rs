//! Report
use crate::{Svg, VizError};
use image::RgbImage;
/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub title: String,
    pub question: String,
    /// The answer in words, with its uncertainty; one paragraph each.
    pub answer: Vec<String>,
    /// What the reader must know before believing it ("these are drawings", skipped pictures).
    pub notices: Vec<String>,
    pub sections: Vec<Section>,
    /// Small print at the foot: the program, its version, when.
    pub footer: String,
}
/// A section.
#[derive(Debug, Clone)]
pub struct Section {
    /// The anchor; letters, digits and dashes.
    pub id: String,
    pub title: String,
    pub blocks: Vec<Block>,
}
/// A table of ready-made text.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Indices of the columns that hold numbers: set right, with figures of one width.
    pub numeric: Vec<usize>,
}
/// A picture packed for a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    mime: &'static str,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}
impl Packed {
    /// Lossless: for drawings, text and feature maps.
    pub fn png(_image: &RgbImage) -> Result<Packed, VizError> {
        todo!()
    }
    /// Quality 85: for photographs.
    pub fn jpeg(_image: &RgbImage) -> Result<Packed, VizError> {
        todo!()
    }
}
/// A piece of a section.
#[derive(Debug, Clone)]
pub enum Block {
    Paragraph(String),
    List(Vec<String>),
    Table(Table),
    Chart { caption: String, svg: Svg },
    Picture { caption: String, picture: Packed, alt: String },
    Code { title: String, text: String },
    Details { summary: String, blocks: Vec<Block> },
}
pub fn render(_page: &Page) -> Result<String, VizError> {
    todo!()
}
