"""The exercises check themselves: each `check_...` prints "ok", or "not yet" with a hint, and never raises.

A notebook calls `check_cosines(cosines)` right below the empty function, so that an unsolved notebook still runs
from top to bottom.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps

import numpy as np
import torch
from torch import Tensor


class NotYet(Exception):
    """An answer that is not right; the message is the hint."""


def exercise(title: str) -> Callable[[Callable], Callable[[Callable], None]]:
    """Make a function that raises `NotYet` into a check that prints one line."""

    def decorate(examine: Callable[[Callable], None]) -> Callable[[Callable], None]:
        @wraps(examine)
        def check(fn: Callable) -> None:
            try:
                examine(fn)
            except NotYet as hint:
                print(f"{title}: not yet. {hint}")
            except Exception as error:  # whatever the reader's code does, the notebook goes on
                print(f"{title}: not yet. It raised {type(error).__name__}: {error}")
            else:
                print(f"{title}: ok")

        return check

    return decorate


def answer(fn: Callable, *inputs: object) -> object:
    """What `fn` returns; NotYet for the empty function."""
    result = fn(*inputs)
    if result is None or result is ...:
        raise NotYet("The function returns nothing so far: replace the `...`.")
    return result


def expect(condition: bool, hint: str) -> None:
    if not condition:
        raise NotYet(hint)


def as_array(value: object, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    expect(array.shape == shape, f"The result should have the shape {shape}, not {array.shape}.")
    return array


# 01: CLIP


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


# 02: Chinese CLIP


@exercise("calibrated scores")
def check_calibrated(fn: Callable) -> None:
    """fn(image_embeds (N, D), text_embeds (M, D), reference_embeds (R, D)) -> (N, M), cosine minus the word's mean."""
    images = np.array([[1.0, 0.0], [0.6, 0.8]])
    texts = np.array([[0.8, 0.6], [0.0, 1.0], [1.0, 0.0]])
    references = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6], [0.8, -0.6]])
    raw, general = images @ texts.T, references @ texts.T  # (2, 3) and (4, 3)
    result = answer(fn, images.copy(), texts.copy(), references.copy())
    expect(np.shape(result) != (3, 2), "That is (M, N): one row a picture, one column a word, please.")
    got = as_array(result, (2, 3))
    expect(not np.allclose(got, raw), "These are the raw cosines: take each word's mean over the references off.")
    expect(not np.allclose(got, raw - raw.mean(0)), "The mean runs over the reference pictures, not over these ones.")
    expect(not np.allclose(got, raw - raw.mean(1, keepdims=True)), "That is the picture's mean, not the word's.")
    expect(not np.allclose(got, raw - general.mean()), "One mean for each word (M,), not one for all of them.")
    standard = (raw - general.mean(0)) / general.std(0)
    expect(not np.allclose(got, standard), "That is divided by the spread too; here the difference alone is wanted.")
    expect(np.allclose(got, raw - general.mean(0)), "Cosines (N, M) minus each word's mean cosine (M,).")


@exercise("text neighbours")
def check_text_neighbours(fn: Callable) -> None:
    """fn(text_embeds (M, D), logit_scale) -> (M, M): each row a softmax over the other texts, 0 for itself."""
    embeds = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
    got = as_array(answer(fn, embeds.copy(), 4.0), (4, 4))
    scores = 4 * embeds @ embeds.T
    others = np.exp(scores) * (1 - np.eye(4))
    whole = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    zeroed = np.where(np.eye(4) > 0, 1, np.exp(scores))  # exp(0) where exp(-inf) is meant
    right = others / others.sum(1, keepdims=True)
    expect(not np.allclose(got, whole), "Each text is its own nearest neighbour: exclude the diagonal.")
    expect(
        not np.allclose(got, zeroed / zeroed.sum(1, keepdims=True)),
        "A score of 0 on the diagonal still gets a share, exp(0) = 1: put -inf there.",
    )
    expect(
        not np.allclose(got, whole * (1 - np.eye(4))),
        "Exclude before the softmax, not after it: each row should add up to 1.",
    )
    expect(not np.allclose(got, others / others.sum(0)), "The softmax runs along the rows, axis 1.")
    unscaled = np.exp(scores / 4) * (1 - np.eye(4))
    expect(not np.allclose(got, unscaled / unscaled.sum(1, keepdims=True)), "The cosines wait for their `logit_scale`.")
    expect(np.allclose(got, right), "softmax(logit_scale * embeds @ embeds.T), with -inf on its diagonal.")
    huge = np.asarray(fn(embeds, 2000.0), dtype=float)
    expect(bool(np.isfinite(huge).all()), "exp overflows for a large scale: take each row's maximum off first.")


