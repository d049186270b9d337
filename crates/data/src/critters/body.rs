//! The body below the head: haunches, legs, paws, collar. The same animal for both classes; only
//! the tail, drawn behind it, tells.

use super::canvas::{Canvas, Ink, Mark};
use super::coat::Coat;
use super::colour::{self, Colour};
use super::dice::Dice;
use super::pose::{Pose, Stance};
use super::shapes::{Point, blob, curve, oval, ribbon};
use tiny_skia::Path;

/// Outlines are this wide, in head radii.
pub const OUTLINE: f32 = 0.055;

/// Where the tail leaves the body, if there is one to be seen.
pub fn tail_root(stance: Stance) -> Option<Point> {
    match stance {
        Stance::Sit => Some((0.85, 2.3)),
        Stance::Stand => Some((2.75, 0.75)),
        Stance::Head | Stance::Peek => None,
    }
}

/// Paints what is behind the head.
pub fn paint(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    canvas.enter(pose.body_frame());
    match pose.stance {
        Stance::Sit => sit(canvas, coat, dice),
        Stance::Stand => stand(canvas, coat, dice),
        Stance::Head | Stance::Peek => {}
    }
    if matches!(pose.stance, Stance::Sit) && dice.chance(0.5) {
        collar(canvas, colour::thing(dice), colour::thing(dice));
    }
}

/// The box an animal peeks over, and its paws on the edge.
pub fn paint_box(canvas: &mut Canvas, pose: &Pose, coat: &Coat, dice: &mut Dice) {
    if pose.stance != Stance::Peek {
        return;
    }
    canvas.enter(pose.body_frame());
    let (colour, edge) = (colour::thing(dice), dice.range(0.72, 0.95));
    let front = blob(&[
        (-1.7, edge),
        (0.0, edge - 0.02),
        (1.7, edge),
        (1.75, edge + 1.2),
        (1.6, edge + 2.5),
        (0.0, edge + 2.55),
        (-1.6, edge + 2.5),
        (-1.75, edge + 1.2),
    ]);
    let ink = Ink::Blend((0.0, edge), colour, (0.0, edge + 2.5), colour.darker(0.35));
    canvas.fill(&front, ink, Mark::Cover);
    let rim = curve(&[(-1.75, edge), (0.0, edge - 0.02), (1.75, edge)]);
    canvas.stroke(&rim, Ink::Solid(colour.darker(0.3)), 0.13, Mark::Cover);
    for x in [-0.95, 0.95] {
        paw(canvas, coat, (x, edge + 0.08), 0.27);
    }
}

fn outlined(canvas: &mut Canvas, path: &Path, ink: Ink, outline: Colour) {
    canvas.fill(path, ink, Mark::Cover);
    canvas.stroke(path, Ink::Solid(outline), OUTLINE, Mark::Cover);
}

fn paw(canvas: &mut Canvas, coat: &Coat, (x, y): Point, size: f32) {
    outlined(canvas, &oval((x, y), size, size * 0.78), Ink::Solid(coat.muzzle), coat.outline);
    for toe in [-0.33, 0.33] {
        let toe = curve(&[(x + toe * size, y + 0.15 * size), (x + toe * size, y + 0.6 * size)]);
        canvas.stroke(&toe, Ink::Solid(coat.outline), 0.05, Mark::Cover);
    }
}

fn leg(canvas: &mut Canvas, coat: &Coat, colour: Colour, hip: Point, foot: Point) {
    let path = ribbon(&[hip, ((hip.0 + foot.0) / 2.0, (hip.1 + foot.1) / 2.0), foot], 0.5, 0.4);
    outlined(canvas, &path, Ink::Solid(colour), coat.outline);
    // The leg grows out of the body: no outline at the hip.
    canvas.fill(&oval(hip, 0.29, 0.24), Ink::Solid(colour), Mark::Cover);
    paw(canvas, coat, (foot.0, foot.1 + 0.05), 0.28);
}

fn sit(canvas: &mut Canvas, coat: &Coat, dice: &mut Dice) {
    let plump = dice.range(0.9, 1.15);
    let side = [(0.5, 0.55), (0.8, 1.3), (1.1, 2.1), (0.95, 2.65), (0.4, 2.8)];
    let mirrored = side.iter().rev().map(|p| (-p.0, p.1));
    let points: Vec<Point> =
        side.iter().copied().chain(mirrored).map(|p| (p.0 * plump, p.1)).collect();
    let torso = blob(&points);
    outlined(canvas, &torso, coat.lit(coat.base, 0.6, 2.9), coat.outline);
    coat.mark(canvas, &torso, (0.0, 1.8), (1.0, 1.1), dice);
    for x in [-0.8, 0.8] {
        paw(canvas, coat, (x * plump, 2.65), 0.34);
    }
    for x in [-0.3, 0.3] {
        leg(canvas, coat, coat.base, (x, 1.65), (x, 2.55));
    }
}

fn stand(canvas: &mut Canvas, coat: &Coat, dice: &mut Dice) {
    let stride = dice.range(-0.2, 0.2);
    let far = coat.base.darker(0.25);
    leg(canvas, coat, far, (0.75, 1.4), (0.65 + stride, 2.3));
    leg(canvas, coat, far, (2.35, 1.4), (2.3 - stride, 2.3));
    let torso = blob(&[
        (-0.1, 0.6),
        (0.7, 0.35),
        (1.8, 0.4),
        (2.7, 0.5),
        (2.95, 1.1),
        (2.5, 1.65),
        (1.5, 1.6),
        (0.5, 1.65),
        (-0.15, 1.3),
    ]);
    outlined(canvas, &torso, coat.lit(coat.base, 0.3, 1.8), coat.outline);
    coat.mark(canvas, &torso, (1.5, 1.0), (1.4, 0.65), dice);
    leg(canvas, coat, coat.base, (0.35, 1.4), (0.3 - stride, 2.4));
    leg(canvas, coat, coat.base, (2.6, 1.4), (2.65 + stride, 2.4));
}

fn collar(canvas: &mut Canvas, band: Colour, tag: Colour) {
    let around = curve(&[(-0.68, 0.88), (0.0, 1.16), (0.68, 0.88)]);
    canvas.stroke(&around, Ink::Solid(band), 0.2, Mark::Cover);
    canvas.fill(&oval((0.0, 1.3), 0.15, 0.15), Ink::Solid(tag), Mark::Cover);
}
