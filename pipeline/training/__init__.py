"""Fit, evaluate, checkpoints, precision."""
