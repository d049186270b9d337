"""Writes crates/train/tests/golden/adam.json: ten steps of torch.optim.Adam, torch.optim.AdamW and
Keras' Adam.

As in sgd.py: gradients are sin(1 + i + 3 t) for entry i at step t, so the golden holds answers only,
and the learning rate moves from step to step. All in 64-bit.

Run: KERAS_BACKEND=torch python3 scripts/golden/adam.py   (needs torch and keras)
"""

import json
import math
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch

keras.config.set_floatx("float64")

SHAPES = [[2, 2], [3]]
START = [0.5, -0.25, 0.125, 1.0, -1.0, 0.75, 0.0]
STEPS = 10
BETAS = (0.9, 0.999)


def rate(step):
    return 0.1 / (1 + step)


def parts(numbers):
    """The flat numbers as tensors of SHAPES."""
    flat, start, tensors = torch.tensor(numbers, dtype=torch.float64), 0, []
    for shape in SHAPES:
        length = math.prod(shape)
        tensors.append(flat[start : start + length].clone().reshape(shape))
        start += length
    return tensors


def gradients(step):
    return parts([math.sin(1 + i + 3 * step) for i in range(len(START))])


def case(optimizer, betas, eps, weight_decay, decay, semantics):
    return {
        "settings": {
            "beta1": betas[0],
            "beta2": betas[1],
            "eps": eps,
            "weight_decay": weight_decay,
            "decay": decay,
            "semantics": semantics,
        },
        "after": optimizer(betas, eps, weight_decay),
    }


def torchs(kind):
    def run(betas, eps, weight_decay):
        parameters = [torch.nn.Parameter(part) for part in parts(START)]
        optimizer = kind(parameters, lr=1.0, betas=betas, eps=eps, weight_decay=weight_decay)
        after = []
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = rate(step)
            for parameter, gradient in zip(parameters, gradients(step)):
                parameter.grad = gradient
            optimizer.step()
            after.append([x for p in parameters for x in p.detach().flatten().tolist()])
        return after

    return run


def keras_adam(betas, eps, weight_decay):
    variables = [keras.Variable(part.numpy(), dtype="float64") for part in parts(START)]
    optimizer = keras.optimizers.Adam(
        learning_rate=1.0,
        beta_1=betas[0],
        beta_2=betas[1],
        epsilon=eps,
        weight_decay=weight_decay or None,
    )
    optimizer.build(variables)
    after = []
    for step in range(STEPS):
        optimizer.learning_rate = rate(step)
        optimizer.apply(gradients(step), variables)
        after.append([x for v in variables for x in keras.ops.convert_to_numpy(v).flatten().tolist()])
    return after


adam, adamw = torchs(torch.optim.Adam), torchs(torch.optim.AdamW)
golden = {
    "made_by": f"scripts/golden/adam.py with torch {torch.__version__} and keras "
    f"{keras.__version__} ({keras.backend.backend()})",
    "shapes": SHAPES,
    "start": START,
    "adam": [
        case(adam, BETAS, 1e-8, 0.0, "coupled", "pytorch"),
        case(adam, BETAS, 1e-8, 0.1, "coupled", "pytorch"),
        case(adamw, BETAS, 1e-8, 0.1, "decoupled", "pytorch"),
        # An eps that shows where it is added, and other betas.
        case(adamw, (0.8, 0.95), 0.1, 0.01, "decoupled", "pytorch"),
        case(keras_adam, BETAS, 1e-7, 0.0, "decoupled", "keras"),
        case(keras_adam, BETAS, 1e-7, 0.1, "decoupled", "keras"),
        case(keras_adam, BETAS, 0.1, 0.0, "decoupled", "keras"),
        case(keras_adam, (0.8, 0.95), 0.1, 0.01, "decoupled", "keras"),
    ],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/adam.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(golden, indent=1) + "\n")
print(path, path.stat().st_size, "bytes")
