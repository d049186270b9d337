"""Writes crates/train/tests/golden/sgd.json: ten steps of torch.optim.SGD, and OneCycleLR's rates.

OneCycleLR also of runs of one, two and three steps.

Gradients are sin(1 + i + 3 t) for entry i at step t, so the golden holds answers only. The
learning rate moves from step to step, because that is where PyTorch and Keras part.

Run: python3 scripts/golden/sgd.py   (needs torch)
"""

import json
import math
import pathlib

import torch

SHAPES = [[2, 2], [3]]
START = [0.5, -0.25, 0.125, 1.0, -1.0, 0.75, 0.0]
STEPS = 10


def rate(step):
    return 0.1 / (1 + step)


def sgd_case(momentum, nesterov, weight_decay, dampening=0.0):
    """The seven numbers after each step, computed in 64-bit."""
    flat = torch.tensor(START, dtype=torch.float64)
    parameters, start = [], 0
    for shape in SHAPES:
        length = math.prod(shape)
        part = flat[start : start + length].clone().reshape(shape)
        parameters.append(torch.nn.Parameter(part))
        start += length
    optimizer = torch.optim.SGD(
        parameters,
        lr=1.0,
        momentum=momentum,
        dampening=dampening,
        nesterov=nesterov,
        weight_decay=weight_decay,
    )
    after = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = rate(step)
        start = 0
        for parameter in parameters:
            entries = [math.sin(1 + start + i + 3 * step) for i in range(parameter.numel())]
            parameter.grad = torch.tensor(entries, dtype=torch.float64).reshape(parameter.shape)
            start += parameter.numel()
        optimizer.step()
        after.append([x for parameter in parameters for x in parameter.detach().flatten().tolist()])
    return {
        "momentum": momentum,
        "nesterov": nesterov,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "after": after,
    }


def one_cycle_case(anneal, rise_fraction, steps):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=0.4,
        total_steps=steps,
        pct_start=rise_fraction,
        anneal_strategy={"linear": "linear", "cosine": "cos"}[anneal],
        cycle_momentum=False,
        div_factor=20.0,
        final_div_factor=100.0,
    )
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            schedule.step()
    return {"anneal": anneal, "rise_fraction": rise_fraction, "steps": steps, "lr": rates}


golden = {
    "made_by": f"scripts/golden/sgd.py with torch {torch.__version__}",
    "shapes": SHAPES,
    "start": START,
    "sgd": [
        sgd_case(0.0, False, 0.0),
        sgd_case(0.0, False, 0.1),
        sgd_case(0.9, False, 0.0),
        sgd_case(0.9, False, 0.1),
        sgd_case(0.9, True, 0.0),
        sgd_case(0.9, True, 0.1),
        sgd_case(0.9, False, 0.1, dampening=0.3),
    ],
    "one_cycle": [
        one_cycle_case("linear", 0.3, 40),
        one_cycle_case("cosine", 0.3, 40),
        one_cycle_case("cosine", 0.25, 17),
        # Too short to rise, or to fall for a whole step.
        one_cycle_case("linear", 0.25, 3),
        one_cycle_case("cosine", 0.25, 3),
        one_cycle_case("cosine", 0.9, 2),
        one_cycle_case("cosine", 0.3, 1),
    ],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/sgd.json"
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps(golden, indent=1) + "\n")
print(path, path.stat().st_size, "bytes")
