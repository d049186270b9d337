//! The picture and, under it, the plane of evidence: whatever is painted also says whether it is
//! evidence, hides evidence, or leaves it as it is. So the mask is right by construction, however
//! many hats and leaves come to lie on top.

use super::colour::Colour;
use super::shapes::Point;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path, Pixmap,
    Shader, SpreadMode, Stroke, Transform,
};

/// What a stroke of paint does to the evidence below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// It tells the classes apart: the pixels become evidence.
    Evidence,
    /// It covers what lies below: the pixels are evidence no more.
    Cover,
    /// It only tints (shadows, markings on fur), or nothing lies below it yet.
    Keep,
}

/// What to paint with.
#[derive(Clone, Copy, Debug)]
pub enum Ink {
    Solid(Colour),
    /// A colour with an opacity in 0..1.
    Glass(Colour, f32),
    /// A blend between two colours at two points of the frame.
    Blend(Point, Colour, Point, Colour),
}

pub struct Canvas {
    picture: Pixmap,
    evidence: Pixmap,
    size_px: f32,
    frame: Transform,
    clip: Option<Mask>,
}

impl Canvas {
    /// A square canvas; at first the frame is the unit square.
    pub fn new(size_px: u32) -> Canvas {
        let plane = || Pixmap::new(size_px, size_px).expect("a size from 1 to 65535 px");
        let frame = Transform::from_scale(size_px as f32, size_px as f32);
        let size = size_px as f32;
        Canvas { picture: plane(), evidence: plane(), size_px: size, frame, clip: None }
    }

    /// Draws from now on in the frame that `place` maps into the unit square.
    pub fn enter(&mut self, place: Transform) {
        self.frame = place.post_scale(self.size_px, self.size_px);
    }

    /// Paints from now on only inside this path.
    pub fn clip(&mut self, path: &Path) {
        let (width, height) = (self.picture.width(), self.picture.height());
        let mut mask = Mask::new(width, height).expect("the size of a picture that exists");
        mask.fill_path(path, FillRule::Winding, true, self.frame);
        self.clip = Some(mask);
    }

    pub fn unclip(&mut self) {
        self.clip = None;
    }

    pub fn fill(&mut self, path: &Path, ink: Ink, mark: Mark) {
        let (rule, frame, clip) = (FillRule::Winding, self.frame, self.clip.as_ref());
        self.picture.fill_path(path, &paint(ink), rule, frame, clip);
        if let Some(value) = plane_value(mark) {
            self.evidence.fill_path(path, &paint(Ink::Solid(value)), rule, frame, clip);
        }
    }

    /// A stroke `width` wide in the frame's units, with round ends.
    pub fn stroke(&mut self, path: &Path, ink: Ink, width: f32, mark: Mark) {
        let (frame, clip) = (self.frame, self.clip.as_ref());
        self.picture.stroke_path(path, &paint(ink), &pen(width), frame, clip);
        if let Some(value) = plane_value(mark) {
            let ink = paint(Ink::Solid(value));
            self.evidence.stroke_path(path, &ink, &pen(width), frame, clip);
        }
    }

    /// Makes a band around a line evidence without painting: whiskers are thinner than a pixel
    /// of a small picture.
    pub fn mark_along(&mut self, path: &Path, width: f32) {
        let ink = paint(Ink::Solid(Colour(1.0, 1.0, 1.0)));
        self.evidence.stroke_path(path, &ink, &pen(width), self.frame, None);
    }

    /// The picture `[H, W, 3]` and the evidence `[H, W]`: 255 where it fills a quarter of a pixel
    /// or more, else 0.
    pub fn into_planes(self) -> (Vec<u8>, Vec<u8>) {
        let rgb = self.picture.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let whole = |p: &[u8]| if p[0] >= 64 { 255 } else { 0 };
        (rgb, self.evidence.data().chunks_exact(4).map(whole).collect())
    }
}

fn plane_value(mark: Mark) -> Option<Colour> {
    match mark {
        Mark::Evidence => Some(Colour(1.0, 1.0, 1.0)),
        Mark::Cover => Some(Colour(0.0, 0.0, 0.0)),
        Mark::Keep => None,
    }
}

fn pen(width: f32) -> Stroke {
    Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() }
}

fn skia(colour: Colour, opacity: f32) -> Color {
    let channel = |value: f32| value.clamp(0.0, 1.0);
    Color::from_rgba(channel(colour.0), channel(colour.1), channel(colour.2), opacity)
        .expect("channels in 0..1")
}

fn paint(ink: Ink) -> Paint<'static> {
    let shader = match ink {
        Ink::Solid(colour) => Shader::SolidColor(skia(colour, 1.0)),
        Ink::Glass(colour, opacity) => Shader::SolidColor(skia(colour, opacity)),
        Ink::Blend(from, first, to, last) => {
            let stops = vec![
                GradientStop::new(0.0, skia(first, 1.0)),
                GradientStop::new(1.0, skia(last, 1.0)),
            ];
            let (from, to) = ((from.0, from.1).into(), (to.0, to.1).into());
            LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
                .unwrap_or(Shader::SolidColor(skia(first, 1.0)))
        }
    };
    Paint { shader, anti_alias: true, ..Paint::default() }
}

#[cfg(test)]
mod tests {
    use super::super::colour::{BLACK, WHITE};
    use super::super::shapes::polygon;
    use super::*;

    fn square(left: f32, right: f32) -> Path {
        polygon(&[(left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0)])
    }

    #[test]
    fn what_covers_evidence_takes_it_away() {
        let mut canvas = Canvas::new(4);
        canvas.fill(&square(0.0, 0.75), Ink::Solid(WHITE), Mark::Evidence);
        canvas.fill(&square(0.0, 0.25), Ink::Solid(BLACK), Mark::Cover);
        canvas.fill(&square(0.5, 1.0), Ink::Glass(BLACK, 0.5), Mark::Keep);
        let (rgb, evidence) = canvas.into_planes();
        assert_eq!(evidence[..4], [0, 255, 255, 0]);
        assert!(rgb[0] < 50 && rgb[3] > 240 && rgb[6] < 200);
    }
}
