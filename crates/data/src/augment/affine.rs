//! What is drawn for a picture's affine, and the matrix that it comes to; [`super`] has the
//! formula.

use serde::{Deserialize, Serialize};

/// The two rows `[M | t]` of an affine from output to input coordinates, row by row, `t` in pixels;
/// with `t` in halves of a picture it is what PyTorch calls `theta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [f32; 6]);

impl Affine {
    /// Nothing moves.
    pub const IDENTITY: Affine = Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}

/// What was drawn for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AffineDraw {
    /// θ
    pub rotation_rad: f64,
    /// φ
    pub shear_rad: f64,
    /// zx: above 1 shows more of the picture, so things look narrower.
    pub zoom_x: f64,
    /// zy
    pub zoom_y: f64,
    /// Mirrored left to right, after the affine.
    pub flip: bool,
    /// tx: above 0 shows more of what lies to the right.
    pub shift_x_px: i32,
    /// ty
    pub shift_y_px: i32,
    /// Turned upside down, after the affine.
    pub flip_vertical: bool,
    /// Before shear and zoom, turned with the rotation.
    pub move_x_px: f64,
    /// The same along y.
    pub move_y_px: f64,
    /// As Keras composed it when its shears were radians ([`super::Shear::Radians`]).
    #[serde(default)]
    pub older: bool,
}

/// What was drawn for one axis.
struct Axis {
    zoom: f64,
    mirrored: bool,
    shift: f64,
}

impl Axis {
    fn sign(&self) -> f64 {
        if self.mirrored { -1.0 } else { 1.0 }
    }
}

impl AffineDraw {
    /// Nothing is moved.
    pub const STILL: AffineDraw = AffineDraw {
        rotation_rad: 0.0,
        shear_rad: 0.0,
        zoom_x: 1.0,
        zoom_y: 1.0,
        flip: false,
        shift_x_px: 0,
        shift_y_px: 0,
        flip_vertical: false,
        move_x_px: 0.0,
        move_y_px: 0.0,
        older: false,
    };

    /// Rotation · shear · zoom · flip, and the shifts.
    pub fn affine(&self) -> Affine {
        Affine(self.rows().map(|entry| entry as f32))
    }

    /// The same, before it is rounded to 32 bits.
    pub(super) fn rows(&self) -> [f64; 6] {
        let x = Axis { zoom: self.zoom_x, mirrored: self.flip, shift: self.move_x_px };
        let y = Axis { zoom: self.zoom_y, mirrored: self.flip_vertical, shift: self.move_y_px };
        let (shift_x, shift_y) = (f64::from(self.shift_x_px), f64::from(self.shift_y_px));
        if self.older {
            // Rows come first, and the picture is turned about a pixel's length down and right.
            let [a, b, s, c, d, t] = self.about(1.0, &y, &x);
            return [d, c, t + shift_x, b, a, s + shift_y];
        }
        let [a, b, s, c, d, t] = self.about(0.0, &x, &y);
        [a, b, s + shift_x, c, d, t + shift_y]
    }

    /// `[M | t]` with the first axis' row first, turned about a point that lies so many pixels
    /// right of and below the picture's centre.
    fn about(&self, point_px: f64, first: &Axis, second: &Axis) -> [f64; 6] {
        let (sin, cos) = self.rotation_rad.sin_cos();
        let (shear_sin, shear_cos) = self.shear_rad.sin_cos();
        let (u, v) = (first.shift, second.shift);
        let (a, c) = (cos * first.zoom, sin * first.zoom);
        let b = (-cos * shear_sin - sin * shear_cos) * second.zoom;
        let d = (-sin * shear_sin + cos * shear_cos) * second.zoom;
        let s = cos * u - sin * v + point_px * (1.0 - a - b);
        let t = sin * u + cos * v + point_px * (1.0 - c - d);
        // Flips come after the affine, about the centre.
        let (f, g) = (first.sign(), second.sign());
        [f * a, g * b, s, f * c, g * d, t]
    }
}
