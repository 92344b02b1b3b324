"""Figures and tables that people read."""
