"""Stage 2: supervised fine-tuning while the prompt is resampled every K optimiser steps."""

from paft.train.schedule import Schedule

__all__ = ["Schedule"]
