"""Clips, probing, the catalogue, the splits."""
