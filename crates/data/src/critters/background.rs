//! What lies behind the animal: a place, and clutter that looks like ears, tails and whiskers but
//! is drawn without knowing the class.

use super::canvas::{Canvas, Ink, Mark};
use super::colour::{self, Colour};
use super::dice::Dice;
use super::shapes::{Point, blob, curve, line, oval, polygon, ribbon};
use tiny_skia::Transform;

pub fn paint(canvas: &mut Canvas, dice: &mut Dice) {
    canvas.enter(Transform::identity());
    let (first, second) = (colour::thing(dice), colour::thing(dice));
    let all = polygon(&[(-1.0, -1.0), (2.0, -1.0), (2.0, 2.0), (-1.0, 2.0)]);
    let (from, to) = (dice.point(0.0), dice.point(0.0));
    canvas.fill(&all, Ink::Blend(from, first, to, first.mix(second, 0.6)), Mark::Keep);
    let ink = first.mix(second, dice.range(0.3, 0.8));
    match dice.whole(0, 5) {
        0 => wallpaper(canvas, ink, dice),
        1 => dots(canvas, ink, dice),
        2 => checks(canvas, ink, dice),
        3 => hills(canvas, ink, dice),
        4 => room(canvas, ink, dice),
        _ => {}
    }
    for _ in 0..dice.whole(2, 8) {
        clutter(canvas, dice);
    }
}

fn wallpaper(canvas: &mut Canvas, ink: Colour, dice: &mut Dice) {
    let (step, width) = (dice.range(0.08, 0.2), dice.range(0.02, 0.07));
    canvas.enter(Transform::from_rotate_at(dice.range(-90.0, 90.0), 0.5, 0.5));
    for i in -8..=8 {
        let x = 0.5 + i as f32 * step;
        canvas.stroke(&line((x, -0.5), (x, 1.5)), Ink::Solid(ink), width, Mark::Keep);
    }
    canvas.enter(Transform::identity());
}

fn dots(canvas: &mut Canvas, ink: Colour, dice: &mut Dice) {
    let (step, size) = (dice.range(0.12, 0.2), dice.range(0.02, 0.05));
    for row in 0..9 {
        for column in 0..9 {
            let shift = if row % 2 == 0 { 0.0 } else { 0.5 };
            let centre = ((column as f32 + shift) * step, row as f32 * step);
            canvas.fill(&oval(centre, size, size), Ink::Solid(ink), Mark::Keep);
        }
    }
}

fn checks(canvas: &mut Canvas, ink: Colour, dice: &mut Dice) {
    let step = dice.range(0.12, 0.22);
    canvas.enter(Transform::from_rotate_at(dice.range(-45.0, 45.0), 0.5, 0.5));
    for row in -3..10 {
        for column in (-3..10).filter(|column| (column + row) % 2 == 0) {
            let (x, y) = (column as f32 * step, row as f32 * step);
            let tile = polygon(&[(x, y), (x + step, y), (x + step, y + step), (x, y + step)]);
            canvas.fill(&tile, Ink::Solid(ink), Mark::Keep);
        }
    }
    canvas.enter(Transform::identity());
}

fn hills(canvas: &mut Canvas, ink: Colour, dice: &mut Dice) {
    for layer in 0..3 {
        let y = 0.45 + 0.18 * layer as f32;
        let ridge: Vec<Point> =
            (0..6).map(|i| (-0.2 + 0.28 * i as f32, y + dice.range(-0.12, 0.12))).collect();
        let hill = blob(&[&ridge[..], &[(1.5, 2.0), (-0.5, 2.0)]].concat());
        canvas.fill(&hill, Ink::Solid(ink.darker(0.15 * layer as f32)), Mark::Keep);
    }
}

fn room(canvas: &mut Canvas, ink: Colour, dice: &mut Dice) {
    let y = dice.range(0.5, 0.8);
    let floor = polygon(&[(0.0, y), (1.0, y + dice.range(-0.1, 0.1)), (1.0, 1.0), (0.0, 1.0)]);
    canvas.fill(&floor, Ink::Solid(ink), Mark::Keep);
    let (x, top) = (dice.range(0.0, 0.7), dice.range(0.0, 0.25));
    let window = polygon(&[(x, top), (x + 0.28, top), (x + 0.28, top + 0.3), (x, top + 0.3)]);
    canvas.fill(&window, Ink::Solid(ink.lighter(0.6)), Mark::Keep);
    canvas.stroke(&window, Ink::Solid(ink.darker(0.4)), 0.02, Mark::Keep);
}

/// One thing somewhere. Half the kinds come in pairs, as ears do.
fn clutter(canvas: &mut Canvas, dice: &mut Dice) {
    let (x, y) = dice.point(0.05);
    let size = dice.range(0.04, 0.11);
    let turned = Transform::from_rotate(dice.range(-70.0, 70.0));
    canvas.enter(turned.post_scale(size, size).post_translate(x, y));
    let (fill, edge) = (colour::thing(dice), 0.08);
    let outline = fill.darker(0.6);
    let mut shape = |path: &tiny_skia::Path| {
        canvas.fill(path, Ink::Solid(fill), Mark::Keep);
        canvas.stroke(path, Ink::Solid(outline), edge, Mark::Keep);
    };
    match dice.whole(0, 6) {
        0 => shape(&polygon(&[(-0.8, 0.8), (0.0, -1.0), (0.8, 0.8)])),
        1 => [-1.0, 1.0]
            .map(|side| {
                shape(&polygon(&[(side * 0.2, 0.5), (side * 0.8, -0.9), (side * 1.3, 0.6)]))
            })
            .into_iter()
            .collect(),
        2 => shape(&oval((0.0, 0.0), 0.5, 1.1)),
        3 => [-1.0, 1.0]
            .map(|side| shape(&blob(&[(side * 0.5, -0.9), (side * 1.2, 0.4), (side * 0.8, 1.0)])))
            .into_iter()
            .collect(),
        4 => shape(&ribbon(&[(-0.6, 1.2), (0.3, 0.6), (-0.2, -0.4), (0.5, -1.3)], 0.35, 0.25)),
        5 => {
            for rise in [-0.35, 0.0, 0.35] {
                let hair = curve(&[(0.0, 0.3 * rise), (0.9, 0.6 * rise), (1.7, 1.6 * rise)]);
                canvas.stroke(&hair, Ink::Solid(outline), 0.12, Mark::Keep);
            }
        }
        _ => {
            shape(&oval((0.0, 0.0), 0.8, 0.7));
            shape(&oval((0.0, -0.1), 0.3, 0.22));
        }
    }
}
