"""What ImageNet's MobileNet sees in clips: a second opinion on strangers, without any training."""

from pathlib import Path

import cv2
import numpy as np

from pipeline.shards.parquet import read_parquet

SIDE = 160
FRAMES = 8
WIDTH = 0.25
LAYERS = ("conv_pw_5_relu", "conv_pw_9_relu", "conv_pw_13_relu")


def write_features(path: Path, shards: Path, weights: Path) -> None:
    """Write the mean features of each clip of the Parquet shards, [clips, D], and their names."""
    network = _network(weights)
    clips, features = [], []
    for shard in sorted(shards.glob("*.parquet")):
        for record in read_parquet(shard):
            pictures = _pictures(record.frames)
            found = [each.numpy().mean(axis=0) for each in network(pictures, training=False)]
            features.append(np.concatenate(found))
            clips.append(record.clip)
    np.savez(path, clips=np.array(clips), features=np.stack(features).astype(np.float32))


def _network(weights: Path):  # noqa: ANN202 - Keras has no types
    import keras

    whole = keras.applications.MobileNet(
        input_shape=(SIDE, SIDE, 3), alpha=WIDTH, include_top=False, weights=str(weights)
    )
    maps = [whole.get_layer(name).output for name in LAYERS]
    return keras.Model(whole.input, [keras.layers.GlobalAveragePooling2D()(each) for each in maps])


def _pictures(frames: tuple[bytes, ...]) -> np.ndarray:
    """Some frames from start to end, their middle squares, as MobileNet takes them."""
    chosen = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    return np.stack([_picture(frames[index]) for index in chosen]).astype(np.float32) / 127.5 - 1


def _picture(jpeg: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(picture[top : top + side, left : left + side], (SIDE, SIDE))
