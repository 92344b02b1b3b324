"""The four architectures in PyTorch, layer for layer as in pipeline/models, to be benchmarked.

Input: rgb 0..255, [batch, 3, T, H, W]; output: logits [batch, classes]. Layers are defined in the
order of the Keras twin, so that weights can be copied by kind of layer and number. Where a layer
strides, PyTorch pads more before and TensorFlow behind: the twins agree on mirrored windows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNITS = 128


def with_change(x: Tensor) -> Tensor:
    """[batch, C, T, H, W] to 2C channels: each frame and its change since the one before."""
    change = 2 * (x[:, :, 1:] - x[:, :, :-1])
    return torch.cat([x, torch.cat([torch.zeros_like(x[:, :, :1]), change], dim=2)], dim=1)


class Pointwise(nn.Conv3d):
    """1x1x1: the only place where a CSN's channels meet."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)


class Depthwise(nn.Conv3d):
    """3x3x3, each channel alone; strides are spatial."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, channels, 3, (1, stride, stride), 1, groups=channels, bias=False)


def convolution2d(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Square and zero-padded, without a bias."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


def convolution3d(
    inputs: int, outputs: int, size: Sequence[int], strides: Sequence[int] = (1, 1, 1)
) -> nn.Conv3d:
    """Zero-padded, without a bias."""
    padding = tuple(each // 2 for each in size)
    return nn.Conv3d(inputs, outputs, tuple(size), tuple(strides), padding, bias=False)


def normalized(layer: nn.Module, *, relu: bool = True) -> nn.Sequential:
    """The convolution, batch normalization, and mostly ReLU."""
    is_2d = isinstance(layer, nn.Conv2d)
    channels = layer.out_channels if hasattr(layer, "out_channels") else layer[-1].out_channels
    norm = (nn.BatchNorm2d if is_2d else nn.BatchNorm3d)(channels, eps=1e-3, momentum=0.1)
    return nn.Sequential(layer, norm, *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    """ReLU of a shortcut and a branch."""

    def __init__(self, shortcut: nn.Module, branch: nn.Module) -> None:
        super().__init__()
        self.shortcut, self.branch = shortcut, branch

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, ...], as both give it."""
        return torch.relu_(self.shortcut(x) + self.branch(x))


# CNN + LSTM


