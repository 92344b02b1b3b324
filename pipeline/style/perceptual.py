"""What painting is judged by: the losses over a network's features, for one style picture."""

from typing import Any

import tensorflow as tf

from pipeline.style.features import Features
from pipeline.style.losses import content_loss, gram, style_loss, total_variation


class PerceptualLoss:
    """Content, style and variation of pictures; the style's statistics are taken once."""

    def __init__(self, features: Features, style: Any) -> None:
        """`style`: one picture, float32 [height, width, 3]."""
        self._features = features
        maps = features.network(style[None])
        # Gatys et al. scale VGG to a mean activation of 1; so one set of weights fits all networks.
        self._scales = [1 / (float(tf.reduce_mean(each)) + 1e-6) for each in maps]
        self._grams = [gram(each) for each in self._seen(style[None])]

    def wanted(self, contents: Any) -> Any:
        """The feature map of the pictures `contents` that painting should keep."""
        return self._seen(contents)[self._features.content]

    def __call__(self, pictures: Any, wanted: Any) -> dict[str, Any]:
        """Each loss of `pictures` [batch, height, width, 3], unweighted."""
        seen = self._seen(pictures)
        return {
            "content": content_loss(seen[self._features.content], wanted),
            "style": style_loss([gram(each) for each in seen], self._grams),
            "variation": total_variation(pictures),
        }

    def _seen(self, pictures: Any) -> list[Any]:
        maps = self._features.network(pictures, training=False)
        return [each * scale for each, scale in zip(maps, self._scales, strict=True)]
