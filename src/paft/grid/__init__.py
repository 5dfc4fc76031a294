"""Stage 4: methods, each a patch of one configuration."""

from paft.experiment.methods import METHODS, Method

__all__ = ["METHODS", "Method"]
