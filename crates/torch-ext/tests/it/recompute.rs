//! Recomputation gives the same gradients as remembering, frees what it holds exactly once, and
//! refuses what it cannot do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use catscan_torch_ext::convolution::Steps;
use catscan_torch_ext::recompute::{Pass, checkpoint, checkpoint_conv2d};
use tch::{Device, Kind, TchError, Tensor, no_grad};

const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

fn ramp(dims: &[i64]) -> Tensor {
    let count = dims.iter().product::<i64>();
    (Tensor::arange(count, F64) * 0.7).sin().view(dims)
}

fn leaf(dims: &[i64]) -> Tensor {
    ramp(dims).set_requires_grad(true)
}

/// A dense layer's first half: concatenate, normalise, ReLU.
fn segment(inputs: &[Tensor], _: Pass) -> Tensor {
    let [a, b, weight, bias] = inputs else { panic!("{} inputs", inputs.len()) };
    let (none, x) = (None::<&Tensor>, Tensor::cat(&[a, b], 1));
    x.batch_norm(Some(weight), Some(bias), none, none, true, 0.1, 1e-5, false).relu()
}

fn gradients(y: &Tensor, inputs: &[&Tensor]) -> Result<Vec<Tensor>, TchError> {
    let loss = (y * ramp(&y.size()).to_kind(y.kind())).sum(Kind::Float);
    Tensor::f_run_backward(&[loss], inputs, false, false)
}

fn message(y: &Tensor, inputs: &[&Tensor]) -> String {
    gradients(y, inputs).expect_err("refused").to_string()
}

#[test]
fn gradients_are_the_same_bits_in_every_kind_and_layout() {
    for kind in [Kind::Double, Kind::Float, Kind::BFloat16] {
        for channels_last in [false, true] {
            let map = |channels: i64| match channels_last {
                true => ramp(&[2, 5, 6, channels]).to_kind(kind).permute([0, 3, 1, 2]),
                false => ramp(&[2, channels, 5, 6]).to_kind(kind),
            };
            let wide = if kind == Kind::Double { kind } else { Kind::Float };
            let vector = || ramp(&[7]).to_kind(wide).set_requires_grad(true);
            let (a, b) = (map(4).set_requires_grad(true), map(3).set_requires_grad(true));
            let (weight, bias) = (vector(), vector());
            let kernel = ramp(&[8, 7, 3, 3]).to_kind(wide).set_requires_grad(true);
            let inputs = [&a, &b, &weight, &bias];
            let all = [&a, &b, &weight, &bias, &kernel];
            let cast = kernel.to_kind(kind);
            let steps = Steps { stride: 2, padding: 1 };

            let convolve = |y: &Tensor| y.conv2d(&cast, None::<Tensor>, 2, 1, 1, 1);
            let plain = convolve(&segment(&inputs.map(Tensor::shallow_clone), Pass::First));
            let wanted = gradients(&plain, &all).unwrap();

            let first = convolve(&checkpoint(&inputs, segment));
            let second = checkpoint_conv2d(&inputs, &cast, steps, segment);
            for recomputed in [first, second] {
                assert_eq!(recomputed, plain);
                let got = gradients(&recomputed, &all).unwrap();
                for (i, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                    assert_eq!(got.kind(), wanted.kind());
                    assert_eq!(got, wanted, "{kind:?}, channels_last {channels_last}, input {i}");
                }
            }
        }
    }
}

#[test]
fn what_is_frozen_gets_no_gradient_and_costs_none_of_the_others() {
    let (a, b) = (leaf(&[2, 4, 5, 6]), ramp(&[2, 3, 5, 6]));
    let (weight, bias) = (ramp(&[7]), leaf(&[7]));
    let kernel = ramp(&[8, 7, 1, 1]);
    let steps = Steps { stride: 1, padding: 0 };
    let inputs = [&a, &b, &weight, &bias];
    let plain = segment(&inputs.map(Tensor::shallow_clone), Pass::First).conv2d(
        &kernel,
        None::<Tensor>,
        1,
        0,
        1,
        1,
    );
    let recomputed = checkpoint_conv2d(&inputs, &kernel, steps, segment);
    let wanted = gradients(&plain, &[&a, &bias]).unwrap();
    assert_eq!(gradients(&recomputed, &[&a, &bias]).unwrap(), wanted);
    // Only the convolution's weight is trained: the segment itself has nothing to give.
    let (a, bias, kernel) = (a.detach(), bias.detach(), kernel.set_requires_grad(true));
    let recomputed = checkpoint_conv2d(&[&a, &b, &weight, &bias], &kernel, steps, segment);
    assert_eq!(gradients(&recomputed, &[&kernel]).unwrap()[0].size(), [8, 7, 1, 1]);
}

