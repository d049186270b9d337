"""Writes crates/train/tests/golden/training.json: what surrounds an optimiser's formula.

- torch.nn.utils.clip_grad_norm_ and clip_grad_value_;
- averaged weights: torch.optim.swa_utils' EMA, and timm's ModelEmaV3 with its warm-up;
- torch.nn.functional.cross_entropy with smoothed labels and weighted classes, for K logits and for
  one logit z, which counts as the two logits 0, z: its loss and the logits' gradient;
- scikit-learn's balanced class weights.

Logits are 2 sin(1 + i), gradients and weights sin(1 + i + 3 t): closed formulas, so the golden holds
answers only. All in 64-bit but timm's, whose shadow weights are as the model's, 64-bit too.

Run: python3 scripts/golden/training.py   (needs torch, timm, scikit-learn, numpy)
"""

import json
import math
import pathlib

import numpy
import sklearn
import timm
import torch
from sklearn.utils.class_weight import compute_class_weight
from timm.utils.model_ema import ModelEmaV3
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.set_default_dtype(torch.float64)
NUMBERS, UPDATES = 7, 12


def wave(count, step):
    return torch.tensor([math.sin(1 + i + 3 * step) for i in range(count)])


def clip_case(kind, most, scale):
    parameters = [torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(3))]
    gradient = scale * wave(NUMBERS, 0)
    parameters[0].grad, parameters[1].grad = gradient[:4].clone(), gradient[4:].clone()
    clip = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}[kind]
    clip(parameters, most)
    after = torch.cat([parameter.grad for parameter in parameters]).tolist()
    return {"clip": {kind: most}, "scale": scale, "after": after}


class Weights(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(NUMBERS))


def averaged(decay, warmup_power):
    """The averages after each update; update t brings the weights sin(1 + i + 3 t)."""
    model = Weights()
    if warmup_power is None:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    else:
        average = ModelEmaV3(model, decay=decay, use_warmup=True, warmup_power=warmup_power)
    after = []
    for update in range(1, UPDATES + 1):
        with torch.no_grad():
            model.w.copy_(wave(NUMBERS, update))
        if warmup_power is None:
            average.update_parameters(model)
        else:
            average.update(model, step=update)
        after.append(average.module.w.detach().tolist())
    ema = {"decay": decay}
    if warmup_power is not None:
        ema["warmup_power"] = warmup_power
    return {"ema": ema, "after": after}


def loss_case(outputs, labels, smoothing, weights):
    n = len(labels)
    logits = (2 * wave(n * outputs, 0)).reshape(n, outputs).requires_grad_()
    used = torch.cat([torch.zeros(n, 1), logits], 1) if outputs == 1 else logits
    loss = torch.nn.functional.cross_entropy(
        used,
        torch.tensor(labels),
        weight=None if weights is None else torch.tensor(weights),
        label_smoothing=smoothing,
    )
    loss.backward()
    return {
        "outputs": outputs,
        "labels": labels,
        "label_smoothing": smoothing,
        "class_weights": weights,
        "loss": loss.item(),
        "gradient": logits.grad.flatten().tolist(),
    }


def balanced(counts):
    labels = numpy.repeat(numpy.arange(len(counts)), counts)
    weights = compute_class_weight("balanced", classes=numpy.arange(len(counts)), y=labels)
    return {"counts": counts, "weights": weights.tolist()}


golden = {
    "made_by": f"scripts/golden/training.py with torch {torch.__version__}, timm {timm.__version__} "
    f"and scikit-learn {sklearn.__version__}",
    "clip": [
        clip_case("norm", 1.0, 3.0),
        clip_case("norm", 5.0, 0.1),
        clip_case("value", 0.5, 1.0),
    ],
    "average": [averaged(0.9, None), averaged(0.999, 2 / 3), averaged(0.8, 0.75)],
    "loss": [
        loss_case(outputs, labels, smoothing, weights)
        for outputs, labels, choices in [
            (1, [0, 1, 1, 0, 1], [None, [2.0, 0.5]]),
            (4, [3, 0, 1, 1, 2, 0], [None, [1.0, 0.2, 3.0, 0.7]]),
        ]
        for smoothing in [0.0, 0.1]
        for weights in choices
    ],
    "balanced": [balanced([60, 20, 40]), balanced([17, 3])],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/training.json"
path.write_text(json.dumps(golden) + "\n")
print(path.name, path.stat().st_size, "bytes")