@exercise("k-occurrence")
def check_k_occurrence(fn: Callable) -> None:
    """fn(scores (Q, N), k) -> (N,): for how many queries an item is among the k best."""
    scores = np.array([[0.9, 0.8, 0.1, 0.0], [0.3, 0.7, 0.2, 0.1], [0.2, 0.9, 0.5, 0.3]])  # 3 queries, 4 items
    right = np.array([2, 3, 1, 0])
    got = as_array(answer(fn, scores.copy(), 2), (4,))
    expect(not np.array_equal(got, [1, 0, 2, 3]), "Those are the worst k: the larger a score, the better.")
    expect(not np.array_equal(got, [2, 2, 2, 2]), "The k best items of each query, not k queries of each item.")
    expect(not np.array_equal(got, [1, 2, 0, 0]), "That counts the first place alone; the k best count.")
    expect(not np.allclose(got, right / 3), "Counts, please, not shares.")
    expect(got.sum() == 6, f"3 queries name 2 items each, so the counts add up to 6, not {got.sum():g}.")
    expect(np.array_equal(got, right), "Item 1 is among the two best of all three queries, item 3 of none.")
    expect(np.array_equal(np.asarray(fn(scores, 1)), [1, 2, 0, 0]), "For k = 1 the counts are 1, 2, 0, 0.")


@exercise("diverse words")
def check_diverse(fn: Callable) -> None:
    """fn(scores (M,), embeds (M, D), k, near) -> indices of the k best, none with a cosine >= near to one before."""
    angles = np.deg2rad([0, 10, 60, 68, 5, 130])
    embeds = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (6, 2)
    scores = np.array([0.9, 0.8, 0.7, 0.4, 0.6, 0.5])
    got = [int(index) for index in answer(fn, scores.copy(), embeds.copy(), 3, 0.9)]
    expect(got[:1] == [0], "Begin with the best word: index 0 here.")
    expect(got != [0, 1, 2], "Those are the k best; word 1 is a near-synonym of word 0 and should be skipped.")
    expect(got != [0, 2, 4], "Compare with all the chosen words: word 4 is far from word 2, but near to word 0.")
    expect(len(set(got)) == len(got), "A word was chosen twice.")
    expect(got == [0, 2, 5], "Walk down the ranking; keep a word if its cosine to each chosen one is below `near`.")
    few = [int(index) for index in fn(scores, embeds, 6, 0.9)]
    expect(few == [0, 2, 5], "With k = 6 only three words are far enough apart: return those three.")
    expect(len(fn(scores, embeds, 6, 1.1)) == 6, "No cosine reaches 1.1: with that threshold all six are returned.")
    twins = np.array([[1.0, 0.0], [0.0, 1.0]])
    expect(len(fn(scores[:2], twins, 2, 0.0)) == 1, "A cosine of exactly `near` is too near already: keep those below.")


# 03: the poem model


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
    expect(kept[1], "The likeliest token is always kept.")
    expect(
        kept != [False, True, False, False, False],
        "0.5 alone is less than 0.75: the token that crosses the border is kept, too.",
    )
    expect(kept != [True, True, True, False, False], "The tokens are not in order: sort by probability first.")
    expect(kept != [True, False, True, True, True], "That is the other way round: True for what is kept.")
    expect(
        kept == [False, True, False, True, False], "For p = 0.75 the tokens 1 and 3 (0.5 + 0.3) are enough, no others."
    )
    expect(torch.as_tensor(fn(logits, 0.01)).tolist() == [False, True, False, False, False], "A tiny p keeps one.")
    three = torch.as_tensor(fn(logits, 0.85)).tolist()
    expect(three == [False, True, True, True, False], "For p = 0.85 it takes three: 0.5 + 0.3 + 0.1.")


