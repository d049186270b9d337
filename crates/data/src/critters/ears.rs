//! The ears, evidence: a cat's stand up as pointed triangles, a dog's hang from the sides of the
//! head or fold over at the top.

use super::body::OUTLINE;
use super::canvas::{Canvas, Ink, Mark};
use super::coat::Coat;
use super::dice::Dice;
use super::pose::Pose;
use super::shapes::{Point, blob};
use tiny_skia::{Path, Transform};

/// Enters the frame of one ear: its root on the head at the origin, x away from the face. The
/// ear on the far side of a turned head looks smaller.
fn enter(canvas: &mut Canvas, pose: &Pose, side: f32, root: Point, turned_deg: f32) {
    let size = 1.0 - 0.18 * pose.turn * side;
    let place = Transform::from_rotate(turned_deg)
        .post_scale(side * size, 1.0)
        .post_translate(side * root.0 * pose.head_rx - 0.1 * pose.turn, root.1 * pose.head_ry)
        .post_concat(pose.head_frame());
    canvas.enter(place);
}

fn paint_ear(canvas: &mut Canvas, coat: &Coat, ear: &Path) {
    canvas.fill(ear, Ink::Solid(coat.ear), Mark::Evidence);
    canvas.stroke(ear, Ink::Solid(coat.outline), OUTLINE, Mark::Evidence);
}

/// A cat's ears, to be painted before the head.
pub fn paint_cat(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    let height = dice.range(0.9, 1.2);
    // Pricked forward, or laid out sideways.
    let splay_deg = dice.range(-6.0, 22.0);
    for side in [-1.0, 1.0] {
        let twitch_deg = dice.range(-7.0, 7.0);
        enter(canvas, pose, side, (0.55, -0.62), 12.0 + splay_deg + twitch_deg);
        // Sides a little bulged: the points beside a corner keep it sharp.
        let tip = (0.05, -height);
        let outer = blob(&[
            (-0.46, 0.2),
            (-0.3, -0.3 * height),
            (tip.0 - 0.05, tip.1 + 0.06),
            tip,
            (tip.0 + 0.05, tip.1 + 0.06),
            (0.34, -0.3 * height),
            (0.46, 0.25),
        ]);
        paint_ear(canvas, coat, &outer);
        let inner =
            blob(&[(-0.2, 0.1), (0.04, -0.68 * height), (0.07, -0.68 * height), (0.24, 0.1)]);
        canvas.fill(&inner, Ink::Solid(coat.inner_ear), Mark::Evidence);
    }
}

/// A dog's ears, to be painted after the head.
pub fn paint_dog(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    let folded = dice.chance(0.3);
    let length = dice.range(0.85, 1.2);
    let swing_deg = dice.range(-14.0, 8.0);
    for side in [-1.0, 1.0] {
        let flap_deg = dice.range(-6.0, 6.0);
        enter(canvas, pose, side, (0.62, -0.66), swing_deg + flap_deg);
        if folded {
            fold(canvas, coat, length);
            continue;
        }
        let ear = blob(&[
            (-0.3, -0.1),
            (0.15, -0.28),
            (0.6, 0.05),
            (0.82, 0.65 * length),
            (0.72, 1.2 * length),
            (0.42, 1.3 * length),
            (0.25, 0.9 * length),
            (0.12, 0.4),
        ]);
        paint_ear(canvas, coat, &ear);
    }
}

/// An ear that rises a little and drops its tip forward, as a terrier's.
fn fold(canvas: &mut Canvas, coat: &Coat, length: f32) {
    let stem = blob(&[(-0.35, 0.15), (-0.1, -0.4), (0.3, -0.45), (0.5, 0.25)]);
    paint_ear(canvas, coat, &stem);
    let flap = blob(&[
        (-0.15, -0.42),
        (0.3, -0.5),
        (0.72, -0.1),
        (0.85, 0.45 * length),
        (0.68, 0.55 * length),
        (0.3, 0.2),
    ]);
    paint_ear(canvas, coat, &flap);
}