/// A segment, how often it ran in either pass, and whether it is still held.
#[derive(Default)]
struct Counted {
    first: AtomicUsize,
    again: AtomicUsize,
    dropped: AtomicUsize,
}

struct Held(Arc<Counted>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn counted(x: &Tensor) -> (Tensor, Arc<Counted>) {
    let counts = Arc::new(Counted::default());
    let held = Held(counts.clone());
    let y = checkpoint(&[x], move |inputs, pass| {
        let count = if pass == Pass::First { &held.0.first } else { &held.0.again };
        count.fetch_add(1, Ordering::SeqCst);
        inputs[0].exp()
    });
    (y, counts)
}

fn numbers(counts: &Counted) -> [usize; 3] {
    [&counts.first, &counts.again, &counts.dropped].map(|count| count.load(Ordering::SeqCst))
}

#[test]
fn a_segment_runs_twice_and_is_freed_once_with_its_graph() {
    let x = leaf(&[3]);
    let (y, counts) = counted(&x);
    assert_eq!(numbers(&counts), [1, 0, 0]);
    gradients(&y, &[&x]).unwrap();
    assert_eq!(numbers(&counts), [1, 1, 1], "freed by the backward that frees the graph");
    drop(y);
    assert_eq!(numbers(&counts), [1, 1, 1]);

    let (y, counts) = counted(&x);
    drop(y);
    assert_eq!(numbers(&counts), [1, 0, 1], "never run backward");
}

#[test]
fn without_a_gradient_to_give_nothing_is_held() {
    let (frozen, x) = (ramp(&[3]), leaf(&[3]));
    let (y, counts) = counted(&frozen);
    assert!(!y.requires_grad());
    assert_eq!(numbers(&counts), [1, 0, 1]);
    let (y, counts) = no_grad(|| counted(&x));
    assert!(!y.requires_grad());
    assert_eq!(numbers(&counts), [1, 0, 1]);
}

#[test]
fn backward_repeats_while_the_graph_is_kept_and_not_after() {
    let x = leaf(&[3]);
    let (y, counts) = counted(&x);
    let loss = y.sum(Kind::Double);
    for keep_graph in [true, true, false] {
        let got = Tensor::run_backward(&[&loss], &[&x], keep_graph, false);
        assert_eq!(got[0], x.exp());
    }
    assert_eq!(numbers(&counts), [1, 3, 1]);
    let error = message(&y, &[&x]);
    assert!(error.contains("a second time"), "{error}");
}

#[test]
fn segments_nest() {
    let x = leaf(&[3]);
    let y = checkpoint(&[&x], |inputs, _| {
        checkpoint(&[&inputs[0].exp()], |inner, _| inner[0].sin()) * 2.0
    });
    let plain = x.exp().sin() * 2.0;
    assert_eq!(gradients(&y, &[&x]).unwrap(), gradients(&plain, &[&x]).unwrap());
}

#[test]
fn a_gradient_of_a_gradient_is_refused() {
    let x = leaf(&[3]);
    let y = checkpoint(&[&x], |inputs, _| inputs[0].exp()).sum(Kind::Double);
    let error = Tensor::f_run_backward(&[&y], &[&x], true, true).unwrap_err().to_string();
    assert!(error.contains("cannot give a gradient of a gradient"), "{error}");
}

#[test]
fn a_captured_weight_is_refused() {
    let (x, weight) = (leaf(&[3]), leaf(&[3]));
    let captured = weight.shallow_clone();
    let y = checkpoint(&[&x], move |inputs, _| &inputs[0] * &captured * 2.0);
    let error = message(&y, &[&x]);
    assert!(error.contains("captures a tensor that wants a gradient; pass it"), "{error}");
}

#[test]
fn an_input_overwritten_in_between_is_refused() {
    let (x, scale) = (leaf(&[3]), ramp(&[3]));
    let y = checkpoint(&[&x, &scale], |inputs, _| &inputs[0] * &inputs[1]);
    let _ = scale.shallow_clone().fill_(0.0);
    let error = message(&y, &[&x]);
    assert!(error.contains("modified by an inplace operation"), "{error}");
}

#[test]
fn a_panic_in_backward_is_an_error_with_its_words() {
    let x = leaf(&[3]);
    let y = checkpoint(&[&x], |inputs, pass| {
        assert!(pass == Pass::First, "the second of {} runs", 2);
        inputs[0].exp()
    });
    let error = message(&y, &[&x]);
    assert!(error.contains("failed when run again: the second of 2 runs"), "{error}");
}

#[test]
#[should_panic(expected = "must make a new tensor, not a view of an input")]
fn a_view_of_an_input_is_refused() {
    let _ = checkpoint(&[&leaf(&[3])], |inputs, _| inputs[0].view([1, 3]));
}
