"""The exercises of notebook 01: CLIP from scratch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from helpers.checks.exercise import answer, as_array, exercise, expect


@exercise("recall")
def check_recall(fn: Callable) -> None:
    """fn(scores (M, N), owners (M,), k) -> the share of texts, in per cent, whose picture is among their k nearest."""
    scores = np.array([[0.9, 0.1, 0.2], [0.3, 0.5, 0.8], [0.6, 0.7, 0.1], [0.2, 0.3, 0.4]])  # 4 texts, 3 pictures
    owners = np.array([0, 1, 2, 2])
    one = float(as_array(answer(fn, scores.copy(), owners.copy(), 1), ()))
    expect(not np.isclose(one, 0.5), "In per cent, please: 100 times the share.")
    expect(not np.isclose(one, 2), "That counts the texts; divide by how many there are.")
    expect(np.isclose(one, 50), "For k = 1, two of these four texts have their own picture first: 50.")
    expect(np.isclose(float(fn(scores, owners, 2)), 75), "For k = 2, the second text's picture counts too: 75.")
    expect(np.isclose(float(fn(scores, owners, 3)), 100), "With k = N every picture is among the k nearest: 100.")


@exercise("masked mean")
def check_masked_mean(fn: Callable) -> None:
    """fn(features (B, T, F), mask (B, T)) -> (B, F), the mean over the tokens that are not padding."""
    features = torch.tensor([[[1.0, 2], [3, 4], [50, 60]], [[5.0, 6], [70, 80], [90, 10]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    got = answer(fn, features.clone(), mask.clone())
    expect(torch.is_tensor(got) and got.shape == (2, 2), "Return a tensor (B, F): one vector a text.")
    expect(not torch.allclose(got, features.mean(1)), "That is the mean over all T tokens, padding included.")
    wrong = (features * mask[..., None]).sum(1) / 3
    expect(not torch.allclose(got, wrong), "The sum is right; divide it by the number of real tokens, not by T.")
    expect(torch.allclose(got, torch.tensor([[2.0, 3], [5, 6]])), "The mean of (1, 2) and (3, 4) is (2, 3).")


@exercise("contrastive loss")
def check_loss(fn: Callable) -> None:
    """fn(logits (B, B)) -> the symmetric cross-entropy with the diagonal as the truth, a scalar tensor."""
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0], [1.5, -0.5, 0.0]])
    got = answer(fn, logits.clone())
    expect(torch.is_tensor(got) and got.ndim == 0, "Return one number as a tensor: a scalar.")
    rows, columns = (-table.log_softmax(1).diagonal() for table in (logits, logits.T))  # (B,) each
    expect(not torch.isclose(got, -(rows.mean() + columns.mean()) / 2), "The sign: a loss is minus the logarithm.")
    for one_way, other in ((rows, "columns"), (columns, "rows")):
        expect(
            not torch.isclose(got, one_way.mean()), f"That is one direction; the softmax over the {other} is missing."
        )
    expect(not torch.isclose(got, rows.mean() + columns.mean()), "The mean of the two directions, not their sum.")
    expect(torch.isclose(got, (rows.mean() + columns.mean()) / 2), "Take log p of the diagonal, rows and columns.")
    huge = fn(1000 * logits)
    expect(bool(huge.isfinite()), "For large logits exp overflows: use log_softmax or logsumexp, not log(softmax).")


@exercise("batches")
def check_batches(fn: Callable) -> None:
    """fn(owners (M,), batch_size, rng) -> batches of caption indices; no picture twice in one, no caption twice."""
    owners = np.repeat(np.arange(12), 3)  # 12 pictures with three captions each
    got = answer(fn, owners.copy(), 4, np.random.default_rng(0))
    batches = [np.asarray(batch, dtype=int) for batch in got]
    expect(all(len(batch) == 4 for batch in batches), "Each batch should hold `batch_size` captions.")
    expect(
        all(len(set(owners[batch])) == 4 for batch in batches),
        "A batch holds two captions of one picture: each counts as a mistake for the other.",
    )
    used = np.concatenate(batches)
    expect(len(set(used)) == len(used), "A caption comes more than once in an epoch.")
    expect(len(used) == 36, f"All 36 captions fit into 9 batches; {len(used)} were used.")
    again = np.concatenate([np.asarray(batch, dtype=int) for batch in fn(owners, 4, np.random.default_rng(1))])
    expect(not np.array_equal(used, again), "Another random generator should give another order.")
