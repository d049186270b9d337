//! Where a stretch of a row's pixels comes from: sixteen places at once, in plain arithmetic that
//! the compiler turns into vectors.

use crate::augment::{Affine, Fill};

/// How many neighbours of a row are placed together.
pub(super) const TOGETHER: usize = 16;

/// What a row and a column of the table are longer than the picture's: one pixel before, and two
/// after, as the last place that is asked for has a neighbour (of weight zero).
pub(super) const AROUND: usize = 3;
const BEFORE: i32 = 1;

/// For each pixel of a stretch, the four of the table around its place.
pub(super) struct Places {
    /// The table's byte at which the upper left one begins.
    pub at: [u32; TOGETHER],
    /// How far right of it the place is, 0 to 1.
    pub right: [f32; TOGETHER],
    /// How far below it.
    pub down: [f32; TOGETHER],
    /// How much of what is seen there is the picture and not [`Fill::Zero`]'s outside.
    pub inside: [f32; TOGETHER],
}

/// One row of the result, and where in the picture its pixels lie.
pub(super) struct Row {
    /// Place = step · (column − centre) + start, (x, y) in pixels.
    step: (f32, f32),
    start: (f32, f32),
    centre: f32,
    side: f32,
    /// Bytes of a row of the table and of a pixel.
    bytes: (i32, i32),
}

impl Row {
    /// `row` of a picture of `side` pixels a side, `channels` bytes each.
    #[inline(always)]
    pub fn new(
        &Affine([a, b, x, c, d, y]): &Affine,
        row: usize,
        side: usize,
        channels: usize,
    ) -> Row {
        let centre = (side as f32 - 1.0) / 2.0;
        let below = row as f32 - centre;
        let start = (b * below + x + centre, d * below + y + centre);
        let bytes = (((side + AROUND) * channels) as i32, channels as i32);
        Row { step: (a, c), start, centre, side: side as f32, bytes }
    }

    /// Of the pixels from `column` on. A place outside is moved to where the table has what `fill`
    /// shows there.
    #[inline(always)]
    pub fn places(&self, column: usize, fill: Fill) -> Places {
        let (side, last) = (self.side, self.side - 1.0);
        // The edge's own centre is inside, whatever 32 bits make of it.
        let hair = 1e-6 * self.centre;
        let within = move |v: f32| (v >= -hair) & (v <= last + hair);
        let clamp = move |v: f32| v.max(0.0).min(last);
        match fill {
            Fill::Edge => self.moved(column, |x, y| (clamp(x), clamp(y), 1.0)),
            Fill::Zero => {
                let share = move |v: f32| (v + 1.0).min(side - v).clamp(0.0, 1.0);
                let moved = move |v: f32| v.max(-1.0).min(side);
                self.moved(column, |x, y| (moved(x), moved(y), share(x) * share(y)))
            }
            Fill::Constant(_) => self.moved(column, |x, y| {
                let inside = within(x) & within(y);
                let or_corner = |v: f32| if inside { clamp(v) } else { -1.0 };
                (or_corner(x), or_corner(y), 1.0)
            }),
            Fill::Reflect => {
                // Mirrored at the pixels' outer edges.
                let moved = move |v: f32| {
                    let from_edge = v + 0.5;
                    let turns = floor(from_edge / (2.0 * side)).0;
                    let along = from_edge - turns * (2.0 * side);
                    clamp(along.min(2.0 * side - along) - 0.5)
                };
                self.moved(column, |x, y| (moved(x), moved(y), 1.0))
            }
            Fill::Wrap => {
                let period = last.max(1.0);
                let moved = move |v: f32| {
                    let wrapped = v - floor(v / period).0 * period;
                    clamp(if within(v) { v } else { wrapped })
                };
                self.moved(column, |x, y| (moved(x), moved(y), 1.0))
            }
        }
    }

    /// `moved` gives (x, y, inside), x and y from −1 to the side.
    #[inline(always)]
    fn moved(&self, column: usize, moved: impl Fn(f32, f32) -> (f32, f32, f32)) -> Places {
        let none = [0.0; TOGETHER];
        let mut places = Places { at: [0; TOGETHER], right: none, down: none, inside: none };
        for k in 0..TOGETHER {
            let column = (column as i32 + k as i32) as f32 - self.centre;
            let x = self.step.0 * column + self.start.0;
            let y = self.step.1 * column + self.start.1;
            let (x, y, inside) = moved(x, y);
            let ((left, from_left), (top, from_top)) = (floor(x), floor(y));
            let (row, pixel) = self.bytes;
            places.at[k] = ((from_top + BEFORE) * row + (from_left + BEFORE) * pixel) as u32;
            places.right[k] = x - left;
            places.down[k] = y - top;
            places.inside[k] = inside;
        }
        places
    }
}

/// The next whole number at or below `value`, twice. Below 2²² alone, which is where a picture's
/// places are: `as` and `f32::floor` mean the same for all numbers, and are no vectors therefore.
#[inline(always)]
fn floor(value: f32) -> (f32, i32) {
    // From here on floats are whole, so the sum is rounded; and its last bits are the number.
    const WHOLE: f32 = 12_582_912.0;
    let sum = value + WHOLE;
    let near = sum - WHOLE;
    let above = near > value;
    let index = sum.to_bits() as i32 - WHOLE.to_bits() as i32 - i32::from(above);
    (if above { near - 1.0 } else { near }, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_floors() {
        let mut value = -4000.0f32;
        while value < 4000.0 {
            let (whole, index) = floor(value);
            assert_eq!((whole, index), (value.floor(), value.floor() as i32), "{value}");
            value += 0.37;
        }
        for value in [-2.0, -1.0, -1e-6, -0.0, 0.0, 0.5, 1.5, 2.5, 223.0, 222.99998, 4096.0] {
            assert_eq!(floor(value), (value.floor(), value.floor() as i32), "{value}");
        }
    }

    #[test]
    fn no_place_leaves_the_table_however_far_it_is() {
        for side in [1, 2, 5, 40] {
            let table = (side + AROUND) * (side + AROUND);
            for far in [-9999.3, -40.0, -1.0, 0.0, 0.4, 1.0, 39.0, 12345.6] {
                for fill in [Fill::Edge, Fill::Zero, Fill::Constant(3), Fill::Reflect, Fill::Wrap] {
                    let affine = Affine([1.9, -0.7, far, 0.3, 1.8, -far]);
                    for row in 0..side {
                        let places = Row::new(&affine, row, side, 1).places(0, fill);
                        for k in 0..TOGETHER {
                            let below = places.at[k] as usize + side + AROUND;
                            assert!(below + 1 < table, "{side} px, {far}, {fill:?}");
                            for share in [places.right[k], places.down[k], places.inside[k]] {
                                assert!((0.0..=1.0).contains(&share), "{share}");
                            }
                        }
                    }
                }
            }
        }
    }
}
