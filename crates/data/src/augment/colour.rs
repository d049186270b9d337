//! Colours of a batch, each picture by its own factor: the formulas of torchvision 0.26's
//! `transforms.v2.functional` for floating point pictures, and Keras' two.
//!
//! `x` is `[N, C, H, W]` on the scale 0..1 with C 3 or 1; factors are `[N, 1, 1, 1]`. A golden made
//! by torchvision and Keras stands in `tests/golden/transforms.json`.

use tch::{Kind, Tensor};

use crate::batch::sent;

/// `[N, C, H, W] -> [N, 1, H, W]`.
fn grey(x: &Tensor) -> Tensor {
    if x.size()[1] == 1 {
        return x.shallow_clone();
    }
    let channel = |c| x.narrow(1, c, 1);
    channel(0) * 0.2989 + channel(1) * 0.587 + channel(2) * 0.114
}

fn blend(x: &Tensor, other: &Tensor, factor: &Tensor) -> Tensor {
    (x * factor + other * (1f64 - factor)).clamp(0.0, 1.0)
}

pub(super) fn brightness(x: &Tensor, factor: &Tensor) -> Tensor {
    (x * factor).clamp(0.0, 1.0)
}

pub(super) fn contrast(x: &Tensor, factor: &Tensor) -> Tensor {
    blend(x, &mean(&grey(x)), factor)
}

/// `[N, 1, H, W] -> [N, 1, 1, 1]`, added up as whole numbers: a sum of floats depends on how it is
/// shared out among lanes and threads, and so on the batch that the picture is in.
fn mean(x: &Tensor) -> Tensor {
    const UNIT: f64 = (1u64 << 32) as f64;
    let (_, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    let whole = (x.to_kind(Kind::Double) * UNIT).round().to_kind(Kind::Int64);
    let sum = whole.sum_dim_intlist([1i64, 2, 3].as_slice(), true, Kind::Int64);
    (sum.to_kind(Kind::Double) / (UNIT * (h * w) as f64)).to_kind(x.kind())
}

pub(super) fn saturation(x: &Tensor, factor: &Tensor) -> Tensor {
    if x.size()[1] == 1 {
        return x.shallow_clone();
    }
    blend(x, &grey(x), factor)
}

/// The rim of one pixel stays as it is.
pub(super) fn sharpness(x: &Tensor, factor: &Tensor) -> Tensor {
    let (_, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    if h <= 2 || w <= 2 {
        return x.shallow_clone();
    }
    // Added up one by one, not by a convolution: libtorch has several, which round differently, and
    // chooses by how many pictures there are.
    let moved = |down: i64, right: i64| x.narrow(2, down, h - 2).narrow(3, right, w - 2);
    let inner = moved(1, 1);
    let around = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)];
    let mut blurred = &inner * (5.0 / 13.0);
    for (down, right) in around {
        blurred += moved(down, right) * (1.0 / 13.0);
    }
    let sharper = &inner + (blurred - &inner) * (1f64 - factor);
    let out = x.copy();
    out.narrow(2, 1, h - 2).narrow(3, 1, w - 2).copy_(&sharper);
    out.clamp(0.0, 1.0)
}

/// Hue turned by a share of the circle, through HSV.
pub(super) fn hue(x: &Tensor, turn: &Tensor) -> Tensor {
    if x.size()[1] == 1 {
        return x.shallow_clone();
    }
    let channel = |c| x.narrow(1, c, 1);
    let (red, green) = (channel(0), channel(1));
    let high = x.amax([1i64].as_slice(), true);
    let low = x.amin([1i64].as_slice(), true);
    let range = &high - &low;
    let flat = range.eq(0.0);
    let one = high.ones_like();
    let saturation = &range / one.where_self(&flat, &high);
    let distance = (&high - x) / one.where_self(&flat, &range);
    let distance = |c| distance.narrow(1, c, 1);
    let (is_red, is_green) = (high.eq_tensor(&red), high.eq_tensor(&green));
    let from_red = distance(2) - distance(1);
    let from_green = distance(0) + 2.0 - distance(2);
    let from_blue = distance(1) + 4.0 - distance(0);
    let sixths = from_red.where_self(&is_red, &from_green.where_self(&is_green, &from_blue));
    let hue = ((sixths / 6.0 + 1.0).fmod(1.0) + turn).remainder(1.0);
    of_hsv(&hue, &saturation, &high)
}

