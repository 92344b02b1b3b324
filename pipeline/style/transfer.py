"""Neural style transfer by optimization of the picture (Gatys et al., 2016)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize

from pipeline.style.losses import temporal_loss
from pipeline.style.perceptual import PerceptualLoss

if TYPE_CHECKING:
    from pipeline.style.features import Features

Image = NDArray[np.float32]  # [height, width, 3]: red, green, blue, 0..1
Mask = NDArray[np.float32]  # [height, width]: 0..1
Flat = NDArray[np.float64]  # [height * width * 3]
Objective = Callable[[Flat], tuple[float, Flat]]


@dataclass(frozen=True)
class Weights:
    """The weight of each loss."""

    content: float
    style: float
    total_variation: float
    temporal: float


@dataclass(frozen=True)
class Prior:
    """The previous stylized frame, warped to the current one, and where its flow is reliable."""

    warped: Image
    reliable: Mask


class StyleTransfer:
    """Stylizes pictures after one style image."""

    def __init__(self, features: Features, style: Image, weights: Weights) -> None:
        self.weights = weights
        self.perceptual = PerceptualLoss(features, style)
        self._gradient = tf.function(self._loss_and_gradient, reduce_retracing=True)

    def stylize(
        self, content: Image, *, start: Image, steps: int, prior: Prior | None = None
    ) -> Image:
        """`content` stylized by `steps` steps of L-BFGS from the picture `start` (same size)."""
        found = lbfgs(self.objective(content, prior), start, steps=steps)
        return np.asarray(found.x.reshape(content.shape).clip(0, 1), np.float32)

    def objective(self, content: Image, prior: Prior | None = None) -> Objective:
        """The loss to minimize for `content`, with its gradient, as functions of a flat picture."""
        target = self.perceptual.content_target(tf.constant(content[None]))
        targets = target, *_prior_tensors(prior, content)

        def objective(flat: Flat) -> tuple[float, Flat]:
            picture = tf.constant(flat.reshape(1, *content.shape), tf.float32)
            loss, gradient = self._gradient(picture, *targets)
            return float(loss), gradient.numpy().astype(np.float64).ravel()

        return objective

    def losses(self, picture: Any, target: Any, warped: Any, reliable: Any) -> dict[str, Any]:
        """Each loss of a picture [1, height, width, 3], unweighted."""
        temporal = temporal_loss(picture, warped, reliable)
        return {**self.perceptual(picture, target), "temporal": temporal}

    def _loss_and_gradient(self, picture: Any, *targets: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            losses = self.losses(picture, *targets)
            loss = sum(getattr(self.weights, name) * value for name, value in losses.items())
        return loss, tape.gradient(loss, picture)


def lbfgs(
    objective: Objective,
    start: Image,
    *,
    steps: int,
    callback: Callable[[OptimizeResult], None] | None = None,
) -> OptimizeResult:
    """Minimize `objective` from `start`; `callback` sees each step and may raise StopIteration."""
    return minimize(
        objective,
        start.astype(np.float64).ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={"maxiter": steps},
    )


def with_colours_of(content: Image, stylized: Image) -> Image:
    """`stylized`'s luminance in the colours of `content` (Gatys et al., 2016b, luminance only)."""
    ycc = cv2.cvtColor(content, cv2.COLOR_RGB2YCrCb)
    ycc[..., 0] = cv2.cvtColor(stylized, cv2.COLOR_RGB2YCrCb)[..., 0]
    return np.asarray(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB).clip(0, 1), np.float32)


def _prior_tensors(prior: Prior | None, content: Image) -> tuple[tf.Tensor, tf.Tensor]:
    if prior is None:
        return tf.zeros((1, *content.shape)), tf.zeros((1, *content.shape[:2], 1))
    return tf.constant(prior.warped[None]), tf.constant(prior.reliable[None, ..., None])
