"""How varied a set of prompts is, and how to choose a varied part of it.

Prompts become unit vectors: TF-IDF of character 2- to 4-grams of their text with masked
placeholders, or sentence embeddings (extra ``embeddings``). On these vectors:

- *spread*: the mean cosine distance between two prompts, and to the nearest neighbour;
- *choice*: greedy farthest point (Gonzalez 1985): start at the most central prompt, then always
  take the one farthest from all taken;
- *MMD²*: the squared maximum mean discrepancy between two sets, unbiased (Gretton et al. 2012,
  eq. 3), with a Gaussian kernel at the median distance. The paper bounds the risk on unseen
  prompts by the discrepancy between both distributions and shows that it falls with the number N
  of training prompts (PAPER: section 6, figure 9); kernel and embedding are ours. A permutation of
  the two sets says how large MMD² is when there is no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paft.bank.store import Bank
from paft.errors import PromptError
from paft.files import write_atomically, write_json
from paft.prompt import Prompt

Vectors = NDArray[np.float64]
Embedder = Callable[[Sequence[str]], Vectors]
MASK = " _ "
LEAST = 4  # prompts a split needs before a discrepancy can be estimated
SEEN, FLOOR = "#1f6f8b", "#8a8f98"
DRAWS = 20  # random subsets of each size on the curve
CHUNK = 512  # rows of a distance matrix in memory at once


def masked(prompt: Prompt) -> str:
    r"""Return a template with every placeholder as ``_``: its words, whatever its fields.

    >>> masked(Prompt("Message: {text}\nTeam:"))
    'Message:  _ \nTeam:'
    """
    return "".join(literal + (MASK if name is not None else "") for literal, name in prompt.pieces)


def tfidf(texts: Sequence[str]) -> Vectors:
    """Return TF-IDF vectors of character 2- to 4-grams, shape ``(texts, grams)``, of unit length."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(2, 4), sublinear_tf=True)
    return np.asarray(vectorizer.fit_transform(texts).toarray(), dtype=np.float64)


def require_sentence_transformers(model: str) -> None:
    """Make sure that the library of sentence embeddings is installed; it is not imported."""
    if find_spec("sentence_transformers") is None:
        raise PromptError(
            f"embedding prompts with {model!r} needs sentence-transformers: pip install 'paft[embeddings]'"
        )


def sentence_embedder(model: str) -> Embedder:
    """Return an embedder of unit vectors by a sentence-transformers model (extra ``embeddings``)."""
    require_sentence_transformers(model)
    from sentence_transformers import SentenceTransformer

    try:
        # Half precision on a CPU is slow, and its unit vectors are not of unit length.
        encoder = SentenceTransformer(model, model_kwargs={"dtype": "float32"})
    except (OSError, ValueError) as error:
        raise PromptError(f"embedding model {model!r} cannot be loaded: {error}") from None

    def embed(texts: Sequence[str]) -> Vectors:
        vectors = encoder.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float64)

    return embed


def embed_prompts(prompts: Sequence[Prompt], embed: Embedder | None = None) -> Vectors:
    """Return one unit vector a prompt, shape ``(prompts, dimensions)``; TF-IDF by default."""
    return (embed or tfidf)([masked(prompt) for prompt in prompts])


def choose(vectors: Vectors, count: int) -> list[int]:
    """Return ``count`` indices of a varied subset in the order they were taken."""
    from scipy.sparse import csr_array

    if not 1 <= count <= len(vectors):
        raise PromptError(f"cannot choose {count} of {len(vectors)} prompts")
    grams = csr_array(vectors)  # few of thousands of n-grams occur in a prompt
    taken = [int(np.argmax(grams @ vectors.mean(axis=0)))]
    nearest = 1 - grams @ vectors[taken[0]]
    while len(taken) < count:
        nearest[taken] = -np.inf
        taken.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, 1 - grams @ vectors[taken[-1]])
    return taken


def spread(vectors: Vectors) -> dict[str, float]:
    """Return ``mean_distance`` and ``nearest_distance`` (means of cosine distances, in [0, 2])."""
    if len(vectors) < 2:
        return {"mean_distance": 0.0, "nearest_distance": 0.0}
    total, nearest = 0.0, []
    for start in range(0, len(vectors), CHUNK):
        distances = 1 - vectors[start : start + CHUNK] @ vectors.T
        rows = np.arange(len(distances))
        total += float(distances.sum() - distances[rows, rows + start].sum())
        distances[rows, rows + start] = np.inf
        nearest.append(distances.min(axis=1))
    pairs = len(vectors) * (len(vectors) - 1)
    return {"mean_distance": total / pairs, "nearest_distance": float(np.concatenate(nearest).mean())}


def close_pairs(vectors: Vectors, cosine: float) -> list[tuple[int, int, float]]:
    """Return pairs ``(i, j, cosine)``, i < j, of at least that cosine, in order of (j, i)."""
    found = []
    for start in range(0, len(vectors), CHUNK):
        similar = vectors[start : start + CHUNK] @ vectors.T
        for row, column in zip(*np.nonzero(similar >= cosine), strict=True):
            if column < row + start:
                found.append((int(column), int(row + start), float(similar[row, column])))
    return found


