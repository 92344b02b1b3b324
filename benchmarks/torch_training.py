"""The PyTorch side of benchmarks.training, in an environment that has PyTorch and NumPy.

Reads requests, a JSON a line, from standard input and answers each with a line of JSON.
"""

import json
import math
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.torch_networks import Depthwise, Network, Pointwise

KINDS = {
    "convolution2d": nn.Conv2d,
    "convolution3d": nn.Conv3d,
    "dense": (Pointwise, nn.Linear),
    "depthwise": Depthwise,
    "lstm": nn.LSTM,
}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}


class Side:
    """What any benchmark's PyTorch side can be asked."""

    def version(self, threads: int) -> str:
        """PyTorch's, once it uses as many threads."""
        torch.set_num_threads(threads)
        return torch.__version__


def answer(worker: Side) -> None:
    """Do as each line of standard input asks of the worker's methods, until it ends."""
    for line in sys.stdin:
        request = json.loads(line)
        said = getattr(worker, request.pop("ask"))(**request)
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


class Worker(Side):
    """What can be asked; each method's answer is JSON."""

    def __init__(self) -> None:
        self.learners: dict[str, Learner] = {}

    def probabilities(self, architecture: str, classes: int, file: str) -> dict[str, Any]:
        """Of a twin with the weights, for the file's windows with change; and how many weights."""
        arrays = np.load(file)
        network = Network(architecture, classes=classes, dropout=0.0)
        copy_weights(network, arrays)
        with torch.no_grad():
            logits = network.judged(torch.from_numpy(arrays["windows"]))
        return {"parameters": parameters(network), "probabilities": logits.softmax(1).tolist()}

    def prepare(self, name: str, **options: Any) -> None:
        """A new network and its optimizer, under a name."""
        self.learners[name] = Learner(**options)

    def train(self, name: str, steps: int) -> dict[str, float]:
        """Seconds of `steps` steps, and the last one's loss."""
        learner = self.learners[name]
        started = time.perf_counter()
        for _ in range(steps):
            loss = learner.step()
        return {"seconds": time.perf_counter() - started, "loss": loss}


class Learner:
    """Trains as pipeline.training.fit.Learner does: mixing, AdamW, moving average, one number."""

    def __init__(
        self,
        *,
        architecture: str,
        shape: tuple[int, ...],
        classes: int,
        settings: dict[str, Any],
        precision: str,
        layout: str,
    ) -> None:
        torch.manual_seed(0)
        self.settings, self.bfloat16 = settings, precision == "bfloat16"
        batch, *window = shape
        pixels = 255 * torch.rand(batch, *window).movedim(-1, 1)
        self.x = pixels.contiguous(memory_format=FORMATS[layout])
        self.targets = nn.functional.one_hot(torch.arange(batch) % classes, classes).float()
        self.network = formatted(Network(architecture, classes=classes, dropout=0.5), layout)
        self.weights = [*self.network.parameters(), *self.network.buffers()]
        self.weights = [each for each in self.weights if each.is_floating_point()]
        self.average = [each.detach().clone() for each in self.weights]
        self.optimizer = optimizer(self.network, settings)
        self.beta = torch.distributions.Beta(settings["mixup"], settings["mixup"])
        self.loss = nn.CrossEntropyLoss(label_smoothing=settings["label_smoothing"])

    def step(self) -> float:
        """One step on the batch; its loss."""
        x, targets = self._mixed(self._without_background(self.x), self.targets)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            logits = self.network(x)
        loss = self.loss(logits.float(), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.weights, 1 - self.settings["ema_momentum"])
        number = loss.item()
        if not math.isfinite(number):
            raise ValueError(f"the loss is {number}")
        return number

    def _without_background(self, x: Tensor) -> Tensor:
        chosen = torch.rand(len(x), 1, 1, 1, 1) < self.settings["motion_only"]
        return torch.where(chosen, x - x.mean(2, keepdim=True) + 127.5, x)

    def _mixed(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        share = self.beta.sample((len(x),))
        x = torch.lerp(x.flip(0), x, share[:, None, None, None, None])
        return x, torch.lerp(targets.flip(0), targets, share[:, None])


def formatted(network: nn.Module, layout: str) -> nn.Module:
    """The network with its kernels in the layout, be they 2-D or 3-D."""
    if layout == "channels_last":
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.to(memory_format=torch.channels_last)
            elif isinstance(module, nn.Conv3d):
                module.to(memory_format=torch.channels_last_3d)
    return network.train()


def optimizer(network: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """AdamW, fused; no weight decay on biases and normalization."""
    trained = [each for each in network.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in trained if each.ndim > 1]},
        {"params": [each for each in trained if each.ndim == 1], "weight_decay": 0.0},
    ]
    rate, decay = settings["learning_rate"], settings["weight_decay"]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, fused=True)


def parameters(network: nn.Module) -> int:
    """Number of weights that train."""
    return sum(each.numel() for each in network.parameters() if each.requires_grad)


def copy_weights(network: nn.Module, arrays: Any) -> None:
    """Fill the network from arrays `KIND/NUMBER/WEIGHT`, kinds numbered in order of definition."""
    numbers = dict.fromkeys(KINDS, 0)
    for module in network.modules():
        if not (kind := kind_of(module)):
            continue
        for weight, values in enumerate(trained_weights(module)):
            array = torch.from_numpy(arrays[f"{kind}/{numbers[kind]}/{weight}"])
            values.data.copy_(array.reshape(values.shape))
        numbers[kind] += 1


def kind_of(module: nn.Module) -> str | None:
    """The kind of a layer that has a kernel; None for others."""
    for kind in ("dense", "depthwise", "convolution2d", "convolution3d", "lstm"):
        if isinstance(module, KINDS[kind]):
            return kind
    return None


def trained_weights(module: nn.Module) -> list[nn.Parameter]:
    """A layer's own weights that train, in order."""
    return [each for each in module.parameters(recurse=False) if each.requires_grad]


if __name__ == "__main__":
    answer(Worker())
