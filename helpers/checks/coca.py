"""Checks of notebook 06: how far noise carries, the move between the means, the mask of CoCa's text tower."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from helpers.checks.exercise import answer, exercise, expect


@exercise("noise and its cosine")
def check_noise_cosine(fn: Callable) -> None:
    """fn(variance, dim) -> the cosine to expect between a vector of length 1 and the same with noise."""
    got = float(answer(fn, 0.016, 512))
    expect(abs(got - 1 / (1 + 0.016 * 512)) > 1e-3, "Cosine divides by a length: take the root of the squared length.")
    expect(abs(got - 1 / (1 + 0.016**0.5)) > 1e-3, "Each of the numbers gets noise: their variances add up.")
    expect(
        abs(got - 1 / (1 + 0.016 * 512) ** 0.5) < 1e-3, "The noise is orthogonal, and its squared length is D sigma^2."
    )
    expect(abs(float(answer(fn, 0.0, 512)) - 1) < 1e-9, "Without noise the cosine is 1.")


@exercise("move between the means")
def check_moved(fn: Callable) -> None:
    """fn(image_embeds (N, D), reference_embeds (R, D), text_embeds (M, D)) -> (N, D)."""
    rng = np.random.default_rng(0)
    images, reference, texts = (rng.normal(loc, 0.1, (n, 4)) for loc, n in ((1.0, 5), (1.1, 30), (-1.0, 7)))
    got = np.asarray(answer(fn, images.copy(), reference.copy(), texts.copy()))
    expect(got.shape == images.shape, f"The result should have the pictures' shape {images.shape}, not {got.shape}.")
    right = images - reference.mean(0) + texts.mean(0)

    def same(other: np.ndarray) -> bool:
        return bool(np.allclose(got, other, atol=1e-6))

    expect(not same(images - images.mean(0) + texts.mean(0)), "The mean picture is that of the reference pictures.")
    expect(not same(images - texts.mean(0) + reference.mean(0)), "The other way round: pictures go where texts are.")
    expect(not same(images - reference.mean(0)), "That is the middle: add the mean text.")
    expect(not same(images - reference.mean() + texts.mean()), "A mean for each of the D numbers: over the rows alone.")
    expect(same(right), "Each picture minus the mean picture plus the mean text.")


@exercise("mask of the text tower")
def check_text_mask(fn: Callable) -> None:
    """fn(input_ids (B, T), pad_id) -> (B, T + 1, T + 1), True where a place may look; the last place is the CLS."""
    ids = torch.tensor([[5, 6, 1, 0], [5, 7, 8, 1]])
    got = torch.as_tensor(answer(fn, ids.clone(), 0)).bool()
    expect(got.shape == (2, 5, 5), f"The mask should have the shape (B, T + 1, T + 1), not {tuple(got.shape)}.")
    later = torch.ones(4, 4, dtype=torch.bool).triu(1)
    expect(bool(got[1, :4, :4][~later].all()), "Every token sees itself and all tokens before.")
    expect(not got[:, :4, :4][:, later].any(), "None sees what comes later.")
    expect(
        not got[:, :4, 4].any(), "The CLS stands last: no token may see it, or the caption would be told beforehand."
    )
    expect(bool(got[0, 4, :3].all() and got[1, 4, :4].all()), "The CLS sees all tokens.")
    expect(not got[0, 4, 3], "The CLS does not see pads.")
    expect(bool(got[:, 4, 4].all()), "The CLS sees itself.")
