"""Decoding, sampling, optical flow."""
