"""Style transfer: perceptual losses, style networks, temporal consistency."""
