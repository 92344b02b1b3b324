"""The training loop, checkpoints, weight averages, mixup, devices."""
