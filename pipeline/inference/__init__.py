"""Trained models in use: bundles, and classifying videos with them; without TensorFlow."""
