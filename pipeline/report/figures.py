"""Figures as PNG. With this module, Matplotlib shows names as they are: any script, no formulas."""

import io
import warnings

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

# Tried in this order for each character; naming a family that is not installed is a warning.
_FAMILIES = (
    *("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic"),
    *("Noto Emoji", "Symbola", "Segoe UI Emoji"),
)
_INSTALLED = set(fontManager.get_font_names())

rcParams["font.family"] = [name for name in _FAMILIES if name in _INSTALLED]
rcParams["text.parse_math"] = False  # "$" is a character of a class name


def png(figure: Figure, *, dpi: int) -> bytes:
    """The figure as a PNG file; a character that no font has is drawn as a box."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(file, dpi=dpi)
    return file.getvalue()
