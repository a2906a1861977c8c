"""The checks of notebook 03 take right answers and name the typical mistakes."""

import time
from itertools import count

import torch

from helpers.checks import check_leaking_lines
from helpers.poems import patterns
from tests.checks.answer_tests import answer_tests


def labels(target_ids, pad_id):
    return target_ids.masked_fill(target_ids == pad_id, -100)


def labels_in_place(target_ids, pad_id):
    target_ids[target_ids == pad_id] = -100
    return target_ids


def nucleus(logits, p):
    """A token is kept while the likelier ones hold less than p together."""
    share, order = logits.softmax(0).sort(descending=True)
    return torch.zeros(len(logits), dtype=torch.bool).scatter(0, order, share.cumsum(0) - share < p)


def without_the_border(logits, p, descending=True):
    share, order = logits.softmax(0).sort(descending=descending)
    return torch.zeros(len(logits), dtype=torch.bool).scatter(0, order, share.cumsum(0) <= p)


def unsorted_nucleus(logits, p):
    share = logits.softmax(0)
    return share.cumsum(0) - share < p


def min_p(logits, p):
    """The other truncation: what is likely enough beside the likeliest."""
    share = logits.softmax(0)
    return share >= (1 - p) * share.max()


def two_likeliest(logits, p):
    return torch.zeros(len(logits), dtype=torch.bool).index_fill(0, logits.topk(2).indices, True)


def forbid_used(input_ids, scores, value=-torch.inf):
    return scores.scatter(1, input_ids[:, 1:], value)


def forbid_in_place(input_ids, scores):
    return scores.scatter_(1, input_ids[:, 1:], -torch.inf)


def forbid_in_all_rows(input_ids, scores):
    return scores.index_fill(1, input_ids[:, 1:].flatten(), -torch.inf)


def forbid_start_first(input_ids, scores):
    """Column 0 is left out only where there are others."""
    return scores.scatter(1, input_ids[:, 1:] if input_ids.shape[1] > 1 else input_ids, -torch.inf)


def attention(q, k, v, bias, mask, scale=1.0, axis=-1):
    scores = (scale * (q @ k.mT) + bias).masked_fill(mask == 0, -torch.inf)
    return scores.softmax(axis) @ v


def leaking_lines(train, test):
    known = {pattern for line in train for pattern in patterns(line)}
    return sum(not known.isdisjoint(patterns(line)) for line in test)


def differences(line, other, strict=True):
    if strict and len(line) != len(other):
        return len(line)
    return sum(a != b for a, b in zip(line, other, strict=False))


def compared_one_by_one(train, test, most=1, strict=True):
    return sum(any(differences(line, other, strict) <= most for other in train) for line in test)


def same_characters(train, test):
    return sum(any(len(line) == len(other) and len(set(line) & set(other)) > 3 for other in train) for line in test)


def matching_pairs(train, test):
    return sum(differences(line, other) <= 1 for line in test for other in train)


