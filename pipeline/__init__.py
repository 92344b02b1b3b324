"""Video classification, from clips to a comparison of architectures."""

import os

# Here, because TensorFlow reads it when it is imported. It is off by default on AMD, and 3 times
# slower; results differ by rounding, so that every stage depends on this file.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
