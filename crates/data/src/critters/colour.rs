//! Colours as red, green and blue in 0..1, and where the scene takes them from.

use super::dice::Dice;

/// Red, green, blue in 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour(pub f32, pub f32, pub f32);

pub const WHITE: Colour = Colour(0.98, 0.97, 0.95);
pub const BLACK: Colour = Colour(0.11, 0.10, 0.11);
pub const PINK: Colour = Colour(0.95, 0.60, 0.62);

impl Colour {
    /// `share` of the way from this colour to `other`.
    pub fn mix(self, other: Colour, share: f32) -> Colour {
        let blend = |a: f32, b: f32| a + (b - a) * share;
        Colour(blend(self.0, other.0), blend(self.1, other.1), blend(self.2, other.2))
    }

    pub fn darker(self, share: f32) -> Colour {
        self.mix(Colour(0.07, 0.04, 0.06), share)
    }

    pub fn lighter(self, share: f32) -> Colour {
        self.mix(WHITE, share)
    }

    /// Rec. 601 luma in 0..1, to choose an ink that can be seen on this colour.
    pub fn luma(self) -> f32 {
        0.299 * self.0 + 0.587 * self.1 + 0.114 * self.2
    }

    /// From hue in turns, saturation and value, each in 0..1.
    pub fn from_hsv(hue: f32, saturation: f32, value: f32) -> Colour {
        let channel = |offset: f32| {
            let k = (offset + hue * 6.0) % 6.0;
            value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
        };
        Colour(channel(5.0), channel(3.0), channel(1.0))
    }
}

/// Colours that fur comes in, from white through ginger to black.
const FUR: [Colour; 11] = [
    Colour(0.93, 0.58, 0.26),
    Colour(0.82, 0.46, 0.20),
    Colour(0.95, 0.87, 0.74),
    Colour(0.94, 0.93, 0.91),
    Colour(0.62, 0.63, 0.66),
    Colour(0.42, 0.45, 0.52),
    Colour(0.30, 0.29, 0.32),
    Colour(0.55, 0.37, 0.24),
    Colour(0.36, 0.24, 0.18),
    Colour(0.80, 0.66, 0.47),
    Colour(0.72, 0.60, 0.55),
];

/// A colour of fur, no two draws quite alike.
pub fn fur(dice: &mut Dice) -> Colour {
    let base = dice.pick(&FUR);
    let wobble = Colour(dice.unit(), dice.unit(), dice.unit());
    base.mix(wobble, 0.08)
}

/// A colour for things: walls, leaves, balls, hats. One in three is a colour of fur, so that
/// "coloured like an animal" does not mean "part of the animal".
pub fn thing(dice: &mut Dice) -> Colour {
    if dice.chance(0.33) {
        return fur(dice);
    }
    Colour::from_hsv(dice.unit(), dice.range(0.25, 0.75), dice.range(0.45, 0.95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsv_knows_the_primaries() {
        assert_eq!(Colour::from_hsv(0.0, 1.0, 1.0), Colour(1.0, 0.0, 0.0));
        let green = Colour::from_hsv(1.0 / 3.0, 1.0, 1.0);
        assert!((green.1 - 1.0).abs() < 1e-6 && green.0.abs() < 1e-5 && green.2.abs() < 1e-5);
        assert_eq!(Colour::from_hsv(0.7, 0.0, 0.5), Colour(0.5, 0.5, 0.5));
    }
}
