"""Baselines that choose one prompt, on which a model is then fine-tuned as method ``single`` is.

Each sees training prompts and training examples only; see :mod:`paft.experiment.baselines.choice`.
"""
