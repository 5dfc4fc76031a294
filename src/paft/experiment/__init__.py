"""One task: train and evaluate every method under every seed, and compare."""
