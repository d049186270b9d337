//! The tail, evidence: a cat's is long, thin and curved, a dog's short, thick and wagging.

use super::body::{OUTLINE, tail_root};
use super::canvas::{Canvas, Ink, Mark};
use super::coat::Coat;
use super::dice::Dice;
use super::pose::Pose;
use super::shapes::{Point, curve, ribbon};
use tiny_skia::Transform;

/// Paints the tail behind the body, if the stance shows one.
pub fn paint(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dog: bool, dice: &mut Dice) {
    let Some(root) = tail_root(pose.stance) else {
        return;
    };
    let swing = Transform::from_rotate(dice.range(-14.0, 14.0));
    let place = swing.post_translate(root.0, root.1).post_concat(pose.body_frame());
    canvas.enter(place);
    if dog { paint_dog(canvas, coat, dice) } else { paint_cat(canvas, coat, dice) }
}

fn paint_tail(canvas: &mut Canvas, coat: &Coat, spine: &[Point], from: f32, to: f32) {
    let tail = ribbon(spine, from, to);
    canvas.fill(&tail, Ink::Solid(coat.tail), Mark::Evidence);
    canvas.stroke(&tail, Ink::Solid(coat.outline), OUTLINE, Mark::Evidence);
}

fn paint_cat(canvas: &mut Canvas, coat: &Coat, dice: &mut Dice) {
    let curl = dice.range(0.7, 1.2);
    let spine: &[Point] = match dice.whole(0, 2) {
        // A question mark.
        0 => &[(-0.2, 0.1), (0.6, 0.0), (0.85, -0.8), (0.7, -1.6), (1.1, -2.1), (1.45, -1.75)],
        // An S.
        1 => &[(-0.2, 0.1), (0.7, 0.1), (1.05, -0.6), (0.6, -1.2), (0.7, -1.9), (1.2, -2.2)],
        // Straight up, the tip bent in: a greeting.
        _ => &[(-0.2, 0.1), (0.45, -0.1), (0.7, -0.9), (0.75, -1.7), (0.45, -2.2)],
    };
    let spine: Vec<Point> = spine.iter().map(|p| (p.0 * curl, p.1)).collect();
    paint_tail(canvas, coat, &spine, 0.27, 0.22);
}

fn paint_dog(canvas: &mut Canvas, coat: &Coat, dice: &mut Dice) {
    let lift = dice.range(0.75, 1.1);
    let spine = [(-0.3, 0.15), (0.3, -0.1 * lift), (0.62, -0.5 * lift), (0.75, -0.95 * lift)];
    paint_tail(canvas, coat, &spine, 0.55, 0.2);
    // Two arcs that say it wags.
    for (x, reach) in [(1.05, 1.0), (0.25, 0.9)] {
        let bend = if x > 0.6 { 0.16 } else { -0.16 };
        let arc = curve(&[
            (x, -0.45 * lift * reach),
            (x + bend, -0.8 * lift * reach),
            (x + 0.5 * bend, -1.2 * lift * reach),
        ]);
        canvas.stroke(&arc, Ink::Solid(coat.outline), 0.08, Mark::Keep);
        canvas.mark_along(&arc, 0.16);
    }
}
