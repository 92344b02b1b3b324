"""Neural style transfer: a picture is optimized until it looks painted (Gatys et al., 2016)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.style.features import Features
from pipeline.style.losses import temporal_loss
from pipeline.style.perceptual import PerceptualLoss

Image = NDArray[np.float32]  # [height, width, 3]: red, green, blue, 0..1
Mask = NDArray[np.float32]  # [height, width]: 0..1
Flat = NDArray[np.float64]  # [height * width * 3]
Objective = Callable[[Flat], tuple[float, Flat]]


@dataclass(frozen=True)
class Weights:
    """How much each loss counts."""

    content: float
    style: float
    variation: float
    temporal: float


@dataclass(frozen=True)
class Prior:
    """What a frame should look like: its predecessor's result, warped, and where that is known."""

    warped: Image
    reliable: Mask


class StyleTransfer:
    """Paints pictures in the style of one."""

    def __init__(self, features: Features, style: Image, weights: Weights) -> None:
        self.weights = weights
        self.perceptual = PerceptualLoss(features, style)
        self._gradient = tf.function(self._loss_and_gradient, reduce_retracing=True)

    def paint(
        self, content: Image, *, start: Image, steps: int, prior: Prior | None = None
    ) -> Image:
        """`content` repainted by `steps` steps of L-BFGS from the picture `start` (same size)."""
        found = minimize(
            self.objective(content, prior),
            start.astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": steps},
        )
        return np.asarray(found.x.reshape(content.shape).clip(0, 1), np.float32)

    def objective(self, content: Image, prior: Prior | None = None) -> Objective:
        """The loss to minimize in painting `content`: loss and gradient of a flat picture."""
        targets = self.perceptual.wanted(tf.constant(content[None])), *_tensors(prior, content)

        def objective(flat: Flat) -> tuple[float, Flat]:
            picture = tf.constant(flat.reshape(1, *content.shape), tf.float32)
            loss, gradient = self._gradient(picture, *targets)
            return float(loss), gradient.numpy().astype(np.float64).ravel()

        return objective

    def losses(self, picture: Any, wanted: Any, warped: Any, reliable: Any) -> dict[str, Any]:
        """Each loss of a picture [1, height, width, 3], unweighted."""
        known = temporal_loss(picture, warped, reliable)
        return {**self.perceptual(picture, wanted), "temporal": known}

    def _loss_and_gradient(self, picture: Any, *targets: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            losses = self.losses(picture, *targets)
            loss = sum(getattr(self.weights, name) * value for name, value in losses.items())
        return loss, tape.gradient(loss, picture)


def with_colours_of(content: Image, painted: Image) -> Image:
    """`painted`'s brightness in the colours of `content` (Gatys et al., 2016b, luminance only)."""
    ycc = cv2.cvtColor(content, cv2.COLOR_RGB2YCrCb)
    ycc[..., 0] = cv2.cvtColor(painted, cv2.COLOR_RGB2YCrCb)[..., 0]
    return np.asarray(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB).clip(0, 1), np.float32)


def _tensors(prior: Prior | None, content: Image) -> tuple[tf.Tensor, tf.Tensor]:
    if prior is None:
        return tf.zeros((1, *content.shape)), tf.zeros((1, *content.shape[:2], 1))
    return tf.constant(prior.warped[None]), tf.constant(prior.reliable[None, ..., None])
