"""Predictions, statistics, controls, mistakes, attention, cost."""
