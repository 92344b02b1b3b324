"""A row of a comparison, and the cells of a page's tables, as tests of the report need them."""

import re

from pipeline.report.comparison import Row

CSN = Row(
    architecture="csn",
    stream="rgb",
    seed=0,
    clip_accuracy=0.875,
    video_accuracy=0.92,
    video_accuracy_ci95=(0.85, 0.97),
    parameters=220_000,
    size_bytes=3_000_000,
    train_seconds=90.0,
    gflops=1.25,
    latency_ms=31.0,
    data_wait_fraction=0.01,
    split=1,
    test_clips=126,
    test_groups=42,
    classes=6,
    dataset_hash="abc",
    precision="float32",
    hardware="a laptop",
    threads=2,
)

_FORM = {"clip_accuracy": 0.85, "agreement": 0.98, "max_difference": 0.0123}
FORMS = {
    "keras": _FORM | {"size_bytes": 3_000_000, "video_accuracy": 0.92, "latency_ms": 8.0},
    "float32": _FORM | {"size_bytes": 1_000_000, "video_accuracy": 0.92, "latency_ms": 5.0},
    "int8": _FORM | {"size_bytes": 250_000, "video_accuracy": 0.912, "latency_ms": 2.0},
}


def cells(html):
    """The texts of the cells of each row below a head."""
    rows = re.findall(r"<tr>(<td.*)</tr>", html)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
