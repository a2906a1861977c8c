"""Figures for retrieval and for the ranking of words: recall@k, chance, average precision. Functions on arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def recall_at_k(
    image_embeds: np.ndarray, text_embeds: np.ndarray, owners: np.ndarray, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, dict[int, float]]:
    """Recall@k in per cent, both ways, with several captions a picture.

    `image_embeds` (N, D), `text_embeds` (M, D), `owners` (M,) the picture of each text. Text to image: the share of
    texts whose picture is among the k nearest. Image to text: the share of pictures with any own text among them.
    A rank counts the strictly better ones (Faghri et al. 2018, VSE++, section 4.1).
    """
    text_ranks = np.concatenate(list(_text_ranks(image_embeds, text_embeds, owners)))  # (M,)
    image_ranks = np.concatenate(list(_image_ranks(image_embeds, text_embeds, owners)))  # (N,)
    return {
        "text_to_image": {k: 100 * float((text_ranks < k).mean()) for k in ks},
        "image_to_text": {k: 100 * float((image_ranks < k).mean()) for k in ks},
    }


def _text_ranks(images: np.ndarray, texts: np.ndarray, owners: np.ndarray, block: int = 1024) -> Iterator[np.ndarray]:
    """The number of pictures better than the right one: images (N, D), texts (M, D), owners (M,) -> blocks of (M,).

    A block of texts at a time, since 30,000 x 150,000 scores fit no memory.
    """
    for start in range(0, len(texts), block):
        own = owners[start : start + block]  # (b,)
        scores = texts[start : start + block] @ images.T  # (b, D) @ (D, N) -> (b, N)
        yield (scores > scores[np.arange(len(own)), own, None]).sum(1)


def _image_ranks(images: np.ndarray, texts: np.ndarray, owners: np.ndarray, block: int = 256) -> Iterator[np.ndarray]:
    """The number of others' texts better than the best own one: (N, D), (M, D), (M,) -> blocks of (N,)."""
    for start in range(0, len(images), block):
        scores = images[start : start + block] @ texts.T  # (b, D) @ (D, M) -> (b, M)
        yield _ranks(scores, owners == np.arange(start, start + len(scores))[:, None])


def _ranks(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The number of others better than the best own one: scores and own (Q, N) -> (Q,)."""
    best = np.where(own, scores, -np.inf).max(1, keepdims=True)  # (Q, 1)
    return ((scores > best) & ~own).sum(1)


def recall_of_scores(scores: np.ndarray, relevant: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[int, float]:
    """Recall@k in per cent of any scores (Q, N): the share of queries with a `relevant` (Q, N) item among the k best.

    For scores that are no product of embeddings, as those of `helpers.metrics.hubness`; ranks as in `recall_at_k`.
    """
    ranks = _ranks(scores, relevant)  # (Q,)
    return {k: 100 * float((ranks < k).mean()) for k in ks}


def chance_recall(owners: np.ndarray, ks: Sequence[int] = (1, 5, 10)) -> dict[str, dict[int, float]]:
    """The recall@k, in per cent, of a random order; `owners` (M,) as in `recall_at_k`."""
    counts = np.bincount(owners)  # (N,) captions a picture
    texts = len(owners)
    # none of a picture's c texts among k drawn without putting back: (M-c)/M * (M-c-1)/(M-1) * ...
    missed = {
        k: np.prod([np.maximum(texts - counts - j, 0) / (texts - j) for j in range(min(k, texts))], axis=0) for k in ks
    }
    return {
        "text_to_image": {k: 100 * min(k / len(counts), 1.0) for k in ks},
        "image_to_text": {k: 100 * float((1 - missed[k]).mean()) for k in ks},
    }


def average_precision(ranked_hits: Sequence[bool]) -> float:
    """Mean of the precisions at each hit of a ranking (N,), best first; 0 without a hit (Manning et al. 2008, 8.4)."""
    hits = np.asarray(ranked_hits, dtype=float)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / max(hits.sum(), 1))


def word_ranking(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Scores (N, M) of M words for N pictures against the truth (N, M): mean average precision and top-1 by picture.

    `map_by_word` ranks the pictures for each word instead; only words that occur count.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(truth, order, axis=1)
    by_picture = np.argsort(-scores, axis=0, kind="stable")
    by_word = [average_precision(truth[by_picture[:, j], j]) for j in np.flatnonzero(truth.any(0))]
    return {
        "map": float(np.mean([average_precision(row) for row in hits])),
        "top1": float(hits[:, 0].mean()),
        "map_by_word": float(np.mean(by_word)),
    }
