//! The head, its eyes, and what it wears: the same for both classes.

use super::body::OUTLINE;
use super::canvas::{Canvas, Ink, Mark};
use super::coat::Coat;
use super::colour::{self, BLACK, PINK, WHITE};
use super::dice::Dice;
use super::pose::Pose;
use super::shapes::{Point, blob, curve, oval};

/// The skull with its markings and two rosy cheeks.
pub fn paint(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    canvas.enter(pose.head_frame());
    let (rx, ry) = (pose.head_rx, pose.head_ry);
    // Widest below the eyes.
    let side = [(0.0, -ry), (0.68, -0.76 * ry), (0.99, -0.05), (0.84, 0.58 * ry), (0.4, 0.94 * ry)];
    let right = side.iter().map(|p| (p.0 * rx, p.1));
    let left = side[1..].iter().rev().map(|p| (-p.0 * rx, p.1));
    let points: Vec<Point> = right.chain([(0.0, ry)]).chain(left).collect();
    let skull = blob(&points);
    canvas.fill(&skull, coat.lit(coat.base, -ry, ry), Mark::Cover);
    coat.mark(canvas, &skull, pose.on_face(0.0, 0.0, 0.6), (rx, ry), dice);
    for side in [-1.0, 1.0] {
        let cheek = pose.on_face(side * 0.66, 0.3, 0.9);
        canvas.fill(&oval(cheek, 0.19, 0.14), Ink::Glass(PINK, 0.35), Mark::Keep);
    }
    canvas.stroke(&skull, Ink::Solid(coat.outline), OUTLINE, Mark::Cover);
}

/// Two eyes: open with a shine, or closed in content.
pub fn paint_eyes(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    canvas.enter(pose.head_frame());
    let (size, pupil) = (dice.range(0.18, 0.24), dice.range(0.5, 0.85));
    let asleep = dice.chance(0.12);
    let winks = dice.chance(0.06);
    for side in [-1.0, 1.0] {
        let (x, y) = pose.on_face(side * 0.43, -0.12, 1.0);
        if asleep || (winks && side > 0.0) {
            let lid = curve(&[(x - size, y), (x, y + 0.7 * size), (x + size, y)]);
            canvas.stroke(&lid, Ink::Solid(coat.outline.darker(0.4)), 0.075, Mark::Keep);
            continue;
        }
        let width = size * (1.0 - 0.15 * pose.turn * side);
        let rim = oval((x, y), width + 0.04, size * 1.12 + 0.04);
        canvas.fill(&rim, Ink::Solid(coat.outline.darker(0.4)), Mark::Keep);
        canvas.fill(&oval((x, y), width, size * 1.12), Ink::Solid(coat.iris), Mark::Keep);
        let black = oval((x, y), width * pupil, size * 1.05 * pupil.max(0.7));
        canvas.fill(&black, Ink::Solid(BLACK), Mark::Keep);
        let shine = oval((x - 0.3 * size, y - 0.35 * size), 0.3 * size, 0.3 * size);
        canvas.fill(&shine, Ink::Solid(WHITE), Mark::Keep);
    }
}

/// A knitted cap with flaps; the ears are tucked in.
pub fn paint_hat(canvas: &mut Canvas, pose: &Pose, dice: &mut Dice) {
    if !pose.hat {
        return;
    }
    canvas.enter(pose.head_frame());
    let (wool, trim) = (colour::thing(dice), colour::thing(dice));
    let (rx, ry) = (pose.head_rx, pose.head_ry);
    for side in [-1.0, 1.0] {
        let x = |share: f32| side * share * rx;
        let flap =
            [(x(0.72), -0.5), (x(1.12), -0.45), (x(1.16), 0.25), (x(0.98), 0.6), (x(0.8), 0.2)];
        canvas.fill(&blob(&flap), Ink::Solid(wool.darker(0.12)), Mark::Cover);
        canvas.stroke(&blob(&flap), Ink::Solid(wool.darker(0.5)), OUTLINE, Mark::Cover);
    }
    let dome = blob(&[
        (-1.06 * rx, -0.35),
        (-0.9 * rx, -0.85 * ry),
        (-0.45 * rx, -1.28 * ry),
        (0.0, -1.38 * ry),
        (0.45 * rx, -1.28 * ry),
        (0.9 * rx, -0.85 * ry),
        (1.06 * rx, -0.35),
        (0.55 * rx, -0.46),
        (0.0, -0.5),
        (-0.55 * rx, -0.46),
    ]);
    canvas.fill(&dome, Ink::Solid(wool), Mark::Cover);
    canvas.clip(&dome);
    let stripe = curve(&[(-1.1 * rx, -0.75), (0.0, -0.95), (1.1 * rx, -0.75)]);
    canvas.stroke(&stripe, Ink::Solid(trim), 0.16, Mark::Cover);
    canvas.unclip();
    canvas.stroke(&dome, Ink::Solid(wool.darker(0.5)), OUTLINE, Mark::Cover);
    let bobble = oval((0.0, -1.45 * ry), 0.25, 0.25);
    canvas.fill(&bobble, Ink::Solid(trim), Mark::Cover);
    canvas.stroke(&bobble, Ink::Solid(trim.darker(0.5)), OUTLINE, Mark::Cover);
}

/// A thick scarf up to below the eyes; the muzzle is tucked in.
pub fn paint_scarf(canvas: &mut Canvas, pose: &Pose, dice: &mut Dice) {
    if !pose.scarf {
        return;
    }
    canvas.enter(pose.head_frame());
    let (wool, trim, end) = (colour::thing(dice), colour::thing(dice), dice.side());
    let rx = pose.head_rx;
    let hanging = [(0.3, 0.8), (0.75, 0.75), (0.85, 1.9), (0.4, 1.95)].map(|p| (end * p.0, p.1));
    let wrap = blob(&[
        (-1.08 * rx, 0.2),
        (-0.5, 0.27),
        (0.0, 0.26),
        (0.5, 0.27),
        (1.08 * rx, 0.2),
        (1.12 * rx, 0.65),
        (0.85 * rx, 1.08),
        (0.0, 1.22),
        (-0.85 * rx, 1.08),
        (-1.12 * rx, 0.65),
    ]);
    for path in [&blob(&hanging), &wrap] {
        canvas.fill(path, Ink::Solid(wool), Mark::Cover);
        canvas.clip(path);
        for at in [0.62, 1.05, 1.6] {
            let stripe = curve(&[(-1.3, at - 0.18), (0.0, at), (1.3, at - 0.18)]);
            canvas.stroke(&stripe, Ink::Solid(trim), 0.15, Mark::Cover);
        }
        canvas.unclip();
        canvas.stroke(path, Ink::Solid(wool.darker(0.5)), OUTLINE, Mark::Cover);
    }
}
