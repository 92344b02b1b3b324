"""Video classification, from clips to a comparison of architectures."""

import os

# Here, because TensorFlow reads them when it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no build flags at every start
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # off by default on AMD: 3 times slower
