//! The few shapes everything is drawn with. All return paths in the frame they are drawn in.

use tiny_skia::{Path, PathBuilder};

pub type Point = (f32, f32);

/// How many straight pieces a curve between two of its points becomes, where it must be offset.
const PIECES: usize = 6;

fn finish(builder: PathBuilder) -> Path {
    builder.finish().expect("a path with at least two finite points")
}

/// An axis-aligned ellipse.
pub fn oval(centre: Point, rx: f32, ry: f32) -> Path {
    // Four cubics; 0.5523 is the usual constant that keeps them within 0.03 % of an ellipse.
    let (x, y) = centre;
    let (kx, ky) = (rx * 0.5523, ry * 0.5523);
    let mut path = PathBuilder::new();
    path.move_to(x + rx, y);
    path.cubic_to(x + rx, y + ky, x + kx, y + ry, x, y + ry);
    path.cubic_to(x - kx, y + ry, x - rx, y + ky, x - rx, y);
    path.cubic_to(x - rx, y - ky, x - kx, y - ry, x, y - ry);
    path.cubic_to(x + kx, y - ry, x + rx, y - ky, x + rx, y);
    path.close();
    finish(path)
}

/// A closed polygon.
pub fn polygon(points: &[Point]) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    points[1..].iter().for_each(|p| path.line_to(p.0, p.1));
    path.close();
    finish(path)
}

/// A straight line, to be stroked.
pub fn line(from: Point, to: Point) -> Path {
    let mut path = PathBuilder::new();
    path.move_to(from.0, from.1);
    path.line_to(to.0, to.1);
    finish(path)
}

/// The two inner control points of a Catmull-Rom piece from `b` to `c`.
fn controls(a: Point, b: Point, c: Point, d: Point) -> (Point, Point) {
    let after = (b.0 + (c.0 - a.0) / 6.0, b.1 + (c.1 - a.1) / 6.0);
    let before = (c.0 - (d.0 - b.0) / 6.0, c.1 - (d.1 - b.1) / 6.0);
    (after, before)
}

/// A closed smooth outline through the points.
pub fn blob(points: &[Point]) -> Path {
    let n = points.len();
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for i in 0..n {
        let (b, c) = (points[i], points[(i + 1) % n]);
        let (p, q) = controls(points[(i + n - 1) % n], b, c, points[(i + 2) % n]);
        path.cubic_to(p.0, p.1, q.0, q.1, c.0, c.1);
    }
    path.close();
    finish(path)
}

/// An open smooth line through the points, to be stroked.
pub fn curve(points: &[Point]) -> Path {
    let last = points.len() - 1;
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    for i in 0..last {
        let (b, c) = (points[i], points[i + 1]);
        let (p, q) = controls(points[i.saturating_sub(1)], b, c, points[(i + 2).min(last)]);
        path.cubic_to(p.0, p.1, q.0, q.1, c.0, c.1);
    }
    finish(path)
}

/// A band along the smooth line through `points`, `from` wide at its start and `to` at its
/// rounded end: a tail.
pub fn ribbon(points: &[Point], from: f32, to: f32) -> Path {
    let spine = walk(points);
    let last = spine.len() - 1;
    let mut left = Vec::with_capacity(2 * spine.len() + 3);
    let mut right = Vec::with_capacity(spine.len());
    for (i, &(x, y)) in spine.iter().enumerate() {
        let (a, b) = (spine[i.saturating_sub(1)], spine[(i + 1).min(last)]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let half = 0.5 * (from + (to - from) * i as f32 / last as f32);
        let scale = half / (dx * dx + dy * dy).sqrt().max(1e-6);
        let (nx, ny) = (-dy * scale, dx * scale);
        left.push((x + nx, y + ny));
        right.push((x - nx, y - ny));
        if i == last {
            left.push((x + 0.7 * nx + 0.7 * ny, y + 0.7 * ny - 0.7 * nx));
            left.push((x + ny, y - nx));
            left.push((x - 0.7 * nx + 0.7 * ny, y - 0.7 * ny - 0.7 * nx));
        }
    }
    left.extend(right.into_iter().rev());
    polygon(&left)
}

/// Points along the smooth line through `points`.
fn walk(points: &[Point]) -> Vec<Point> {
    let last = points.len() - 1;
    let mut spine = vec![points[0]];
    for i in 0..last {
        let (b, c) = (points[i], points[i + 1]);
        let (p, q) = controls(points[i.saturating_sub(1)], b, c, points[(i + 2).min(last)]);
        for piece in 1..=PIECES {
            let t = piece as f32 / PIECES as f32;
            let u = 1.0 - t;
            let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
            let along = |a: f32, b: f32, c: f32, d: f32| {
                weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d
            };
            spine.push((along(b.0, p.0, q.0, c.0), along(b.1, p.1, q.1, c.1)));
        }
    }
    spine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_pass_through_their_points() {
        let points = [(0.0, 0.0), (1.0, 0.5), (2.0, -0.5), (3.0, 0.0)];
        let spine = walk(&points);
        assert!(points.iter().all(|p| spine.contains(p)), "{spine:?}");
    }

    #[test]
    fn a_ribbon_is_as_wide_as_asked() {
        let bounds = ribbon(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)], 0.4, 0.4).bounds();
        assert!((bounds.height() - 0.4).abs() < 1e-4, "{bounds:?}");
        assert!((bounds.right() - 2.2).abs() < 1e-4, "{bounds:?}");
    }
}
