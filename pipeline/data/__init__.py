"""Sources of clips, the catalogue, the splits."""
