//! The colours of arms: Okabe and Ito's set ("Color Universal Design", 2008,
//! <https://jfly.uni-koeln.de/color/>), which colour-blind readers can tell apart.
//!
//! What we do differently: the set's yellow, orange and sky blue are too pale on a white page, so
//! the last two are darkened and yellow is left out. Every colour keeps a contrast of at least 3
//! (WCAG 2.1, 1.4.11) against both pages of the report, white and nearly black; a test holds it so.

use plotters::style::RGBColor;

/// Blue, vermilion, green, purple, dark orange, dark sky.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x78, 0xb8),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x96, 0x6d),
    RGBColor(0xc0, 0x6a, 0x9a),
    RGBColor(0xb0, 0x7c, 0x00),
    RGBColor(0x3b, 0x8f, 0xb5),
];

/// The colour of the arm at `index`; after the sixth they come again.
pub(crate) fn arm(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// The colour of the class at `index`: other ones than the first arms', which stand on the same
/// page.
pub(crate) fn class(index: usize) -> RGBColor {
    arm(index + 2)
}

/// What went wrong: vermilion, always beside another shape.
pub(crate) const WRONG: RGBColor = COLOURS[1];
/// What went right.
pub(crate) const RIGHT: RGBColor = COLOURS[0];

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.1.
    fn luminance(colour: RGBColor) -> f64 {
        let linear = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.03928 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
    }

    #[test]
    fn every_colour_shows_on_the_light_and_on_the_dark_page() {
        for colour in COLOURS {
            for page in [RGBColor(0xff, 0xff, 0xff), RGBColor(0x14, 0x17, 0x1c)] {
                let (a, b) = (luminance(colour), luminance(page));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 3.0, "{colour:?} on {page:?}: {contrast:.2}");
            }
        }
    }
}