class OverFrames(nn.Module):
    """Features of each frame, an LSTM over them, its mean."""

    def __init__(self, frame_features: nn.Module, channels: int, dropout: float) -> None:
        super().__init__()
        self.frame_features = frame_features
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(channels, UNITS, batch_first=True)
        # PyTorch has two biases where one is enough: this one stays 0.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 6, T, H, W] to [batch, UNITS]."""
        frames = x.transpose(1, 2)
        features = self.frame_features(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return self.lstm(self.dropout(features))[0].mean(dim=1)


def vgg() -> nn.Module:
    """VGG-style features of a frame."""
    layers: list[nn.Module] = [normalized(convolution2d(6, 24, 5, 2))]
    channels = 24
    for stage in ((48,), (64, 64), (128, 128), (256, 256)):
        layers.append(nn.MaxPool2d(2))
        for wider in stage:
            layers.append(normalized(convolution2d(channels, wider, 3)))
            channels = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def resnet_block(inputs: int, channels: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions beside a shortcut."""
    shortcut: nn.Module = nn.Identity()
    if stride > 1:
        pointwise = normalized(convolution2d(inputs, channels, 1), relu=False)
        shortcut = nn.Sequential(nn.AvgPool2d(stride), pointwise)
    branch = nn.Sequential(
        normalized(convolution2d(inputs, channels, 3, stride)),
        normalized(convolution2d(channels, channels, 3), relu=False),
    )
    return Residual(shortcut, branch)


def resnet() -> nn.Module:
    """ResNet-style features of a frame."""
    layers = [normalized(convolution2d(6, 24, 5, 2)), nn.MaxPool2d(3, 2, 1)]
    channels = 24
    for wider, stride in ((24, 1), (48, 2), (96, 2), (128, 2)):
        layers.append(resnet_block(channels, wider, stride))
        channels = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


# (2+1)D


def conv2plus1d(
    inputs: int, channels: int, time_stride: int = 1, space_stride: int = 1
) -> nn.Module:
    """1x3x3, batch normalization, ReLU, 3x1x1."""
    return nn.Sequential(
        normalized(convolution3d(inputs, channels, (1, 3, 3), (1, space_stride, space_stride))),
        convolution3d(channels, channels, (3, 1, 1), (time_stride, 1, 1)),
    )


def r2plus1d_block(inputs: int, channels: int, stride: int) -> nn.Module:
    """Two (2+1)D convolutions beside a shortcut."""
    shortcut: nn.Module = nn.Identity()
    if channels != inputs:
        pointwise = normalized(convolution3d(inputs, channels, (1, 1, 1)), relu=False)
        shortcut = nn.Sequential(nn.AvgPool3d(stride), pointwise)
    branch = nn.Sequential(
        normalized(conv2plus1d(inputs, channels, stride, stride)),
        normalized(conv2plus1d(channels, channels), relu=False),
    )
    return Residual(shortcut, branch)


def r2plus1d() -> nn.Module:
    """(2+1)D network."""
    layers: list[nn.Module] = [
        normalized(convolution3d(6, 16, (1, 5, 5), (1, 2, 2))),
        nn.MaxPool3d((1, 2, 2)),
        normalized(convolution3d(16, 24, (3, 1, 1))),
    ]
    channels = 24
    for wider, stride in ((24, 1), (48, 2), (96, 2)):
        layers.append(r2plus1d_block(channels, wider, stride))
        channels = wider
    last = normalized(conv2plus1d(channels, 128, 1, 2))
    return nn.Sequential(*layers, last, nn.AdaptiveAvgPool3d(1), nn.Flatten())


# CSN


def csn_block(
    kind: str, inputs: int, channels: int, bottleneck: int, time_stride: int, space_stride: int
) -> nn.Module:
    """Interaction-preserved (``ip``) or -reduced (``ir``) bottleneck block."""
    shortcut: nn.Module = nn.Identity()
    if channels != inputs:
        shortcut = normalized(Pointwise(inputs, channels), relu=False)
        if space_stride > 1:
            pooled = nn.AvgPool3d((time_stride, space_stride, space_stride))
            shortcut = nn.Sequential(pooled, shortcut)
    branch = [normalized(Pointwise(inputs, bottleneck))]
    if kind == "ip":
        branch.append(Pointwise(bottleneck, bottleneck))
    branch.append(normalized(Depthwise(bottleneck, space_stride)))
    if time_stride > 1:
        branch.append(nn.AvgPool3d((time_stride, 1, 1)))
    branch.append(normalized(Pointwise(bottleneck, channels), relu=False))
    return Residual(shortcut, nn.Sequential(*branch))


def csn() -> nn.Module:
    """Channel-separated network."""
    layers: list[nn.Module] = [
        normalized(convolution3d(6, 24, (1, 5, 5), (1, 2, 2))),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ]
    channels = 24
    for kind, wider, bottleneck, time_stride, space_stride in (
        ("ip", 48, 24, 1, 1),
        ("ip", 96, 48, 1, 2),
        ("ir", 96, 48, 1, 1),
        ("ip", 192, 96, 2, 2),
        ("ir", 192, 96, 1, 1),
        ("ip", 256, 128, 2, 2),
        ("ir", 256, 128, 1, 1),
    ):
        layers.append(csn_block(kind, channels, wider, bottleneck, time_stride, space_stride))
        channels = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten())


# Table

FEATURES = {
    "vgg_lstm": (lambda dropout: OverFrames(vgg(), 256, dropout), UNITS),
    "resnet_lstm": (lambda dropout: OverFrames(resnet(), 128, dropout), UNITS),
    "r2plus1d": (lambda dropout: r2plus1d(), 128),
    "csn": (lambda dropout: csn(), 256),
}


class Network(nn.Module):
    """One of the four, from pixels to logits."""

    def __init__(self, architecture: str, *, classes: int, dropout: float) -> None:
        super().__init__()
        features, channels = FEATURES[architecture]
        self.features = features(dropout)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))

    def forward(self, x: Tensor) -> Tensor:
        """[batch, 3, T, H, W] to [batch, classes]."""
        return self.judged(with_change(x / 127.5 - 1))

    def judged(self, x: Tensor) -> Tensor:
        """[batch, 6, T, H, W], the frames and their changes, to [batch, classes]."""
        return self.classifier(self.features(x))
