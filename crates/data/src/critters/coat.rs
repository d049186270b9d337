//! Fur: colours and markings, from one distribution for cats and dogs.

use super::canvas::{Canvas, Ink, Mark};
use super::colour::{self, BLACK, Colour, PINK, WHITE};
use super::dice::Dice;
use super::shapes::{Point, blob, curve, oval};
use tiny_skia::Path;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Markings {
    Plain,
    Stripes,
    Patches,
    Spots,
    /// A white blaze and bib.
    Bib,
}

pub struct Coat {
    pub base: Colour,
    pub second: Colour,
    pub muzzle: Colour,
    pub ear: Colour,
    pub inner_ear: Colour,
    pub tail: Colour,
    pub nose: Colour,
    pub iris: Colour,
    pub outline: Colour,
    markings: Markings,
}

impl Coat {
    pub fn draw(dice: &mut Dice) -> Coat {
        let base = colour::fur(dice);
        let second = match dice.whole(0, 2) {
            0 => base.darker(dice.range(0.35, 0.6)),
            1 => base.lighter(dice.range(0.5, 0.85)),
            _ => colour::fur(dice),
        };
        let pale = base.lighter(dice.range(0.45, 0.85));
        let markings = dice.pick(&[
            Markings::Plain,
            Markings::Stripes,
            Markings::Patches,
            Markings::Spots,
            Markings::Bib,
        ]);
        Coat {
            base,
            second,
            muzzle: dice.pick(&[base, pale, pale, second]),
            ear: dice.pick(&[base, base, second, base.darker(0.35)]),
            inner_ear: dice.pick(&[PINK, base.darker(0.3), base.lighter(0.4)]),
            tail: dice.pick(&[base, base, second, base.darker(0.35)]),
            nose: dice.pick(&[PINK.darker(0.15), BLACK, BLACK, Colour(0.42, 0.25, 0.22)]),
            iris: dice.pick(&[
                Colour(0.55, 0.72, 0.30),
                Colour(0.90, 0.70, 0.22),
                Colour(0.38, 0.62, 0.82),
                Colour(0.50, 0.32, 0.16),
            ]),
            outline: base.darker(0.62),
            markings,
        }
    }

    /// The coat with a little light from above, over the frame's y from `top` to `bottom`.
    pub fn lit(&self, colour: Colour, top: f32, bottom: f32) -> Ink {
        Ink::Blend((0.0, top), colour.lighter(0.14), (0.0, bottom), colour.darker(0.16))
    }

    /// Paints the markings inside `region`, an area about `rx` by `ry` around `centre`.
    pub fn mark(
        &self,
        canvas: &mut Canvas,
        region: &Path,
        centre: Point,
        (rx, ry): (f32, f32),
        dice: &mut Dice,
    ) {
        canvas.clip(region);
        let ink = Ink::Glass(self.second, 0.85);
        let within = |x: f32, y: f32| (centre.0 + rx * x, centre.1 + ry * y);
        match self.markings {
            Markings::Plain => {}
            Markings::Stripes => {
                for x in [-0.85, -0.45, 0.0, 0.45, 0.85] {
                    let sway = dice.range(-0.12, 0.12);
                    let foot = -0.5 + dice.range(0.0, 0.35);
                    let stripe = curve(&[
                        within(x, -1.1),
                        within(x * 0.9 + sway, -0.8),
                        within(x * 0.7, foot),
                    ]);
                    canvas.stroke(&stripe, ink, 0.17 * rx, Mark::Keep);
                }
            }
            Markings::Patches => {
                for _ in 0..3 {
                    let (x, y) = (dice.range(-0.9, 0.9), dice.range(-0.9, 0.6));
                    let bump = |dice: &mut Dice| dice.range(0.3, 0.55);
                    let patch = blob(&[
                        within(x - bump(dice), y),
                        within(x, y - bump(dice)),
                        within(x + bump(dice), y),
                        within(x, y + bump(dice)),
                    ]);
                    canvas.fill(&patch, ink, Mark::Keep);
                }
            }
            Markings::Spots => {
                for _ in 0..11 {
                    let spot = within(dice.range(-1.0, 1.0), dice.range(-1.0, 0.8));
                    let size = dice.range(0.07, 0.15) * rx;
                    canvas.fill(&oval(spot, size, size * 0.8), ink, Mark::Keep);
                }
            }
            Markings::Bib => {
                let blaze = [within(0.0, -0.75), within(0.3, 0.1), within(0.75, 1.1)];
                let mirrored = [within(-0.75, 1.1), within(-0.3, 0.1)];
                let bib = blob(&[&blaze[..], &mirrored[..]].concat());
                canvas.fill(&bib, Ink::Glass(WHITE, 0.9), Mark::Keep);
            }
        }
        canvas.unclip();
    }
}
