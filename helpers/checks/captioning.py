"""Checks of notebook 05: document frequency, the loss of a caption, the best of several captions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from helpers.checks.exercise import answer, exercise, expect


@exercise("document frequency")
def check_document_frequency(fn: Callable) -> None:
    """fn(references, n) -> {n-gram: number of groups}."""
    references = [["山上有雪", "雪山"], ["山水山水"], ["小船", "一只小船"]]
    got = answer(fn, references, 1)
    expect(isinstance(got, dict), "Return a dict from n-grams to numbers.")
    expect(got.get("小") != 2, "A group counts once, however many of its captions have the n-gram.")
    expect(got.get("山") != 4 and got.get("水") != 2, "A group counts once, however often a caption has the n-gram.")
    expect(got.get("山") == 2, "山 stands in captions of the first two groups.")
    expect(dict(got) == {"山": 2, "上": 1, "有": 1, "雪": 1, "水": 1, "小": 1, "船": 1, "一": 1, "只": 1}, "For n = 1.")
    pairs = answer(fn, references, 2)
    expect(all(len(gram) == 2 for gram in pairs), "For n = 2 the n-grams have two characters.")
    expect(pairs.get("雪山") == 1 and pairs.get("雪雪") is None, "An n-gram lies within one caption.")
    expect(dict(answer(fn, [["山"]], 3)) == {}, "A caption shorter than n has no n-gram.")


@exercise("loss of a caption")
def check_caption_loss(fn: Callable) -> None:
    """fn(logits (B, K + T, V), input_ids (B, T), attention_mask (B, T), K) -> a scalar."""
    generator = torch.Generator().manual_seed(0)
    prefix, length, size = 3, 4, 6
    logits = torch.randn(2, prefix + length, size, generator=generator)
    ids = torch.tensor([[3, 4, 1, 0], [5, 2, 4, 1]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    got = torch.as_tensor(answer(fn, logits.clone(), ids.clone(), mask.clone(), prefix)).detach()
    expect(got.ndim == 0, f"The result should be a scalar, not of shape {tuple(got.shape)}.")

    def loss(start: int, real: torch.Tensor) -> torch.Tensor:
        losses = cross_entropy(logits[:, start : start + length].transpose(1, 2), ids, reduction="none")
        return losses[real].mean()

    def same(other: torch.Tensor) -> bool:
        return bool(torch.isclose(got, other, atol=1e-4))

    everything, real = torch.ones_like(mask).bool(), mask.bool()
    expect(not same(loss(prefix - 1, everything)), "The pad counts: leave out what the attention mask leaves out.")
    expect(not same(loss(prefix, real)), "One too far: the last vector of the prefix tells the first token.")
    expect(not same(loss(0, real)), "The first K - 1 vectors of the prefix tell nothing.")
    expect(same(loss(prefix - 1, real)), "Mean over all real tokens of the batch, at K - 1 and the places behind it.")


@exercise("best caption")
def check_best_caption(fn: Callable) -> None:
    """fn(image (D,), texts (n, D), others (R, D)) -> the index of a text."""
    image = np.array([1.0, 0.0, 0.0])
    texts = np.array([[0.9, 0.0, 0.4358899], [0.8, 0.6, 0.0], [0.1, 0.0, 0.9949874]])
    others = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]])  # the first text suits them, too
    got = answer(fn, image.copy(), texts.copy(), others.copy())
    expect(np.ndim(got) == 0, "Return one number.")
    expect(int(got) != 0, "The first text is nearest to the picture, and near to all others as well: take that off.")
    expect(int(got) != 2, "That one suits the others and not the picture.")
    expect(int(got) == 1, "The largest of cosine with the picture minus mean cosine with the others.")
    alone = int(answer(fn, image, texts[:1], others))
    expect(alone == 0, "Of one text the best is that one.")
