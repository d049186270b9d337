//! A layer with a backward of its own: in the graph, freed with it, and never out of turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use catscan_torch_ext::gradient::with_gradient;
use tch::{Kind, Tensor, no_grad};

fn leaf(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).set_requires_grad(true)
}

/// `a b`, told by hand; counts how often backward ran.
fn product(a: &Tensor, b: &Tensor, ran: &Arc<AtomicUsize>) -> Tensor {
    let (kept_a, kept_b, ran) = (a.detach(), b.detach(), ran.clone());
    let y = no_grad(|| a * b);
    with_gradient(y, &[a, b], move |gradient, wanted| {
        ran.fetch_add(1, Ordering::Relaxed);
        let of = |i: usize, other: &Tensor| wanted[i].then(|| gradient * other);
        vec![of(0, &kept_b), of(1, &kept_a)]
    })
}

#[test]
fn gradients_reach_every_input_and_those_before() {
    let (a, b, ran) = (leaf(&[1.0, 2.0]), leaf(&[3.0, 5.0]), Arc::default());
    let y = product(&(&a * 2.0), &b, &ran);
    assert_eq!(y, &a * 2.0 * &b);
    (y * 10.0).sum(Kind::Double).backward();
    assert_eq!(a.grad(), Tensor::from_slice(&[60.0, 100.0]));
    assert_eq!(b.grad(), Tensor::from_slice(&[20.0, 40.0]));
}

#[test]
fn what_nobody_wants_is_not_asked_for() {
    let (a, b, ran) = (leaf(&[1.0]), Tensor::from_slice(&[3.0]), Arc::default());
    product(&a, &b, &ran).sum(Kind::Double).backward();
    assert_eq!(a.grad(), Tensor::from_slice(&[3.0]));
    assert!(!b.grad().defined());
    let constant = product(&b, &b, &ran);
    assert!(!constant.requires_grad());
    assert!(!no_grad(|| product(&a, &a, &ran)).requires_grad());
}

#[test]
fn the_closure_is_freed_with_the_graph() {
    let (a, ran) = (leaf(&[1.0]), Arc::default());
    let y = product(&a, &a, &ran);
    assert_eq!(Arc::strong_count(&ran), 2);
    drop(y);
    assert_eq!(Arc::strong_count(&ran), 1, "dropped without a backward");
    let y = product(&a, &a, &ran).sum(Kind::Double);
    Tensor::run_backward(&[&y], &[&a], true, false);
    assert_eq!(Arc::strong_count(&ran), 2, "the graph is kept");
    Tensor::run_backward(&[&y], &[&a], false, false);
    assert_eq!((Arc::strong_count(&ran), ran.load(Ordering::Relaxed)), (1, 2));
    let again = Tensor::f_run_backward(&[&y], &[&a], false, false);
    assert!(again.unwrap_err().to_string().contains("second time"));
}

#[test]
fn refusals_and_panics_are_errors_with_words() {
    let (a, ran) = (leaf(&[1.0]), Arc::default());
    let y = product(&a, &a, &ran).sum(Kind::Double);
    let twice = Tensor::f_run_backward(&[&y], &[&a], true, true);
    assert!(twice.unwrap_err().to_string().contains("gradient of a gradient"));
    let y = with_gradient(no_grad(|| &a * 2.0), &[&a], |_, _| panic!("these words"));
    let failed = Tensor::f_run_backward(&[&y.sum(Kind::Double)], &[&a], false, false);
    assert!(failed.unwrap_err().to_string().contains("these words"));
    let y = with_gradient(no_grad(|| &a * 2.0), &[&a], |_, _| Vec::new());
    let failed = Tensor::f_run_backward(&[&y.sum(Kind::Double)], &[&a], false, false);
    assert!(failed.unwrap_err().to_string().contains("a gradient an input"));
}
