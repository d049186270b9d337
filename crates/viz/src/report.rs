//! The report: a [`Page`] of sections and blocks becomes one HTML file that needs nothing else.
//!
//! - Every text is escaped by the template engine; only [`Svg`] and [`Packed`], which nobody but
//!   this crate can make, are printed as they are.
//! - A Content-Security-Policy forbids everything but our own style sheet and script, each named by
//!   its hash, and pictures inside the page. The script moves sliders and saves figures and tables;
//!   without it, everything is still shown.
//! - Question and answer stand first, then what one must know to believe it, then the rest.

mod markdown;
mod packed;

pub use markdown::markdown;
pub use packed::Packed;

use crate::{Svg, VizError};
use base64::Engine;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The page's style sheet; its hash is named in the policy, so it is printed exactly as it is.
const STYLE: &str = include_str!("report/style.css");
/// The page's script, likewise.
const SCRIPT: &str = include_str!("report/script.js");

/// A report.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The heading.
    pub title: String,
    /// What was asked, fixed before any run.
    pub question: String,
    /// The answer in words with its uncertainty, one string a paragraph.
    pub answer: Vec<String>,
    /// What one must know before believing it: drawings, skipped pictures, too few seeds.
    pub notices: Vec<String>,
    /// The rest, in reading order.
    pub sections: Vec<Section>,
    /// Small print: the program, its version, the time.
    pub footer: String,
}

/// A part of the report with a heading and an entry in the table of contents.
#[derive(Debug, Clone)]
pub struct Section {
    /// The anchor. Made of letters, digits and dashes; anything else is turned into dashes.
    pub id: String,
    /// The heading.
    pub title: String,
    /// Its content, in reading order.
    pub blocks: Vec<Block>,
}

/// A piece of a section. All text is plain: markup in it is shown, not obeyed.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", content = "is", rename_all = "lowercase")]
pub enum Block {
    /// One paragraph.
    Paragraph(String),
    /// A list of points.
    List(Vec<String>),
    /// A table that scrolls by itself where the screen is narrow.
    Table(Table),
    /// Panels of one figure, side by side where there is room.
    Chart {
        /// What it shows and what to look for.
        caption: String,
        /// The panels, in reading order.
        panels: Vec<Svg>,
    },
    /// A picture made of pixels.
    Picture {
        /// What it shows and what to look for.
        caption: String,
        /// The picture.
        picture: Packed,
        /// What the picture shows, for those who do not see it.
        alt: String,
    },
    /// Pictures of one kind of which one is looked at at a time, such as a network's layers.
    Slider {
        /// What it shows and what to look for.
        caption: String,
        /// In their natural order.
        frames: Vec<Frame>,
    },
    /// Small pictures, each with a line of its own.
    Gallery {
        /// Why these, and what to look for.
        caption: String,
        /// In reading order.
        pictures: Vec<Thumb>,
    },
    /// Text kept as it is: a command, a recipe.
    Code {
        /// What the text is.
        title: String,
        /// The text.
        text: String,
    },
    /// Folded away until asked for; printed in full.
    Details {
        /// What unfolds it.
        summary: String,
        /// What is folded away.
        blocks: Vec<Block>,
    },
}

/// One picture of a slider.
#[derive(Debug, Clone, Serialize)]
pub struct Frame {
    /// What the slider calls it.
    pub name: String,
    /// The picture; all of a slider should be of one size.
    pub picture: Packed,
    /// What the picture shows, for those who do not see it.
    pub alt: String,
}

/// One picture of a gallery.
#[derive(Debug, Clone, Serialize)]
pub struct Thumb {
    /// The picture.
    pub picture: Packed,
    /// Under it, one string a line.
    pub lines: Vec<String>,
}

/// A table of ready-made text. The first cell of a row is its heading.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// What it shows and what to look for.
    pub caption: String,
    /// One heading per column.
    pub head: Vec<String>,
    /// One cell per column.
    pub rows: Vec<Vec<String>>,
    /// The columns (from 0) that hold numbers: set right, with figures of one width.
    pub numeric: Vec<usize>,
}

/// Renders `page` as one self-contained HTML file.
///
/// # Errors
/// Only if the template itself is broken, which a test rules out.
pub fn render(page: &Page) -> Result<String, VizError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page.html", include_str!("report/page.html"))?;
    environment.add_template("block.html", include_str!("report/block.html"))?;
    environment.add_template("table.html", include_str!("report/table.html"))?;
    let sections: Vec<_> = anchors(&page.sections)
        .into_iter()
        .zip(&page.sections)
        .map(|(id, section)| {
            context! { id, title => section.title, blocks => section.blocks }
        })
        .collect();
    let html = environment.get_template("page.html")?.render(context! {
        policy => policy(STYLE, SCRIPT, ""),
        style => STYLE,
        script => SCRIPT,
        title => page.title,
        question => page.question,
        answer => page.answer,
        notices => page.notices,
        sections,
        footer => page.footer,
    })?;
    Ok(html)
}

/// The Content-Security-Policy of a page that holds one style sheet and one script: nothing but
/// these, each by its hash, and pictures inside the page; and what `more` allows.
pub fn policy(style: &str, script: &str, more: &str) -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    let (style, script) = (hash(style), hash(script));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; \
         img-src data:; base-uri 'none'; form-action 'none'"
    );
    if more.is_empty() { policy } else { format!("{policy}; {more}") }
}

/// One anchor per section, safe in a link and used once.
fn anchors(sections: &[Section]) -> Vec<String> {
    let mut used = HashSet::new();
    let anchor = |section: &Section| {
        let keep = |c: char| {
            if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }
        };
        let plain: String = section.id.chars().map(keep).collect();
        let base = match plain.trim_matches('-') {
            "" => "section",
            base => base,
        };
        let again = (2..).map(|n| format!("{base}-{n}"));
        let free = std::iter::once(base.to_owned()).chain(again).find(|id| !used.contains(id));
        let id = free.expect("there are endlessly many numbers");
        used.insert(id.clone());
        id
    };
    sections.iter().map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: &str) -> Section {
        Section { id: id.to_owned(), title: "t".to_owned(), blocks: Vec::new() }
    }

    #[test]
    fn anchors_are_plain_and_unique() {
        let sections = ["Curves!", "curves", "\"><script>", "", "main"].map(section);
        let ids = anchors(&sections);
        assert_eq!(ids, ["curves", "curves-2", "script", "section", "main"]);
    }

    #[test]
    fn the_style_sheet_and_the_script_are_printed_as_hashed() {
        let html = render(&Page::default()).unwrap();
        let start = html.find("<script>").unwrap() + "<script>".len();
        let end = html.find("</script>").unwrap();
        assert_eq!(&html[start..end], SCRIPT);
        let start = html.find("<style>").unwrap() + "<style>".len();
        let end = html.find("</style>").unwrap();
        assert_eq!(&html[start..end], STYLE);
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
