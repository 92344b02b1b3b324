"""One script a claim, results as JSON beside it."""

import pipeline  # noqa: F401 - sets up TensorFlow, so it must come before it
