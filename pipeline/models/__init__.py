"""The architectures: one file each, the layers they share, and the table of them all."""

from pipeline.models.architectures import ARCHITECTURES, SCRATCH, build

__all__ = ["ARCHITECTURES", "SCRATCH", "build"]
