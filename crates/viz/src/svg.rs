//! An SVG picture that is safe to put into a page as it is, and how plotters' markup becomes one.
//!
//! Plotters can neither dash a line nor leave a colour to the page. So the charts draw with two
//! stand-ins, `INK` and `DASHED`, and `Svg::finish` puts the real attributes in their places.
//! Attributes only, never `style="…"`: the report's Content-Security-Policy forbids inline styles.

use crate::report::Table;
use plotters::style::RGBColor;
use serde::ser::SerializeStruct;

/// Stands for the page's text colour (`currentColor`): dark on a light page, light on a dark one.
pub(crate) const INK: RGBColor = RGBColor(1, 2, 3);
/// A stroke width that stands for a dashed line.
pub(crate) const DASHED: u32 = 97;
/// Plotters knows whole pixels only. Charts are drawn this many times too large and shown smaller,
/// so that curves do not look like stairs.
pub(crate) const FINE: u32 = 4;

/// SVG markup made by this crate: its text is escaped; it holds no script, no style and no link.
/// Only this crate can make one, which is why the report may print it unescaped.
#[derive(Debug, Clone, PartialEq)]
pub struct Svg {
    markup: String,
    values: Table,
}

impl serde::Serialize for Svg {
    /// What the report's template prints: `markup`, and `values` as a table.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Svg", 2)?;
        fields.serialize_field("markup", &self.markup)?;
        fields.serialize_field("values", &self.values)?;
        fields.end()
    }
}

impl Svg {
    /// The markup, as a file of its own would hold it.
    pub fn as_str(&self) -> &str {
        &self.markup
    }

    /// What it shows, as a table: for those who cannot point at it.
    pub fn values(&self) -> &Table {
        &self.values
    }

    /// The same chart with what it shows as a table.
    pub(crate) fn with_values(self, values: Table) -> Svg {
        Svg { values, ..self }
    }

    /// What is read aloud of it, as plain text.
    pub fn said(&self) -> String {
        let label =
            self.markup.split_once("aria-label=\"").and_then(|(_, rest)| rest.split_once('"'));
        let label = label.map_or("", |(label, _)| label);
        let names =
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        names.iter().fold(label.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// Turns plotters' `raw` markup of `size` (fine pixels) into a picture that scales, speaks
    /// (`label` is read aloud, and is its title) and takes its ink from the page. `extra` is markup
    /// of this crate's own, drawn on top.
    pub(crate) fn finish(raw: &str, size: (u32, u32), label: &str, extra: &str) -> Svg {
        let start = raw.find('>').map_or(0, |at| at + 1);
        let body = raw[start..]
            .trim_end()
            .trim_end_matches("</svg>")
            .replace("\"#010203\"", "\"currentColor\"")
            .replace(
                &format!("stroke-width=\"{DASHED}\""),
                &format!(
                    "stroke-width=\"{}\" stroke-dasharray=\"{} {}\"",
                    2 * FINE,
                    6 * FINE,
                    4 * FINE
                ),
            )
            // A full opacity is the default; half of a chart's bytes would say so.
            .replace(" opacity=\"1\"", "");
        let label = escape(label);
        let (width, height) = size;
        let markup = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"{label}\">\n\
             <title>{label}</title>\n{}\n{extra}</svg>\n",
            width / FINE,
            height / FINE,
            body.trim()
        );
        Svg { markup, values: Table::default() }
    }
}

/// Text made harmless inside markup and quoted attributes. Control characters, which XML forbids,
/// become spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_picture_scales_and_takes_the_pages_ink() {
        let raw = "<svg width=\"40\" height=\"20\" viewBox=\"0 0 40 20\">\n\
                   <line opacity=\"1\" stroke=\"#010203\" stroke-width=\"97\"/>\n</svg>\n";
        let svg = Svg::finish(raw, (40, 20), "a \"b\" <c>", "<path d=\"M0 0\"/>");
        let text = svg.as_str();
        assert!(text.contains("viewBox=\"0 0 40 20\" width=\"10\" height=\"5\""));
        assert!(text.contains("stroke=\"currentColor\""));
        assert!(text.contains("stroke-dasharray") && !text.contains("\"97\""));
        assert!(text.contains("<title>a &quot;b&quot; &lt;c&gt;</title>"));
        assert_eq!(svg.said(), "a \"b\" <c>");
        assert_eq!(text.matches("</svg>").count(), 1);
        assert!(text.contains("<path d=\"M0 0\"/></svg>"));
        assert!(!text.contains("style="));
    }

    #[test]
    fn escaping_leaves_nothing_that_could_open_a_tag_or_close_a_quote() {
        let hostile = "\"><img src=x onerror=alert(1)>'&\u{0}";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}']));
    }
}
