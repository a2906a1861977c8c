"""The exercises of notebook 04: the pipeline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from helpers.checks.exercise import answer, exercise, expect

KINDS = ("level", "oblique", "neighbouring", "none")  # of rhyme, as `helpers.verse.check_poem` names them


@exercise("rhymes")
def check_rhymes(fn: Callable) -> None:
    """fn(four lines) -> how lines 2 and 4 rhyme in the 平水韵: one of `KINDS`."""
    tower = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
    snow = ["千山鸟飞绝", "万径人踪灭", "孤舟蓑笠翁", "独钓寒江雪"]
    got = answer(fn, tower)
    expect(isinstance(got, str) and got in KINDS, f"Return one of the words {', '.join(KINDS)}.")
    expect(got == "level", "流 and 楼 both belong to 十一尤: a level rhyme.")
    old = answer(fn, snow)
    expect(old != "none", "灭 and 雪 have no level group, but share an oblique one, 九屑: an older kind of rhyme.")
    expect(old == "oblique", "灭 and 雪 share a group, 九屑, and it is an oblique one.")
    expect(fn([*tower[:3], "大江天际流"]) == "none", "流 with 流 is a repetition, not a rhyme.")
    shore = ["春日寻芳去", "行到水之涯", "无人问归路", "唯见满山花"]
    expect(fn(shore) == "level", "涯 is in three groups, one of them that of 花: sets that meet need not be equal.")
    modern = ["空山无一人", "门外有清风", "闲坐看流水", "月明照古松"]
    near = fn(modern)
    expect(near != "none", "风 is in 一东, 松 in 二冬: the two groups are neighbours (邻韵).")
    expect(near == "neighbouring", "风 is in 一东, 松 in 二冬: alike today, two groups in the 平水韵.")
    expect(fn([*tower[:3], "更上一层山"]) == "none", "流 is in 十一尤, 山 in 十五删: these are no neighbours.")
    mixed = [*snow[:3], "独钓寒江鱼"]
    expect(fn(mixed) == "none", "灭 is oblique and 鱼 level: they share nothing.")


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
