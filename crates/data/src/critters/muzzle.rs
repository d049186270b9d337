//! The muzzle, evidence: a cat has a small nose and whiskers, a dog a long muzzle that stands out
//! from the face, a big nose and perhaps its tongue out. The colours are no clue.

use super::body::OUTLINE;
use super::canvas::{Canvas, Ink, Mark};
use super::coat::Coat;
use super::colour::{BLACK, Colour, PINK, WHITE};
use super::dice::Dice;
use super::pose::Pose;
use super::shapes::{blob, curve, oval};

/// A cat's muzzle: two puffs, a small nose, a mouth like a w, whiskers.
pub fn paint_cat(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    canvas.enter(pose.head_frame());
    let (x, y) = pose.on_face(0.0, 0.36, 1.2);
    for side in [-1.0, 1.0] {
        let puff = oval((x + side * 0.17, y + 0.1), 0.24, 0.19);
        canvas.fill(&puff, Ink::Solid(coat.muzzle), Mark::Evidence);
    }
    let nose = blob(&[(x - 0.14, y - 0.08), (x + 0.14, y - 0.08), (x, y + 0.07)]);
    canvas.fill(&nose, Ink::Solid(coat.nose), Mark::Evidence);
    let line = Ink::Solid(coat.muzzle.darker(0.75));
    for side in [-1.0, 1.0] {
        let lip = curve(&[(x, y + 0.05), (x + side * 0.1, y + 0.21), (x + side * 0.26, y + 0.14)]);
        canvas.stroke(&lip, line, 0.055, Mark::Evidence);
    }
    let droop = dice.range(-0.1, 0.2);
    let length = dice.range(0.75, 1.05);
    // Pale whiskers on dark fur, dark ones on pale.
    let whisker = if coat.base.luma() > 0.6 { BLACK } else { WHITE };
    for side in [-1.0, 1.0] {
        let reach = length * (1.0 + 0.25 * pose.turn * side);
        for (row, rise) in [(-0.02, -0.26), (0.08, -0.02), (0.17, 0.22)] {
            let from = (x + side * 0.26, y + row);
            let middle = (from.0 + side * 0.5 * reach, from.1 + 0.4 * rise);
            let end = (from.0 + side * reach, from.1 + rise + droop);
            let hair = curve(&[from, middle, end]);
            canvas.stroke(&hair, Ink::Solid(whisker), 0.075, Mark::Keep);
            canvas.mark_along(&hair, 0.16);
        }
    }
}

/// A dog's muzzle: a long oval that a turned head carries far to its side, a big nose on it.
pub fn paint_dog(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    canvas.enter(pose.head_frame());
    let (x, y) = pose.on_face(0.0, 0.5, 1.7);
    // The bridge runs from between the eyes to the tip.
    let root = pose.on_face(0.0, 0.0, 0.8);
    let width = dice.range(0.48, 0.58);
    let muzzle = blob(&[
        (root.0, root.1),
        (x + 0.62 * width, y - 0.2),
        (x + width, y + 0.18),
        (x + 0.6 * width, y + 0.5),
        (x, y + 0.55),
        (x - 0.6 * width, y + 0.5),
        (x - width, y + 0.18),
        (x - 0.62 * width, y - 0.2),
    ]);
    if dice.chance(0.5) {
        tongue(canvas, x + dice.range(-0.12, 0.12), y + 0.45, dice.range(0.3, 0.5));
    }
    canvas.fill(&muzzle, Ink::Solid(coat.muzzle), Mark::Evidence);
    canvas.stroke(&muzzle, Ink::Solid(coat.outline), OUTLINE, Mark::Evidence);
    let line = Ink::Solid(coat.muzzle.darker(0.75));
    let groove = curve(&[(x, y), (x, y + 0.28)]);
    canvas.stroke(&groove, line, 0.06, Mark::Evidence);
    let smile = curve(&[(x - 0.3, y + 0.24), (x - 0.14, y + 0.34), (x, y + 0.27)]);
    canvas.stroke(&smile, line, 0.06, Mark::Evidence);
    let smile = curve(&[(x + 0.3, y + 0.24), (x + 0.14, y + 0.34), (x, y + 0.27)]);
    canvas.stroke(&smile, line, 0.06, Mark::Evidence);
    canvas.fill(&oval((x, y - 0.07), 0.27, 0.2), Ink::Solid(coat.nose), Mark::Evidence);
    let shine = oval((x - 0.08, y - 0.14), 0.08, 0.045);
    canvas.fill(&shine, Ink::Glass(WHITE, 0.7), Mark::Evidence);
}

fn tongue(canvas: &mut Canvas, x: f32, y: f32, length: f32) {
    let colour: Colour = PINK.mix(Colour(0.85, 0.25, 0.3), 0.45);
    let path = blob(&[
        (x - 0.18, y),
        (x + 0.18, y),
        (x + 0.19, y + 0.6 * length),
        (x, y + length),
        (x - 0.19, y + 0.6 * length),
    ]);
    canvas.fill(&path, Ink::Solid(colour), Mark::Evidence);
    let middle = curve(&[(x, y), (x, y + 0.7 * length)]);
    canvas.stroke(&middle, Ink::Solid(colour.darker(0.25)), 0.05, Mark::Evidence);
}