def compare(a: Vectors, b: Vectors, *, permutations: int = 500, seed: int = 0) -> dict[str, float]:
    """Return MMD² of two sets with its permutation noise floor.

    Returns:
        ``mmd2``; ``floor_mean`` and ``floor_95`` (mean and 95th percentile of MMD² after members
        changed sets at random); ``p_value`` (share of permutations at least as large, the
        observed one included).
    """
    kernel = _kernel(np.concatenate([a, b]))
    everyone = np.arange(len(kernel))
    observed = _mmd2(kernel, everyone[: len(a)], everyone[len(a) :])
    generator = np.random.default_rng(seed)
    shuffled = np.array(
        [
            _mmd2(kernel, order[: len(a)], order[len(a) :])
            for order in (generator.permutation(everyone) for _ in range(permutations))
        ]
    )
    return {
        "mmd2": observed,
        "floor_mean": float(shuffled.mean()),
        "floor_95": float(np.quantile(shuffled, 0.95)),
        "p_value": float((1 + (shuffled >= observed).sum()) / (1 + permutations)),
    }


def mmd_curve(train: Vectors, test: Vectors, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows ``n``, ``mean``, ``std``: MMD² from n = 2, 4 ... all train prompts to the test prompts.

    The kernel's width is the same for every n (median distance over all prompts).
    """
    sizes = [2**k for k in range(1, 20) if 2**k < len(train)] + [len(train)]
    subsets = []
    for n in sizes:
        generator = np.random.default_rng([seed, n])
        subsets += [generator.permutation(len(train))[:n] for _ in range(DRAWS if n < len(train) else 1)]
    found = subset_mmd2(train, test, subsets)
    values = {n: np.array([row["unbiased"] for row in found if row["n"] == n], float) for n in sizes}
    return [{"n": n, "mean": float(each.mean()), "std": float(each.std())} for n, each in values.items()]


def subset_mmd2(
    train: Vectors, test: Vectors, subsets: Sequence[NDArray[np.intp]]
) -> list[dict[str, float | None]]:
    """Return MMD² of some training prompts to all test prompts, with one kernel width for all subsets.

    ``test`` holds two vectors at least; a subset is an array of places in ``train``.

    Returns:
        Rows ``n``, ``biased`` (the V-statistic: the distance between the two sets as they are, never
        below zero) and ``unbiased`` (the U-statistic, an estimate for the populations; None for n = 1).
    """
    kernel = _kernel(np.concatenate([train, test]))
    unseen = np.arange(len(train), len(kernel))
    return [
        {
            "n": len(members),
            "biased": _biased_mmd2(kernel, members, unseen),
            "unbiased": _mmd2(kernel, members, unseen) if len(members) > 1 else None,
        }
        for members in subsets
    ]


def diversity_of(
    bank: Bank, embed: Embedder | None = None, embedding: str | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Measure a bank that has at least four train and four test prompts.

    ``embed`` makes sentence embeddings, whose model's name ``embedding`` is kept; TF-IDF of letters by
    default.
    """
    for name in ("train", "test"):
        if len(bank.require(name)) < LEAST:
            raise PromptError(f"split {name!r} has {len(bank[name])} prompts; {LEAST} are needed")
    splits = {name: bank[name] for name in ("train", "validation", "test") if name in bank}
    vectors = embed_prompts([prompt for prompts in splits.values() for prompt in prompts], embed)
    ends = np.cumsum([len(prompts) for prompts in splits.values()])
    parts = dict(zip(splits, np.split(vectors, ends[:-1]), strict=True))
    return {
        "schema": 1,
        "bank_fingerprint": bank.fingerprint,
        "embedding": embedding or "tf-idf of character 2- to 4-grams, placeholders masked",
        "seed": seed,
        "spread": {name: spread(part) for name, part in parts.items()},
        "train_test": compare(parts["train"], parts["test"], seed=seed),
        "curve": mmd_curve(parts["train"], parts["test"], seed=seed),
    }


def write_diversity(measured: dict[str, Any], picture: Path) -> None:
    """Write the MMD² curve as a picture (.svg or .png) and all figures as JSON beside it."""
    if picture.suffix not in (".svg", ".png"):
        raise PromptError(f"{picture}: a picture is .svg or .png")
    write_json(picture.with_suffix(".json"), measured)
    write_atomically(picture, lambda part: _draw(measured, part, picture.suffix[1:]))


def _kernel(vectors: Vectors) -> Vectors:
    squares = (vectors * vectors).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T, 0.0)
    median = float(np.median(distances[np.triu_indices(len(vectors), k=1)]))
    return np.asarray(np.exp(-distances / (median or 1.0)))


def _mmd2(kernel: Vectors, a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    def inside(members: NDArray[np.intp]) -> float:
        part = kernel[np.ix_(members, members)]
        return float((part.sum() - np.trace(part)) / (len(members) * (len(members) - 1)))

    return inside(a) + inside(b) - 2 * float(kernel[np.ix_(a, b)].mean())


def _biased_mmd2(kernel: Vectors, a: NDArray[np.intp], b: NDArray[np.intp]) -> float:
    inside = float(kernel[np.ix_(a, a)].mean() + kernel[np.ix_(b, b)].mean())
    return max(0.0, inside - 2 * float(kernel[np.ix_(a, b)].mean()))


def _draw(measured: dict[str, Any], path: Path, kind: str) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    curve, between = measured["curve"], measured["train_test"]
    sizes = [row["n"] for row in curve]
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    means, stds = ([row[name] for row in curve] for name in ("mean", "std"))
    label = "N random train prompts against test"
    axes.errorbar(sizes, means, yerr=stds, color=SEEN, marker="o", markersize=4, capsize=3, label=label)
    axes.axhline(between["floor_95"], color=FLOOR, linestyle="--", label="95 % of random splits are below")
    axes.axhline(0, color="#e3e5e8", zorder=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("training prompts N")
    axes.set_ylabel("unbiased MMD²")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    with matplotlib.rc_context({"svg.hashsalt": "paft", "svg.fonttype": "none"}):
        figure.savefig(path, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
