"""PyTorch's side of `train.py`: trains for ever and prints `step` after each step.

    python train_peer.py MODEL fp32|bf16 nchw|channels_last SIZE_PX BATCH PICTURES

As a PyTorch user would write it: eager, a shuffled pass over pictures that lie in memory as bytes,
`torch.autocast` for bf16, one logit, `torch.optim.SGD`, loss and accuracy read after each step. Bytes lie
in the layout that the network computes in, which spares PyTorch a copy.
"""

import sys

import torch
import torchvision
from torch.nn import functional


def main() -> None:
    name, precision, layout, size, batch, pictures = sys.argv[1:]
    size, batch, pictures = int(size), int(batch), int(pictures)
    layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    bf16 = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
    torch.manual_seed(1)
    images = torch.randint(0, 256, (pictures, 3, size, size), dtype=torch.uint8)
    images = images.contiguous(memory_format=layout)
    labels = torch.randint(0, 2, (pictures, 1)).float()
    model = getattr(torchvision.models, name)(weights=None, num_classes=1).to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    model.train()
    seen, loss_sum, right = 0, 0.0, 0
    while True:
        for indices in torch.randperm(pictures).split(batch):
            x, target = images[indices].float().div_(255), labels[indices]
            optimizer.zero_grad()
            with bf16:
                logits = model(x)
            loss = functional.binary_cross_entropy_with_logits(logits.float(), target)
            loss.backward()
            optimizer.step()
            seen += len(indices)
            loss_sum += loss.item() * len(indices)
            right += ((logits > 0) == (target > 0)).sum().item()
            print("step", flush=True)


if __name__ == "__main__":
    main()
