//! Where the animal is, how it holds itself and what it wears: the same for cats and dogs.
//!
//! The animal lives in its own frame: the head's centre at the origin, the head's radius about 1,
//! y down. `body_frame` and `head_frame` map that frame into the unit picture.

use super::dice::Dice;
use super::shapes::Point;
use tiny_skia::Transform;

/// How much of the animal is to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stance {
    /// The head alone.
    Head,
    /// The head and two paws over the edge of a box.
    Peek,
    /// Sitting, seen from the front.
    Sit,
    /// Standing, seen from the side, the face to us.
    Stand,
}

#[derive(Clone, Debug)]
pub struct Pose {
    pub stance: Stance,
    /// Of the head, in the unit picture.
    pub centre: Point,
    pub radius: f32,
    /// In-plane rotation of the whole animal.
    pub roll_deg: f32,
    /// Of the head against the body.
    pub tilt_deg: f32,
    /// −1 looks to its one side, 1 to its other.
    pub turn: f32,
    /// −1 looks up, 1 down.
    pub nod: f32,
    /// −1 mirrors the animal.
    pub facing: f32,
    pub head_rx: f32,
    pub head_ry: f32,
    /// A cap with flaps: the ears are under it.
    pub hat: bool,
    /// A scarf up to the eyes: the muzzle is under it.
    pub scarf: bool,
}

impl Pose {
    pub fn draw(dice: &mut Dice) -> Pose {
        let stance = match dice.unit() {
            u if u < 0.28 => Stance::Head,
            u if u < 0.56 => Stance::Peek,
            u if u < 0.80 => Stance::Sit,
            _ => Stance::Stand,
        };
        let facing = dice.side();
        // Head radius, and where the head's centre is.
        let ((small, large), (left, right), (top, bottom)) = match stance {
            Stance::Head => ((0.23, 0.34), (0.38, 0.62), (0.42, 0.6)),
            Stance::Peek => ((0.22, 0.32), (0.38, 0.62), (0.42, 0.56)),
            Stance::Sit => ((0.17, 0.22), (0.38, 0.62), (0.32, 0.42)),
            Stance::Stand => ((0.16, 0.20), (0.26, 0.38), (0.36, 0.5)),
        };
        let (radius, y) = (dice.range(small, large), dice.range(top, bottom));
        let x = dice.range(left, right);
        let x = if facing < 0.0 { 1.0 - x } else { x };
        // A second garment needs a tail to be told by.
        let wardrobe = dice.unit();
        let both = wardrobe < 0.03 && matches!(stance, Stance::Sit | Stance::Stand);
        Pose {
            stance,
            centre: (x, y),
            radius,
            roll_deg: dice.range(-25.0, 25.0),
            tilt_deg: dice.range(-12.0, 12.0),
            turn: dice.range(-1.0, 1.0),
            nod: dice.range(-1.0, 1.0),
            facing,
            head_rx: dice.range(0.98, 1.12),
            head_ry: dice.range(0.86, 0.98),
            hat: wardrobe < 0.18 || both,
            scarf: wardrobe > 0.82 || both,
        }
    }

    /// From the animal's frame into the unit picture.
    pub fn body_frame(&self) -> Transform {
        Transform::from_scale(self.radius * self.facing, self.radius)
            .post_concat(Transform::from_rotate(self.roll_deg))
            .post_translate(self.centre.0, self.centre.1)
    }

    /// The same, with the head's tilt.
    pub fn head_frame(&self) -> Transform {
        Transform::from_rotate(self.tilt_deg).post_concat(self.body_frame())
    }

    /// Where a point of the face goes when the head turns. The further a thing stands out from
    /// the face (`depth`: eyes 1, a dog's nose 2), the further it goes.
    pub fn on_face(&self, x: f32, y: f32, depth: f32) -> Point {
        let narrowed = x * (1.0 - 0.12 * self.turn.abs());
        (narrowed + 0.24 * self.turn * depth, y + 0.1 * self.nod * depth)
    }
}
