"""The exercises of notebook 03: the poem model."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from helpers.checks.exercise import answer, as_array, exercise, expect


@exercise("labels")
def check_labels(fn: Callable) -> None:
    """fn(target_ids (B, T), pad_id) -> labels (B, T), -100 at the pads."""
    ids = torch.tensor([[5, 9, 1, 0], [7, 0, 0, 0]])
    before = ids.clone()
    got = answer(fn, ids, 0)
    expect(torch.is_tensor(got) and got.shape == (2, 4), "Return a tensor of the shape of `target_ids`, (B, T).")
    expect(torch.equal(ids, before), "Leave `target_ids` as it is: work on a copy, or use masked_fill or where.")
    expect(not got.is_floating_point(), "Labels are whole numbers, as the ids are.")
    expect(not torch.equal(got, before), "The pads are still there: they would count in the loss.")
    expect(got[0, 2] == 1, "The end token, 1 here, has to be learnt: only pads are skipped.")
    expect(torch.equal(got, torch.tensor([[5, 9, 1, -100], [7, -100, -100, -100]])), "-100 exactly where the pads are.")
    other = fn(torch.tensor([[0, 3, 8, 8]]), 8)
    expect(torch.equal(other, torch.tensor([[0, 3, -100, -100]])), "The pad is `pad_id`, which need not be 0.")


@exercise("nucleus")
def check_nucleus(fn: Callable) -> None:
    """fn(logits (V,), p) -> (V,) booleans: the fewest likeliest tokens that hold at least p."""
    share = torch.tensor([0.05, 0.5, 0.1, 0.3, 0.05])
    logits = share.log() + 3  # a constant changes no softmax
    got = torch.as_tensor(answer(fn, logits.clone(), 0.75))
    expect(got.shape == (5,), f"The result should have the shape (5,), not {tuple(got.shape)}.")
    expect(got.dtype == torch.bool, "Return booleans: True for what is kept.")
    kept = got.tolist()
    expect(kept != [True, False, True, False, True], "That is the other way round: True for what is kept.")
    expect(kept[1], "The likeliest token is always kept.")
    expect(
        kept != [False, True, False, False, False],
        "0.5 alone is less than 0.75: the token that crosses the border is kept, too.",
    )
    unsorted = [True, True, True, False, False], [True, True, True, True, False]  # without and with the border
    expect(kept not in unsorted, "The tokens are not in order: sort by probability first.")
    expect(
        kept == [False, True, False, True, False], "For p = 0.75 the tokens 1 and 3 (0.5 + 0.3) are enough, no others."
    )
    expect(torch.as_tensor(fn(logits, 0.01)).tolist() == [False, True, False, False, False], "A tiny p keeps one.")
    three = torch.as_tensor(fn(logits, 0.85)).tolist()
    expect(three == [False, True, True, True, False], "For p = 0.85 it takes three: 0.5 + 0.3 + 0.1.")
    flat = torch.as_tensor(fn(torch.zeros(5), 0.5))
    expect(flat.sum() == 3, "Of five tokens with 0.2 each, p = 0.5 takes three: their sum counts, not each one.")


@exercise("no character twice")
def check_forbid_used(fn: Callable) -> None:
    """fn(input_ids (B, t), scores (B, V)) -> (B, V): -inf for the tokens that the row has written."""
    scores = torch.arange(10.0).view(2, 5)
    before = scores.clone()
    got = answer(fn, torch.tensor([[0, 3, 1], [0, 2, 2]]), scores)
    expect(torch.is_tensor(got) and got.shape == (2, 5), "Return a tensor of the shape of `scores`, (B, V).")
    expect(torch.equal(scores, before), "Leave the `scores` you are given as they are: write into a copy.")
    allowed = got.isfinite().tolist()
    expect(not all(map(all, allowed)), "The tokens of `input_ids` need the score -inf.")
    expect(
        allowed != [[True, False, False, False, True]] * 2,
        "Each row forbids its own tokens, not all of the batch's.",
    )
    expect(allowed[0][0] and allowed[1][0], "Column 0 is the start token: it is no part of the line.")
    expect(allowed == [[True, False, True, False, True], [True, True, False, True, True]], "Row 0 forbids 3 and 1.")
    expect(torch.equal(got[got.isfinite()], before[got.isfinite()]), "What is allowed keeps its score.")
    first = fn(torch.zeros(2, 1, dtype=torch.long), before)
    expect(torch.equal(first, before), "At the first step nothing is written, and nothing is forbidden.")


@exercise("T5 attention")
def check_t5_attention(fn: Callable) -> None:
    """fn(q (H, T, d), k (H, S, d), v (H, S, d), bias (H, T, S), mask (S,)) -> (H, T, d)."""
    generator = torch.Generator().manual_seed(0)
    q, k, v, bias = (torch.randn(2, *shape, generator=generator) for shape in ((3, 4), (5, 4), (5, 4), (3, 5)))
    mask = torch.tensor([1, 1, 1, 0, 0])
    got = answer(fn, q.clone(), k.clone(), v.clone(), bias.clone(), mask.clone())
    expect(torch.is_tensor(got) and got.shape == (2, 3, 4), "Return a tensor (H, T, d): (2, 3, 4) here.")
    hidden = torch.zeros(5).masked_fill(mask == 0, -torch.inf)

    def attention(scale: float = 1.0, bias: Tensor | float = bias, hidden: Tensor | float = hidden) -> Tensor:
        return (scale * (q @ k.mT) + bias + hidden).softmax(-1) @ v

    zeroed = ((q @ k.mT + bias) * mask).softmax(-1) @ v
    after = ((q @ k.mT + bias).softmax(-1) * mask) @ v
    for wrong, hint in (
        (attention(scale=0.5), "That is divided by √d: T5 does not do that."),
        (attention(bias=0.0), "The bias is missing: it is added to the scores."),
        (attention(hidden=0.0), "Padding is attended to: use the mask."),
        (zeroed, "A score of 0 still gets a share, exp(0) = 1: put -inf where the mask is 0."),
        (after, "Mask before the softmax, not after it: the weights of a row should add up to 1."),
        ((q @ k.mT).softmax(-1) @ v, "Neither bias nor mask is used."),
    ):
        expect(not torch.allclose(got, wrong, atol=1e-5), hint)
    expect(torch.allclose(got, attention(), atol=1e-5), "softmax(q k^T + bias, -inf at the pads) v, over the keys.")


@exercise("leaking lines")
def check_leaking_lines(fn: Callable) -> None:
    """fn(train lines, test lines) -> how many test lines differ from a training line in at most one character."""
    train = ["墙角数枝梅", "凌寒独自开", "遥知不是雪", "为有暗香来"]
    test = ["墙角数枝梅", "凌寒独自来", "遥看不似雪", "有暗香来为", "暗香来"]
    got = float(as_array(answer(fn, list(train), list(test)), ()))
    expect(got != 1, "Exact copies are one thing; lines with one other character count, too.")
    expect(got != 3, "遥看不似雪 differs in two places, 有暗香来为 in all: only differences in one place count.")
    expect(got == 2, "Two of these five leak: the copy, and the one that ends in 来 for 开.")
    once = float(fn(["春风春风春", "春风春风秋"], ["春风春风夏", "春风春风夏"]))
    expect(once != 4, "Count lines of `test`, not matches: one line may resemble many.")
    expect(once == 2, "Each line of `test` counts, also one that comes twice.")
    expect(float(fn(["山高月小"], ["月小山高", "山高月"])) == 0, "Same place, same length: an order is not a set.")
    rng = np.random.default_rng(0)
    many = ["".join(row) for row in rng.choice(list("山水风月花云春秋"), (22_000, 12))]
    start = time.process_time()  # other work on the machine does not count
    fn(many[:20_000], many[20_000:])
    expect(time.process_time() - start < 5, "Right, but slow: put what lines can share into a set, and look it up.")