@exercise("no character twice")
def check_forbid_used(fn: Callable) -> None:
    """fn(input_ids (B, t), scores (B, V)) -> (B, V): -inf for the tokens that the row has written."""
    scores = torch.arange(10.0).view(2, 5)
    before = scores.clone()
    got = answer(fn, torch.tensor([[0, 3, 1], [0, 2, 2]]), scores)
    expect(torch.is_tensor(got) and got.shape == (2, 5), "Return a tensor of the shape of `scores`, (B, V).")
    expect(torch.equal(scores, before), "Leave the `scores` you are given as they are: write into a copy.")
    allowed = got.isfinite().tolist()
    expect(not torch.equal(got, before), "The tokens of `input_ids` need the score -inf.")
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
    start = time.monotonic()
    fn(many[:20_000], many[20_000:])
    expect(time.monotonic() - start < 5, "Right, but slow: put what lines can share into a set, and look it up.")


# 04: the pipeline


@exercise("rhymes")
def check_rhymes(fn: Callable) -> None:
    """fn(four lines) -> whether lines 2 and 4 rhyme in the 平水韵."""
    tower = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
    snow = ["千山鸟飞绝", "万径人踪灭", "孤舟蓑笠翁", "独钓寒江雪"]
    expect(bool(answer(fn, tower)), "流 and 楼 both belong to 十一尤: this poem rhymes.")
    expect(not answer(fn, snow), "灭 and 雪 are oblique (仄): they have no level group, so nothing is shared.")
    same = [*tower[:3], "大江天际流"]
    expect(not answer(fn, same), "流 with 流 is a repetition, not a rhyme.")
    modern = ["空山无一人", "门外有清风", "闲坐看流水", "月明照古松"]
    expect(not answer(fn, modern), "风 is in 一东, 松 in 二冬: alike today, two groups in the 平水韵.")


@exercise("places")
def check_place(fn: Callable) -> None:
    """fn(logs (K, 4)) -> K different lines, 0 to 3, one for each word, with the largest sum of logs."""
    two = np.log([[0.05, 0.05, 0.5, 0.4], [0.1, 0.15, 0.6, 0.15]])  # both words like line 2 best
    got = [int(line) for line in answer(fn, two.copy())]
    expect(len(got) == 2, f"Two words get two lines, one each; {len(got)} came back.")
    expect(len(set(got)) == 2, "Both words stand in one line: each line takes at most one.")
    expect(got not in ([2, 1], [2, 3]), "The first word took the line that the second needs more: try all choices.")
    expect(not set(got) <= {0, 1}, "Words need not fill the first lines: with two words, two of all four lines.")
    expect(got == [3, 2], "0.4 times 0.6 is the largest product here: the words go to lines 3 and 2.")
    four = np.log([[0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]])
    lines = [int(line) for line in fn(four)]
    expect(lines != [2, 0, 1, 3], "That is the word of each line; the line of each word is wanted.")
    expect(lines == [1, 2, 0, 3], "With four words every line has one.")
    expect([int(line) for line in fn(two[1:])] == [2], "A single word goes to its best line.")


