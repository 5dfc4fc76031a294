"""YAML that people write, read whole or refused: no bomb of aliases, no key that silently wins."""

from __future__ import annotations

from typing import Any

import yaml

SIZE = 1_000_000  # characters that aliases may add to a document
_DEEP = "lists and mappings are nested too deeply"


def load_yaml(text: str) -> Any:
    """Return what a YAML document says.

    Raises:
        yaml.YAMLError: If it is malformed, has a key twice, is nested too deeply, or its aliases
            stand for more than ``SIZE`` characters or for themselves.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > SIZE + 3 * len(text):
            raise _refusal(node, f"its aliases stand for more than {SIZE:,} characters: write them out")
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.MarkedYAMLError(problem=_DEEP) from None
    except ValueError as error:  # of a number or a date
        if isinstance(error, yaml.YAMLError):
            raise
        raise yaml.MarkedYAMLError(problem=f"a number or date that is none: {error}") from None
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many characters a node stands for, aliases followed; its keys and texts are checked."""
    if isinstance(node, yaml.ScalarNode):
        node.value = _paired(node)
        return 1 + len(node.value)
    key = id(node)
    if key not in known:
        known[key] = 0
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value
        known[key] = 1 + sum(_size(part, known) for part in parts)
    elif not known[key]:
        raise _refusal(node, "an alias stands for a value that it is a part of")
    return known[key]


def _paired(node: yaml.ScalarNode) -> str:
    r"""Return a node's text with ``\ud83d\ude00``, which JSON writes for one character, as that character."""
    try:
        return str(node.value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise _refusal(node, "a \\ud8xx escape is half a surrogate pair: remove it") from None


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if (key.tag, key.value) in seen:
                raise _refusal(key, f"the key {key.value[:80]!r} stands twice: leave one")
            seen.add((key.tag, key.value))


def _refusal(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
