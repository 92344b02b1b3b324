"""Video classification, from clips to a comparison of architectures."""
