"""The errors a user can cause.

Every message says what was wrong (the value), where (file, line, key) and what to do. The command
line prints the message alone and exits with code 2; anything that is not a :class:`PaftError` is a
defect of ours and keeps its traceback.
"""

from __future__ import annotations


class PaftError(Exception):
    """Base of all errors caused by input, never by a defect of PAFT."""


class ConfigError(PaftError):
    """A configuration, task file or command line cannot be used."""


class PromptError(PaftError):
    """A template or a bank of prompts breaks a rule."""


class DataError(PaftError):
    """Examples are missing, unreadable or do not fit the task."""


class ModelError(PaftError):
    """A model or tokenizer cannot be loaded or does not fit the task."""


class NotFiniteError(ModelError):
    """Weights, a loss or log-probabilities are NaN or infinite."""


class DivergedError(NotFiniteError):
    """A trial failed because what it trained gives no finite numbers; nothing of it is kept."""


class ResumeError(PaftError):
    """What lies in the output directory was made by another configuration or other inputs."""