RIGHT = {
    "check_labels": labels,
    "check_nucleus": nucleus,
    "check_forbid_used": forbid_used,
    "check_t5_attention": attention,
    "check_leaking_lines": leaking_lines,
}
WRONG = [
    ("check_labels", lambda ids, pad: labels(ids, pad).tolist(), "Return a tensor"),
    ("check_labels", lambda ids, pad: ids[ids != pad], "the shape of `target_ids`"),
    ("check_labels", labels_in_place, "Leave `target_ids`"),
    ("check_labels", lambda ids, pad: labels(ids, pad).float(), "whole numbers"),
    ("check_labels", lambda ids, pad: ids.clone(), "still there"),
    ("check_labels", lambda ids, pad: ids.masked_fill(ids <= 1, -100), "The end token"),
    ("check_labels", lambda ids, pad: ids.masked_fill(ids == pad, -1), "-100 exactly"),
    ("check_labels", lambda ids, pad: labels(ids, 0), "need not be 0"),
    ("check_nucleus", lambda x, p: nucleus(x, p).nonzero()[:, 0], "the shape (5,)"),
    ("check_nucleus", lambda x, p: nucleus(x, p).long(), "booleans"),
    ("check_nucleus", lambda x, p: without_the_border(x, p, descending=False), "likeliest token"),
    ("check_nucleus", without_the_border, "crosses the border"),
    ("check_nucleus", unsorted_nucleus, "not in order"),
    ("check_nucleus", lambda x, p: x.softmax(0).cumsum(0) <= p, "not in order"),
    ("check_nucleus", lambda x, p: ~nucleus(x, p), "the other way round"),
    ("check_nucleus", lambda x, p: x > x.min() - 1, "are enough"),
    ("check_nucleus", two_likeliest, "A tiny p"),
    ("check_nucleus", min_p, "their sum"),
    ("check_nucleus", lambda x, p: nucleus(x, min(p, 0.75)), "it takes three"),
    ("check_forbid_used", lambda ids, s: forbid_used(ids, s)[:1], "the shape of `scores`"),
    ("check_forbid_used", forbid_in_place, "write into a copy"),
    ("check_forbid_used", lambda ids, s: s.clone(), "need the score -inf"),
    ("check_forbid_used", lambda ids, s: forbid_used(ids, s, value=-1e9), "need the score -inf"),
    ("check_forbid_used", forbid_in_all_rows, "not all of the batch's"),
    ("check_forbid_used", lambda ids, s: s.scatter(1, ids, -torch.inf), "the start token"),
    ("check_forbid_used", lambda ids, s: s.scatter(1, ids[:, -1:], -torch.inf), "Row 0 forbids"),
    ("check_forbid_used", lambda ids, s: forbid_used(ids, s).softmax(1).log(), "keeps its score"),
    ("check_forbid_used", forbid_start_first, "At the first step"),
    ("check_t5_attention", lambda q, k, v, b, m: attention(q, k, v, b, m).mT, "(H, T, d)"),
    ("check_t5_attention", lambda q, k, v, b, m: attention(q, k, v, b, m, scale=0.5), "divided by √d"),
    ("check_t5_attention", lambda q, k, v, b, m: attention(q, k, v, 0 * b, m), "The bias is missing"),
    ("check_t5_attention", lambda q, k, v, b, m: attention(q, k, v, b, m >= 0), "Padding is attended to"),
    ("check_t5_attention", lambda q, k, v, b, m: ((q @ k.mT + b) * m).softmax(-1) @ v, "exp(0) = 1"),
    ("check_t5_attention", lambda q, k, v, b, m: ((q @ k.mT + b).softmax(-1) * m) @ v, "before the softmax"),
    ("check_t5_attention", lambda q, k, v, b, m: (q @ k.mT).softmax(-1) @ v, "Neither"),
    ("check_t5_attention", lambda q, k, v, b, m: attention(q, k, v, b, m, axis=1), "over the keys"),
    ("check_leaking_lines", lambda train, test: [leaking_lines(train, [line]) for line in test], "the shape ()"),
    ("check_leaking_lines", lambda train, test: sum(line in train for line in test), "Exact copies"),
    ("check_leaking_lines", lambda train, test: compared_one_by_one(train, test, most=2), "differences in one place"),
    ("check_leaking_lines", same_characters, "differences in one place"),
    ("check_leaking_lines", lambda train, test: len(test), "Two of these five"),
    ("check_leaking_lines", matching_pairs, "not matches"),
    ("check_leaking_lines", lambda train, test: leaking_lines(train, set(test)), "comes twice"),
    ("check_leaking_lines", lambda train, test: compared_one_by_one(train, test, strict=False), "Same place"),
]

test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)


def test_a_right_answer_may_be_too_slow(capsys, monkeypatch):
    clock = count(0, 6)  # six seconds from one look at it to the next
    monkeypatch.setattr(time, "process_time", lambda: next(clock))
    check_leaking_lines(leaking_lines)
    assert "Right, but slow" in capsys.readouterr().out
