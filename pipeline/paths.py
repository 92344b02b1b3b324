"""Where each stage leaves what it makes, relative to the repository's root."""

from pathlib import Path

SNAPSHOT = Path("data/snapshot/snapshot.json")
CLIPS = Path("data/download/clips.json")
CATALOGUE = Path("data/subset/catalogue.parquet")
SHARDS = Path("data/extract/tfrecord")
EXPLORE = Path("data/explore")
TRAIN = Path("data/train")
EVALUATE = Path("data/evaluate")
EXPORT = Path("data/export")
STYLE = Path("data/style")
FEATURES = Path("data/style/_features")  # a row of styles cannot have this name
GALLERY = Path("data/gallery")
PROMOTION = Path("results/promotion.json")
RESULTS = Path("results")
STATE = Path(".state")
