//! Taps: they change nothing and lie on the backward path. That their names are true is asked of
//! every model in `registry`.

use catscan_models::{Mode, Pool, Taps};

use super::support::{build, config, pictures};

#[test]
fn taps_do_not_change_the_result_and_are_not_overwritten() {
    let model = build(&config("densenet-mini", Pool::Max, 1));
    let x = pictures([2, 3, 64, 64]);
    let mut all = Taps::all();
    // With the batch's statistics, which make every norm's output signed.
    let (with, without) = tch::no_grad(|| {
        let with = model.forward(&x, Mode::TRAIN, &mut all);
        (with, model.forward(&x, Mode::TRAIN, &mut Taps::off()))
    });
    // A tap keeps what is otherwise fused: other sums of 32 bits, the same but for rounding.
    let worst = (&with - &without).abs().max().double_value(&[]);
    assert!(worst < 1e-4 * without.abs().max().double_value(&[]), "{worst:e}");
    // Had the ReLU after a norm overwritten its output, that would not be signed.
    let norms: Vec<_> = all.iter().filter(|(name, _)| name.contains("norm")).collect();
    assert_eq!(norms.len(), 1 + 8 * 2 + 3 + 1);
    for (name, tensor) in norms {
        assert!(tensor.min().double_value(&[]) < 0.0, "{name} is not signed");
    }
    assert!(all.get("features.pool0").unwrap().min().double_value(&[]) >= 0.0);
    assert_eq!(all.get("classifier").unwrap(), &with);
}

#[test]
fn one_backward_reaches_every_tap() {
    let model = build(&config("densenet-mini", Pool::Avg, 2));
    let names = model.tap_names();
    let mut taps = model.taps(&names).unwrap();
    let logits = model.forward(&pictures([2, 3, 64, 64]), Mode::Eval, &mut taps);
    let score = logits.select(1, 1).sum(logits.kind());
    let activations: Vec<_> = taps.iter().map(|(_, tensor)| tensor.shallow_clone()).collect();
    let gradients = tch::Tensor::run_backward(&[&score], &activations, false, false);
    for (gradient, (name, activation)) in gradients.iter().zip(taps.iter()) {
        assert_eq!(gradient.size(), activation.size(), "{name}");
        assert!(gradient.norm().double_value(&[]) > 0.0, "{name}");
    }
}

#[test]
fn an_unknown_tap_is_refused_with_the_nearest() {
    let model = build(&config("densenet-mini", Pool::Avg, 1));
    let error = model.taps(&["features.denseblock4.denselayer2.conv3"]).unwrap_err();
    let nearest = "nearest is features.denseblock4.denselayer2.conv";
    assert!(error.to_string().contains(nearest), "{error}");
}
