//! What one draw of a step does to one picture, and a whole batch at once: pictures that meet the
//! same operation at the same place of their lists go through it together.

use super::step::Rectangle;

/// One operation with its magnitude. Values are on the scale 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names are torchvision's and Keras'; see Step")]
pub enum Op {
    Crop(Rectangle),
    Erase(Rectangle),
    ShearX(f64),
    ShearY(f64),
    Translate(f64, f64),
    /// Degrees, against the clock.
    Rotate(f64),
    Brightness(f64),
    Contrast(f64),
    Saturation(f64),
    /// In turns.
    Hue(f64),
    Sharpness(f64),
    /// Bits that are left.
    Posterize(u32),
    Solarize(f64),
    AutoContrast,
    Equalize,
    /// Steps of 255.
    ChannelShift(f64),
    KerasBrightness {
        factor: f64,
    },
}

#[cfg(feature = "tch")]
pub use batched::{apply, outside};

#[cfg(feature = "tch")]
mod batched {
    use std::mem::discriminant;

    use tch::{Device, Tensor};

    use super::{Op, Rectangle};
    use crate::augment::{colour, warp};
    use crate::batch::sent;

    /// `[N, C, H, W] -> [N, C, H, W]`: each picture through its own list. `zero` `[1, C, 1, 1]` is
    /// what the network sees as zero: erased rectangles get it.
    ///
    /// # Panics
    /// Where there is not one list a picture.
    pub fn apply(x: &Tensor, ops: &[&[Op]], zero: &Tensor) -> Tensor {
        let mut x = x.shallow_clone();
        assert_eq!(x.size()[0] as usize, ops.len(), "augment: one list of operations a picture");
        let rounds = ops.iter().map(|ops| ops.len()).max().unwrap_or(0);
        for round in 0..rounds {
            // In the order in which kinds are met first: the same for the same batch.
            let mut groups: Vec<(Vec<i64>, Vec<Op>)> = Vec::new();
            for (i, op) in ops.iter().enumerate().filter_map(|(i, ops)| Some((i, ops.get(round)?)))
            {
                let known =
                    groups.iter_mut().find(|(_, of)| discriminant(&of[0]) == discriminant(op));
                match known {
                    Some((members, of)) => {
                        members.push(i as i64);
                        of.push(*op);
                    }
                    None => groups.push((vec![i as i64], vec![*op])),
                }
            }
            for (members, of) in groups {
                if members.len() == ops.len() {
                    x = together(&x, &of, zero);
                    continue;
                }
                let index = sent(Tensor::from_slice(&members), x.device());
                let changed = together(&x.index_select(0, &index), &of, zero);
                x = x.index_copy(0, &index, &changed);
            }
        }
        x
    }

    /// All pictures through one kind of operation, each at its own magnitude.
    fn together(x: &Tensor, ops: &[Op], zero: &Tensor) -> Tensor {
        let column = |of: fn(&Op) -> f64| {
            let values: Vec<f64> = ops.iter().map(of).collect();
            let values = Tensor::from_slice(&values).view([-1, 1, 1, 1]);
            sent(values.to_kind(x.kind()), x.device())
        };
        let boxes = || ops.iter().map(rectangle).collect::<Vec<Rectangle>>();
        match ops[0] {
            Op::Crop(_) => warp::resized_crop(x, &boxes()),
            Op::Erase(_) => {
                let (_, _, h, w) = x.size4().expect("a batch is [N, C, H, W]");
                let keep = outside(&boxes(), h, w, x.device());
                x.where_self(&keep, &zero.to_kind(x.kind()))
            }
            Op::ShearX(_) | Op::ShearY(_) | Op::Translate(..) | Op::Rotate(_) => {
                warp::nearest(x, ops)
            }
            Op::Brightness(_) => colour::brightness(x, &column(magnitude)),
            Op::Contrast(_) => colour::contrast(x, &column(magnitude)),
            Op::Saturation(_) => colour::saturation(x, &column(magnitude)),
            Op::Hue(_) => colour::hue(x, &column(magnitude)),
            Op::Sharpness(_) => colour::sharpness(x, &column(magnitude)),
            Op::Posterize(_) => colour::posterize(x, &column(magnitude)),
            Op::Solarize(_) => colour::solarize(x, &column(magnitude)),
            Op::AutoContrast => colour::autocontrast(x),
            Op::Equalize => colour::equalize(x),
            Op::ChannelShift(_) => colour::channel_shift(x, &column(magnitude)),
            Op::KerasBrightness { .. } => colour::keras_brightness(x, &column(magnitude)),
        }
    }

    fn magnitude(op: &Op) -> f64 {
        match *op {
            Op::Brightness(by) | Op::Contrast(by) | Op::Saturation(by) | Op::Hue(by) => by,
            Op::Sharpness(by) | Op::Solarize(by) | Op::ChannelShift(by) => by,
            Op::KerasBrightness { factor } => factor,
            Op::Posterize(bits) => bits.into(),
            _ => unreachable!("{op:?} has no single magnitude"),
        }
    }

    fn rectangle(op: &Op) -> Rectangle {
        match op {
            Op::Crop(rectangle) | Op::Erase(rectangle) => *rectangle,
            _ => unreachable!("{op:?} has no rectangle"),
        }
    }

    /// `[N, 1, H, W]` booleans: false within each picture's rectangle.
    pub fn outside(boxes: &[Rectangle], h: i64, w: i64, device: Device) -> Tensor {
        let side = |length: i64, shape: [i64; 4], of: fn(&Rectangle) -> (u32, u32)| {
            let ends = |end: fn((u32, u32)) -> u32| {
                let values: Vec<i64> = boxes.iter().map(|b| end(of(b)).into()).collect();
                sent(Tensor::from_slice(&values).view([-1, 1, 1, 1]), device)
            };
            let at = Tensor::arange(length, (tch::Kind::Int64, device)).view(shape);
            let low = ends(|(start, _)| start);
            let high = ends(|(start, length)| start + length);
            at.ge_tensor(&low).logical_and(&at.lt_tensor(&high))
        };
        let rows = side(h, [1, 1, h, 1], |b| (b.top, b.height));
        let columns = side(w, [1, 1, 1, w], |b| (b.left, b.width));
        rows.logical_and(&columns).logical_not()
    }
}
