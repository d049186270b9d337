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
    };

    /// Rotation · shear · zoom · flip, and the shifts.
    pub fn affine(&self) -> Affine {
        Affine(self.rows().map(|entry| entry as f32))
    }

    /// The same, before it is rounded to 32 bits.
    pub(super) fn rows(&self) -> [f64; 6] {
        let (sin, cos) = self.rotation_rad.sin_cos();
        let (shear_sin, shear_cos) = self.shear_rad.sin_cos();
        let zoom_x = if self.flip { -self.zoom_x } else { self.zoom_x };
        let zoom_y = if self.flip_vertical { -self.zoom_y } else { self.zoom_y };
        let (move_x, move_y) = (self.move_x_px, self.move_y_px);
        [
            cos * zoom_x,
            (-cos * shear_sin - sin * shear_cos) * zoom_y,
            cos * move_x - sin * move_y + f64::from(self.shift_x_px),
            sin * zoom_x,
            (-sin * shear_sin + cos * shear_cos) * zoom_y,
            sin * move_x + cos * move_y + f64::from(self.shift_y_px),
        ]
    }
}
