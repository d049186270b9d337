//! What stands in front of the animal: bars, leaves, balls, grass. None knows the class.

use super::canvas::{Canvas, Ink, Mark};
use super::colour::{self, Colour};
use super::dice::Dice;
use super::shapes::{blob, line, oval, polygon};
use tiny_skia::Transform;

pub fn paint(canvas: &mut Canvas, dice: &mut Dice) {
    canvas.enter(Transform::identity());
    match dice.unit() {
        u if u < 0.10 => bars(canvas, dice),
        u if u < 0.30 => (0..dice.whole(2, 5)).for_each(|_| leaf(canvas, dice)),
        u if u < 0.44 => (0..dice.whole(1, 2)).for_each(|_| ball(canvas, dice)),
        u if u < 0.54 => grass(canvas, dice),
        _ => {}
    }
}

fn bars(canvas: &mut Canvas, dice: &mut Dice) {
    let (colour, width) = (colour::thing(dice), dice.range(0.025, 0.05));
    let (step, start) = (dice.range(0.2, 0.34), dice.range(-0.4, -0.1));
    canvas.enter(Transform::from_rotate_at(dice.range(-90.0, 90.0), 0.5, 0.5));
    for i in 0..8 {
        let x = start + i as f32 * step;
        let bar = line((x, -0.5), (x, 1.5));
        canvas.stroke(&bar, Ink::Solid(colour.darker(0.5)), width + 0.012, Mark::Cover);
        canvas.stroke(&bar, Ink::Solid(colour), width, Mark::Cover);
    }
    canvas.enter(Transform::identity());
}

fn leaf(canvas: &mut Canvas, dice: &mut Dice) {
    let (x, y) = dice.point(0.0);
    let size = dice.range(0.07, 0.14);
    let turned = Transform::from_rotate(dice.range(-180.0, 180.0));
    canvas.enter(turned.post_scale(size, size).post_translate(x, y));
    let green = Colour::from_hsv(dice.range(0.05, 0.4), dice.range(0.4, 0.8), dice.range(0.4, 0.8));
    let path =
        blob(&[(0.0, -1.3), (0.55, -0.3), (0.45, 0.5), (0.0, 1.0), (-0.45, 0.5), (-0.55, -0.3)]);
    canvas.fill(&path, Ink::Solid(green), Mark::Cover);
    canvas.stroke(&path, Ink::Solid(green.darker(0.4)), 0.08, Mark::Cover);
    canvas.stroke(&line((0.0, -1.0), (0.0, 1.3)), Ink::Solid(green.darker(0.4)), 0.08, Mark::Cover);
    canvas.enter(Transform::identity());
}

fn ball(canvas: &mut Canvas, dice: &mut Dice) {
    let centre = dice.point(0.0);
    let size = dice.range(0.08, 0.15);
    let (colour, stripe) = (colour::thing(dice), colour::thing(dice));
    let path = oval(centre, size, size);
    canvas.fill(&path, Ink::Solid(colour), Mark::Cover);
    canvas.fill(&oval(centre, size, 0.35 * size), Ink::Solid(stripe), Mark::Cover);
    let shine = oval((centre.0 - 0.4 * size, centre.1 - 0.5 * size), 0.18 * size, 0.15 * size);
    canvas.fill(&shine, Ink::Solid(colour.lighter(0.7)), Mark::Cover);
    canvas.stroke(&path, Ink::Solid(colour.darker(0.6)), 0.012, Mark::Cover);
}

fn grass(canvas: &mut Canvas, dice: &mut Dice) {
    let green =
        Colour::from_hsv(dice.range(0.18, 0.38), dice.range(0.4, 0.7), dice.range(0.4, 0.75));
    for i in 0..14 {
        let x = (i as f32 + dice.unit()) / 14.0;
        let tip = (x + dice.range(-0.06, 0.06), dice.range(0.62, 0.95));
        let blade = polygon(&[(x - 0.03, 1.02), tip, (x + 0.03, 1.02)]);
        let shade = green.darker(dice.range(0.0, 0.35));
        canvas.fill(&blade, Ink::Solid(shade), Mark::Cover);
    }
}
