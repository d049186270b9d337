//! The gradient norms that a run keeps, one line an epoch.

use catscan_models::Model;
use catscan_train::{Recipe, Schedule, Sgd, read_gradients};
use tch::Device;

use crate::common::{job, recipe, run};
use crate::testing::sgd;

/// Plain descent moves each weight by the rate times its gradient, so what it moved tells the norm.
#[test]
fn norms_are_those_of_the_step_that_was_taken() {
    const LR: f64 = 0.05;
    let folder = tempfile::tempdir().unwrap();
    let plain = Sgd { momentum: 0.0, weight_decay: 0.0, ..sgd(LR) };
    let recipe = Recipe {
        optimizer: plain.into(),
        schedule: Schedule::Constant,
        steps_per_epoch: Some(1),
        ..recipe()
    };
    run(&job(&recipe, folder.path()), &mut ()).unwrap();
    let lines = read_gradients(folder.path()).unwrap();
    let places: Vec<(u32, u64)> = lines.iter().map(|line| (line.epoch, line.step)).collect();
    assert_eq!(places, [(1, 1), (2, 2)]);
    let [before, after] = [1, 2].map(|step| {
        let model = Model::build(&recipe.model, 9, Device::Cpu).unwrap();
        let file = folder.path().join(format!("checkpoints/step-{step}/weights.safetensors"));
        model.weights().load(&file).unwrap();
        model
    });
    let last = &lines[1];
    assert_eq!(last.layers[0], "features.conv0");
    assert_eq!(last.layers[last.layers.len() - 1], "classifier");
    for (layer, norm) in last.layers.iter().zip(&last.norms) {
        let name = format!("{layer}.weight");
        let weight = |model: &Model| model.weights().get(&name).unwrap().detach();
        let moved = (weight(&after) - weight(&before)).norm().double_value(&[]) / LR;
        assert!(*norm > 0.0 && (moved - norm).abs() < 1e-2 * norm + 1e-5, "{name}: {moved} {norm}");
    }
}
