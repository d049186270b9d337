"""Writes crates/train/tests/golden/schedules.json: the rates of torch's MultiStepLR, step by step.

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


golden = {
    "made_by": f"scripts/golden/schedules.py with torch {torch.__version__}",
    "multi_step": [
        multi_step_case(0.1, 0.1, [20, 30], 40),
        multi_step_case(0.4, 0.5, [3, 7, 11], 14),
        multi_step_case(0.1, 0.1, [], 3),
    ],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/schedules.json"
path.write_text(json.dumps(golden) + "\n")
print(path.name, path.stat().st_size, "bytes")