fn of_hsv(hue: &Tensor, saturation: &Tensor, value: &Tensor) -> Tensor {
    let sixths = hue * 6.0;
    let sector = sixths.floor();
    let fraction = sixths - &sector;
    let sector = sector.to_kind(Kind::Int64).remainder(6);
    let scaled = saturation * fraction;
    let q = ((1f64 - &scaled) * value).clamp(0.0, 1.0);
    let t = ((scaled + (1f64 - saturation)) * value).clamp(0.0, 1.0);
    let p = ((1f64 - saturation) * value).clamp(0.0, 1.0);
    let choices = Tensor::cat(&[value, &p, &q, &t], 1);
    // Of v, p, q, t: which is red, green, blue in each sixth of the circle.
    let of_sector = [[0i64, 2, 1, 1, 3, 0], [3, 0, 0, 2, 1, 1], [1, 1, 3, 0, 0, 2]];
    let pick = |row: &[i64; 6]| {
        let table = sent(Tensor::from_slice(row), hue.device());
        table.index_select(0, &sector.reshape([-1])).view_as(&sector)
    };
    let picks: Vec<Tensor> = of_sector.iter().map(pick).collect();
    choices.gather(1, &Tensor::cat(&picks, 1), false)
}

/// `bits` are left of each value.
pub(super) fn posterize(x: &Tensor, bits: &Tensor) -> Tensor {
    let levels = bits.exp2();
    (x * &levels).floor().minimum(&(&levels - 1.0)).clamp_min(0.0) / levels
}

pub(super) fn solarize(x: &Tensor, from: &Tensor) -> Tensor {
    (1f64 - x).where_self(&x.ge_tensor(from), x)
}

pub(super) fn autocontrast(x: &Tensor) -> Tensor {
    let low = x.amin([2i64, 3].as_slice(), true);
    let high = x.amax([2i64, 3].as_slice(), true);
    let flat = high.eq_tensor(&low);
    let range = low.ones_like().where_self(&flat, &(&high - &low));
    let low = low.zeros_like().where_self(&flat, &low);
    ((x - low) / range).clamp(0.0, 1.0)
}

/// Pillow's histogram equalisation, channel by channel, on 256 values.
pub(super) fn equalize(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().expect("a batch is [N, C, H, W]");
    let bytes = (x * 255.999).floor().to_kind(Kind::Int64).clamp(0, 255).reshape([n, c, h * w]);
    let histogram = Tensor::zeros([n, c, 256], (Kind::Int64, x.device()));
    let histogram = histogram.scatter_add(2, &bytes, &bytes.ones_like());
    let sums = histogram.cumsum(2, Kind::Int64);
    // The highest value that is there at all has the first of the largest sums.
    let last = sums.argmax(2, true);
    let step = (h * w - histogram.gather(2, &last, false)).divide_scalar_mode(255, "floor");
    let spread = sums.narrow(2, 0, 255) + step.divide_scalar_mode(2, "floor");
    let spread = spread.divide_tensor_mode(&step.clamp_min(1), "floor").clamp(0, 255);
    let table = Tensor::cat(&[spread.narrow(2, 0, 1).zeros_like(), spread], 2);
    let equal = table.gather(2, &bytes, false);
    let out = equal.where_self(&step.ne(0), &bytes);
    (out.view([n, c, h, w]).to_kind(x.kind()) / 255.0).to_kind(x.kind())
}

/// Keras: all values by `intensity` steps of 255, within the picture's own range.
pub(super) fn channel_shift(x: &Tensor, intensity: &Tensor) -> Tensor {
    let every = [1i64, 2, 3];
    let (low, high) = (x.amin(every.as_slice(), true), x.amax(every.as_slice(), true));
    (x + intensity / 255.0).maximum(&low).minimum(&high)
}

/// Keras, through Pillow: cut off to bytes before and after the product. A hair is added before the
/// first, so that 17/255 in 32 bits is 17.
pub(super) fn keras_brightness(x: &Tensor, factor: &Tensor) -> Tensor {
    let bytes = (x * 255.0 + 1e-3).floor();
    (bytes * factor).clamp(0.0, 255.0).floor() / 255.0
}
