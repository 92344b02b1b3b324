"""The perceptual losses of a picture: content and style over a network's feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.style.losses import content_loss, gram, style_loss, total_variation

if TYPE_CHECKING:
    from pipeline.style.features import Features


class PerceptualLoss:
    """Content, style and total variation losses; the style image's Gram matrices are kept."""

    def __init__(self, features: Features, style: Any) -> None:
        """`style`: one picture, float32 [height, width, 3]."""
        self._features = features
        maps = features.network(style[None])
        # Gatys et al. scale VGG to a mean activation of 1; so one set of weights fits all networks.
        self._scales = [1 / (float(tf.reduce_mean(each)) + 1e-6) for each in maps]
        self._grams = [gram(each) for each in self._maps(style[None])]

    def content_target(self, contents: Any) -> Any:
        """The feature map of the pictures `contents` that stylizing should keep."""
        return self._maps(contents)[self._features.content]

    def __call__(self, pictures: Any, content_target: Any) -> dict[str, Any]:
        """Each loss of `pictures` [batch, height, width, 3], unweighted."""
        maps = self._maps(pictures)
        return {
            "content": content_loss(maps[self._features.content], content_target),
            "style": style_loss([gram(each) for each in maps], self._grams),
            "total_variation": total_variation(pictures),
        }

    def _maps(self, pictures: Any) -> list[Any]:
        maps = self._features.network(pictures, training=False)
        return [each * scale for each, scale in zip(maps, self._scales, strict=True)]
