"""Writes crates/models/tests/golden/costs.json: parameters and multiply-adds of torchvision's nets.

For each network at 224 px and 1000 classes: parameters, multiply-adds of its convolutions and
linear layers (counted by hooks, in whole numbers), the GFLOPS that torchvision's weights state
(`_ops`, rounded to three decimals; multiply-adds too), and the output shape of every stage.

Run: python3 scripts/golden/costs.py   (needs torch and torchvision)
"""

import json
import pathlib

import torch
import torchvision
from torch import nn

NAMES = ["densenet121", "densenet161", "densenet169", "densenet201",
         "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


def cost(name):
    model = torchvision.models.get_model(name).eval()
    multiply_adds, outputs = 0, {}

    def count(module, _, output):
        nonlocal multiply_adds
        multiply_adds += output.numel() * (module.weight.numel() // module.weight.shape[0])

    def keep(path):
        def hook(module, _, output):
            outputs[path] = list(output.shape[1:])
        return hook

    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    parents = [("features.", model.features)] if hasattr(model, "features") else [("", model)]
    for prefix, parent in parents:
        for child, module in parent.named_children():
            if isinstance(module, nn.Sequential) or prefix and "dense" in child:
                module.register_forward_hook(keep(prefix + child))
    with torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    stated = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]
    return {"name": name, "parameters": sum(p.numel() for p in model.parameters()),
            "multiply_adds": multiply_adds, "stated_gflops": stated, "outputs": outputs}


golden = {
    "made_by": f"scripts/golden/costs.py with torch {torch.__version__}, "
               f"torchvision {torchvision.__version__}",
    "models": [cost(name) for name in NAMES],
}
target = pathlib.Path(__file__).parents[2] / "crates/models/tests/golden/costs.json"
target.write_text(json.dumps(golden, indent=1) + "\n")
print(f"wrote {target.name}, {target.stat().st_size} bytes")
