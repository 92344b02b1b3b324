"""The PyTorch side of benchmarks.nst: the losses of pipeline.style.transfer over VGG19's features.

In an environment that has PyTorch and NumPy; answers as benchmarks.torch_training does.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.torch_training import Side, answer

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SEEN = ("block1_conv1", "block2_conv1", "block3_conv1", "block3_conv4")
CONTENT = 2
MEAN = torch.tensor([103.939, 116.779, 123.68])[:, None, None]  # blue, green, red, of 0..255


class Worker(Side):
    """What can be asked; each method's answer is JSON."""

    def __init__(self) -> None:
        self.transfers: dict[str, Transfer] = {}

    def prepare(self, layout: str, file: str, weights: dict[str, float]) -> None:
        """Weights of VGG19 and pictures from the file, in that layout."""
        self.transfers[layout] = Transfer(dict(np.load(file)), weights, FORMATS[layout])

    def gradient(self, layout: str, file: str) -> float:
        """The loss; its gradient [height, width, 3] goes to the file."""
        transfer = self.transfers[layout]
        loss = transfer.step()
        np.save(file, transfer.picture.grad[0].permute(1, 2, 0).numpy(), allow_pickle=False)
        return loss

    def steps(self, layout: str, count: int) -> float:
        """Seconds of `count` losses with their gradients."""
        started = time.perf_counter()
        for _ in range(count):
            self.transfers[layout].step()
        return time.perf_counter() - started


class Transfer:
    """One picture with its targets."""

    def __init__(
        self, arrays: dict[str, Any], weights: dict[str, float], layout: torch.memory_format
    ) -> None:
        self.weights = weights
        self.layers = {name: convolution(arrays, name, layout) for name in names(arrays)}
        pictures = {
            name: torch.from_numpy(arrays[name])[None]
            .movedim(-1, 1)
            .contiguous(memory_format=layout)
            for name in ("picture", "content", "style", "warped", "reliable")
        }
        self.picture = pictures["picture"].requires_grad_()
        self.warped, self.reliable = pictures["warped"], pictures["reliable"]
        with torch.no_grad():
            maps = self._maps(pictures["style"])
            self.scales = [1 / (each.mean() + 1e-6) for each in maps]
            self.grams = [gram(each) for each in self._seen(pictures["style"])]
            self.wanted = self._seen(pictures["content"])[CONTENT]

    def step(self) -> float:
        """The loss, as a number; its gradient is left in `picture.grad`."""
        self.picture.grad = None
        loss = self._loss(self.picture)
        loss.backward()
        return loss.item()

    def _loss(self, picture: Tensor) -> Tensor:
        seen = self._seen(picture)
        pairs = zip(seen, self.grams, strict=True)
        style = sum((gram(each) - wanted).square().mean() / 4 for each, wanted in pairs)
        losses = {
            "content": (seen[CONTENT] - self.wanted).square().mean() / 2,
            "style": style / len(seen),
            "total_variation": picture.diff(dim=3).square().mean()
            + picture.diff(dim=2).square().mean(),
            "temporal": (self.reliable * (picture - self.warped).square()).mean(),
        }
        return sum(self.weights[name] * value for name, value in losses.items())

    def _seen(self, pictures: Tensor) -> list[Tensor]:
        return [each * scale for each, scale in zip(self._maps(pictures), self.scales, strict=True)]

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        x = pictures.flip(1) * 255 - MEAN
        maps = {}
        for name, layer in self.layers.items():
            if name.endswith("conv1") and maps:
                x = nn.functional.avg_pool2d(x, 2)
            x = maps[name] = nn.functional.relu(layer(x))
        return [maps[name] for name in SEEN]


def names(arrays: dict[str, Any]) -> list[str]:
    """Of the convolutions, from the input on."""
    return sorted(name.partition("/")[0] for name in arrays if name.endswith("/kernel"))


def convolution(arrays: dict[str, Any], name: str, layout: torch.memory_format) -> nn.Conv2d:
    """The layer with its weights, which do not train."""
    kernel = torch.from_numpy(arrays[f"{name}/kernel"]).permute(3, 2, 0, 1)
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1).requires_grad_(False)
    layer.weight.copy_(kernel)
    layer.bias.copy_(torch.from_numpy(arrays[f"{name}/bias"]))
    return layer.to(memory_format=layout)


def gram(maps: Tensor) -> Tensor:
    """As pipeline.style.losses has it, of maps [1, C, h, w]."""
    flat = maps[0].flatten(1)
    return flat @ flat.T / flat.shape[1]


if __name__ == "__main__":
    answer(Worker())
