"""Keras' own layers put together as the MNIST notebooks and the depth study have them: what the
references in mnist.py and resnet.py (`mini-keras`) are held against.

The depth study's stages are keras.applications' own (`stack_residual_blocks_v1`). Keras runs on torch
here, in 64-bit, so that its gradients are asked for as any other network's (parity.py). Two of its
habits are translated: it keeps pixels before channels, and its running variance is the biased one.
"""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from keras import layers
from keras.src.applications.resnet import stack_residual_blocks_v1
from keras.src.backend.common import dtypes
from torch import nn

keras.config.set_floatx("float64")
# On torch, Keras' norms would go back to 32-bit by this table.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

# Of a layer's weights, by Keras' names.
NAMES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
RUNNING = {"moving_mean": "running_mean", "moving_variance": "running_var"}


class Translated(nn.Module):
    """A Keras network with torch's layout and PyTorch's names as `flat` writes them."""

    def __init__(self, model: keras.Model):
        super().__init__()
        self.model, self.of = [model], {}
        for layer in model.layers:
            for v in layer.trainable_variables:
                self.of[v.path] = f"{layer.name}__{NAMES[v.name]}"
                self.register_parameter(self.of[v.path], nn.Parameter(self.here(layer, v)))
            for v in layer.non_trainable_variables:
                self.of[v.path] = f"{layer.name}__{RUNNING[v.name]}"
                self.register_buffer(self.of[v.path], self.here(layer, v))

    def here(self, layer: keras.Layer, v) -> torch.Tensor:
        v = torch.as_tensor(v.value).detach().clone()
        return {4: lambda: v.permute(3, 2, 0, 1), 2: lambda: v.T, 1: lambda: v}[v.ndim]().contiguous()

    def there(self, v: torch.Tensor, name: str) -> torch.Tensor:
        if v.ndim == 2 and name.startswith("hidden"):
            # The maps are flattened pixel by pixel there, channel by channel here.
            return v.view(len(v), *self.flattened()).permute(2, 3, 1, 0).reshape(-1, len(v))
        return {4: lambda: v.permute(2, 3, 1, 0), 2: lambda: v.T, 1: lambda: v}[v.ndim]()

    def flattened(self) -> tuple[int, int, int]:
        flatten = next(l for l in self.model[0].layers if isinstance(l, layers.Flatten))
        height, width, channels = flatten.input.shape[1:]
        return channels, height, width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        model = self.model[0]

        def values(variables):
            return [self.there(getattr(self, self.of[v.path]), self.of[v.path]) for v in variables]

        running = model.non_trainable_variables
        logits, moved = model.stateless_call(
            values(model.trainable_variables), values(running), x.permute(0, 2, 3, 1),
            training=self.training,
        )
        if self.training:
            self.move({v.path: new for v, new in zip(running, moved)}, len(x))
        return logits

    def move(self, moved: dict[str, torch.Tensor], pictures: int) -> None:
        """The running statistics; the variance unbiased, as PyTorch has it."""
        for layer in self.model[0].layers:
            if isinstance(layer, layers.BatchNormalization):
                count = pictures * layer.output.shape[1] * layer.output.shape[2]
                for v, unbiased in [
                    (layer.moving_mean, 1.0),
                    (layer.moving_variance, count / (count - 1)),
                ]:
                    before = getattr(self, self.of[v.path])
                    kept = layer.momentum * before
                    before.copy_(kept + (moved[v.path].detach() - kept) * unbiased)


def flat(name: str) -> str:
    """A layer's name: torch wants no dots in it."""
    return name.replace(".", "__")


def conv(channels: int, name: str, size: int = 3):
    return layers.Conv2D(channels, size, padding="same", name=flat(name))


def normed(x, name: str):
    return layers.ReLU()(layers.BatchNormalization(name=flat(name))(x))


def mnist_head(x, last: str):
    x = layers.Dense(128, activation="relu", name="hidden")(layers.Flatten()(x))
    return layers.Dense(10, name=last)(x)


def mnist_resnet(as_printed: bool) -> nn.Module:
    inputs = layers.Input((28, 28, 1))
    x, channels = layers.ReLU()(conv(8, "conv1")(inputs)), 8
    for stage, out in [(1, 16), (2, 32), (3, 64)]:
        for unit in (0, 1):
            name = f"layer{stage}.{unit}"
            h = conv(out, f"{name}.conv1")(normed(x, f"{name}.bn1"))
            # The slip: the second half reads x, and what is above leads nowhere.
            h = conv(out, f"{name}.conv2")(normed(x if as_printed else h, f"{name}.bn2"))
            around = x if channels == out else conv(out, f"{name}.downsample.0", size=1)(x)
            x, channels = layers.Add()([h, around]), out
        x = layers.MaxPooling2D(2)(x) if stage < 3 else x
    return Translated(keras.Model(inputs, mnist_head(x, "fc")))


def mnist_densenet() -> nn.Module:
    inputs = layers.Input((28, 28, 1))
    x = layers.ReLU()(conv(8, "features.conv0")(inputs))
    for block, growth, out in [(1, 4, 16), (2, 8, 32), (3, 16, None)]:
        for layer in (1, 2):
            name = f"features.denseblock{block}.denselayer{layer}"
            new = conv(growth, f"{name}.conv1")(normed(x, f"{name}.norm1"))
            x = layers.Concatenate()([x, new])
        if out is not None:
            x = layers.MaxPooling2D(2)(conv(out, f"features.transition{block}.conv")(x))
    return Translated(keras.Model(inputs, mnist_head(x, "classifier")))


def depth_study(stages: list[int], width: int, outputs: int, px: int) -> nn.Module:
    inputs = layers.Input((px, px, 3))
    x = layers.ZeroPadding2D(3)(inputs)
    x = normed(layers.Conv2D(width, 7, strides=2, name="conv1")(x), "bn1")
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for i, units in enumerate(stages):
        stride = 1 if i == 0 else 2
        x = stack_residual_blocks_v1(x, width * 2**i, units, stride1=stride, name=f"layer{i + 1}")
    logits = layers.Dense(outputs, name="fc")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, logits)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.epsilon = 1e-3  # that of the layers as they come; its own is 1.001e-5
    return Translated(model)


def application(name: str) -> nn.Module:
    """A network of keras.applications as it comes, of 1000 classes."""
    return Translated(getattr(keras.applications, name)(weights=None, classifier_activation=None))
