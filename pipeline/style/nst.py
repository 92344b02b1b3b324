"""Neural style transfer, set up by params.yaml, as a stylizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.style.features import load_features
from pipeline.style.images import shrink
from pipeline.style.stylizer import Stylizer
from pipeline.style.temporal import to_image
from pipeline.style.transfer import Image, Prior, StyleTransfer, Weights

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.params import Stylize
    from pipeline.video.decode import Picture


class NeuralStyle(Stylizer):
    """Optimizes every frame after one style image, at the size of the settings."""

    def __init__(self, style: Picture, settings: Stylize, features: Path) -> None:
        super().__init__(size=settings.size, keep_colours=settings.keep_colours)
        self._steps, self._steps_per_frame = settings.steps, settings.steps_per_frame
        weights = Weights(
            content=settings.content,
            style=settings.style,
            total_variation=settings.total_variation,
            temporal=settings.temporal,
        )
        network = load_features(features)
        self.transfer = StyleTransfer(network, to_image(shrink(style, settings.size)), weights)

    def stylize_frame(self, frame: Image, prior: Prior | None) -> Image:
        """Optimization from the frame itself, or fewer steps from its warped predecessor."""
        if prior is None:
            return self.transfer.stylize(frame, start=frame, steps=self._steps)
        # Occluded points too: whatever the warped frame has there is stylized already.
        steps = self._steps_per_frame
        return self.transfer.stylize(frame, start=prior.warped, steps=steps, prior=prior)
