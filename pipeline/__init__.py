"""Video classification from clips to a comparison of architectures: stages and the parts they join."""
