//! The embedded set: drawings of cats and dogs, made here, so that a machine without photographs
//! can train, test and be shown something.
//!
//! A child tells them apart by **ears** (pointed or floppy), **muzzle** (small nose and whiskers,
//! or a long snout with a big nose) and **tail** (long and curved, or short and wagging). These are
//! the evidence. All else (pose, coat, eyes, clothes, place, clutter, things in front, light) is
//! drawn from dice that do not know the class, so it says nothing about it; `as_class` draws the
//! same scene as the other class, and a test holds that nothing but the evidence changes.
//!
//! Because the set draws the evidence, it knows its mask. A hat hides the ears, a scarf the
//! muzzle, a close-up the tail, leaves and bars whatever they cover: no clue is always there, and
//! nearly always one is.
//!
//! A picture is a pure function of (seed, index), drawn in unit coordinates: the same scene at
//! every size.

mod background;
mod body;
mod canvas;
mod coat;
mod colour;
mod dice;
mod ears;
mod head;
mod light;
mod muzzle;
mod occluders;
mod pose;
mod shapes;
mod tail;

use canvas::Canvas;
use coat::Coat;
use dice::Dice;
use pose::Pose;

/// The classes, by label.
pub const CLASSES: [&str; 2] = ["cat", "dog"];

/// One drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Critter {
    /// `[H, W, 3]`
    pub rgb: Vec<u8>,
    /// `[H, W]`: 255 where a pixel tells the classes apart, else 0.
    pub evidence: Vec<u8>,
    /// Into [`CLASSES`].
    pub label: u32,
}

/// Picture `index` of the set `seed`. Even indices are cats, odd ones dogs: any even number of
/// pictures from the start is balanced.
pub fn draw(seed: u64, index: u64, size_px: u32) -> Critter {
    as_class(seed, index, size_px, (index & 1) as u32)
}

/// The scene of (seed, index) with an animal of the class `label` in it.
pub fn as_class(seed: u64, index: u64, size_px: u32, label: u32) -> Critter {
    let dice = |purpose: &str| Dice::new(seed, index, purpose);
    let dog = label == 1;
    let pose = Pose::draw(&mut dice("pose"));
    let coat = Coat::draw(&mut dice("coat"));
    let mut canvas = Canvas::new(size_px);
    background::paint(&mut canvas, &mut dice("background"));
    tail::paint(&mut canvas, &pose, &coat, dog, &mut dice("tail"));
    body::paint(&mut canvas, &pose, &coat, &mut dice("body"));
    if !pose.hat && !dog {
        ears::paint_cat(&mut canvas, &pose, &coat, &mut dice("ears"));
    }
    head::paint(&mut canvas, &pose, &coat, &mut dice("head"));
    head::paint_eyes(&mut canvas, &pose, &coat, &mut dice("eyes"));
    if !pose.hat && dog {
        ears::paint_dog(&mut canvas, &pose, &coat, &mut dice("ears"));
    }
    match (pose.scarf, dog) {
        (true, _) => {}
        (false, true) => muzzle::paint_dog(&mut canvas, &pose, &coat, &mut dice("muzzle")),
        (false, false) => muzzle::paint_cat(&mut canvas, &pose, &coat, &mut dice("muzzle")),
    }
    body::paint_box(&mut canvas, &pose, &coat, &mut dice("box"));
    head::paint_scarf(&mut canvas, &pose, &mut dice("scarf"));
    head::paint_hat(&mut canvas, &pose, &mut dice("hat"));
    occluders::paint(&mut canvas, &mut dice("occluders"));
    let (mut rgb, evidence) = canvas.into_planes();
    light::shine(&mut rgb, size_px, &mut dice("light"));
    Critter {
        rgb,
        evidence,
        label,
    }
}