@exercise("varied poems")
def check_varied(fn: Callable) -> None:
    """fn(scores (n,), shared (n, n), k, weight) -> k indices by maximal marginal relevance."""
    scores = np.array([1.0, 0.9, 0.8, 0.7, 0.2])
    shared = np.eye(5)
    shared[0, [1, 3]] = shared[[1, 3], 0] = 0.8, 0.75
    shared[1, 2] = shared[2, 1] = 0.3
    got = [int(index) for index in answer(fn, scores.copy(), shared.copy(), 3, 1.0)]
    expect(got[:1] == [0], "Begin with the best score: index 0 here.")
    expect(len(got) == 3, f"k = 3 poems were asked for, {len(got)} came back.")
    expect(len(set(got)) == 3, "A poem was chosen twice.")
    expect(got != [0, 1, 2], "Those are the three best; poem 1 shares most of its pairs with poem 0.")
    expect(got != [0, 2, 3], "Compare with all the chosen, not only with the last one.")
    expect(got != [0, 2, 1], "Take the largest share with a chosen poem off, not the mean.")
    expect(got == [0, 2, 4], "After 0 and 2: poem 1 has 0.9 - 0.8, poem 3 has 0.7 - 0.75, poem 4 has 0.2.")
    more = [int(index) for index in fn(scores, shared, 4, 1.0)]
    expect(more != [0, 2, 4, 3], "Take the largest share off, not the sum over all the chosen.")
    expect(more == [0, 2, 4, 1], "With k = 4, poem 1 (0.1) comes before poem 3 (-0.05).")
    expect([int(index) for index in fn(scores, shared, 3, 0.0)] == [0, 1, 2], "With weight 0 only the scores count.")


@exercise("acrostic")
def check_force_first(fn: Callable) -> None:
    """fn(input_ids (B, t), scores (B, V), token_id) -> (B, V): the first token is fixed, the others are free."""
    scores = torch.tensor([[0.5, -1.0, 2.0, 0.0], [1.0, 3.0, -torch.inf, 0.0]])
    before = scores.clone()
    first = answer(fn, torch.zeros(2, 1, dtype=torch.long), scores, 2)
    expect(torch.is_tensor(first) and first.shape == scores.shape, "Return a tensor of the shape of `scores`, (B, V).")
    expect(torch.equal(scores, before), "Leave the `scores` you are given as they are: write into a copy.")
    allowed = first.isfinite().tolist()
    expect(not allowed[0][0], "At the first step (t = 1) all other tokens need the score -inf.")
    expect(allowed == [[False, False, True, False]] * 2, "The wanted token needs a finite score in every row.")
    later = answer(fn, torch.zeros(2, 3, dtype=torch.long), scores, 2)
    expect(torch.equal(later, before), "From the second step on (t > 1) the scores stay as they are.")


@exercise("survivors")
def check_survivors(fn: Callable) -> None:
    """fn(totals (N, n), keep) -> (N·n,) rows: of each picture's drafts the best, as equally often as it goes."""
    totals = np.array([[0.1, 0.9, 0.3, 0.9, 0.2], [0.5, 0.4, 0.8, 0.1, 0.6]])
    got = np.asarray(answer(fn, totals.copy(), 2))
    expect(got.shape == (10,), f"The result should have the shape (10,), not {got.shape}: a row for every draft.")
    expect(np.issubdtype(got.dtype, np.integer), "Row numbers are whole numbers.")
    expect(got.max() > 4, "The second picture's drafts are the rows 5 to 9: an index within a picture is no row.")
    expect(bool((got // 5 == np.arange(10) // 5).all()), "Row i belongs to picture i // n and must stay with it.")
    copies = [np.bincount(row, minlength=10)[5 * i : 5 * i + 5].tolist() for i, row in enumerate(got.reshape(2, 5))]
    expect(copies[1] != [0, 2, 0, 3, 0], "Those are the worst: the larger a total, the better.")
    expect(copies[1] not in ([1, 1, 1, 1, 1], [0, 0, 5, 0, 0]), "With keep = 2 exactly two drafts go on.")
    expect(copies[1] not in ([0, 0, 2, 0, 3], [0, 0, 4, 0, 1]), "n = 5 gives the best draft 3 copies, the second 2.")
    expect(copies[1] == [0, 0, 3, 0, 2], "Of the second picture, draft 2 goes on three times and draft 4 twice.")
    expect(copies[0] == [0, 3, 0, 2, 0], "Drafts 1 and 3 of the first picture are equal: the lower row is the better.")
    ones = np.asarray(fn(totals, 1))
    expect(ones.tolist() == [1] * 5 + [7] * 5, "With keep = 1 each picture goes on with its best draft alone.")
