"""Writes crates/train/tests/golden/schedules.json: the rates of torch's MultiStepLR, step by step, and
of CosineAnnealingLR and MultiStepLR chained to a warm-up, LinearLR.

Run: python3 scripts/golden/schedules.py   (needs torch)
"""

import json
import pathlib

import torch


def multi_step_case(peak, factor, milestones, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=factor)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"peak": peak, "factor": factor, "milestones": milestones, "steps": steps, "lr": rates}


def warmed_up_case(peak, warmup, schedule, steps):
    """`schedule` is a function of the optimiser; `warmup` the steps and the first fraction."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    parts = [schedule["of"](optimizer)]
    if warmup:
        rise = torch.optim.lr_scheduler.LinearLR(
            optimizer, start_factor=warmup["start_fraction"], total_iters=warmup["steps"]
        )
        parts.append(rise)
    chained = torch.optim.lr_scheduler.ChainedScheduler(parts)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        chained.step()
    ours = schedule["ours"]
    return {"peak": peak, "warmup": warmup, "schedule": ours, "steps": steps, "lr": rates}


def cosine(steps, end):
    of = lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, T_max=steps, eta_min=end * optimizer.param_groups[0]["lr"]
    )
    return {"of": of, "ours": {"name": "cosine", "warmup_steps": 0, "end_fraction": end}}


def falling(steps):
    of = lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(
        optimizer, [steps // 2, 3 * steps // 4], gamma=0.1
    )
    ours = {"name": "step", "milestones": [0.5, 0.75], "factor": 0.1}
    return {"of": of, "ours": {**ours, "warmup_steps": 0, "warmup_factor": 1.0}}


golden = {
    "made_by": f"scripts/golden/schedules.py with torch {torch.__version__}",
    "multi_step": [
        multi_step_case(0.1, 0.1, [20, 30], 40),
        multi_step_case(0.4, 0.5, [3, 7, 11], 14),
        multi_step_case(0.1, 0.1, [], 3),
    ],
    "warmed_up": [
        warmed_up_case(0.4, None, cosine(40, 0.0), 40),
        warmed_up_case(0.4, {"steps": 7, "start_fraction": 0.1}, cosine(40, 0.0), 40),
        warmed_up_case(0.4, {"steps": 7, "start_fraction": 0.1}, falling(40), 40),
        warmed_up_case(0.1, {"steps": 5, "start_fraction": 0.01}, falling(24), 24),
    ],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/schedules.json"
path.write_text(json.dumps(golden) + "\n")
print(path.name, path.stat().st_size, "bytes")
