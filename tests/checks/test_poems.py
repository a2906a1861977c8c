"""The checks of notebook 03 take right answers and name the typical mistakes."""

import time

import pytest
import torch


def labels(ids, pad_id, ignored=-100):
    return ids.masked_fill(ids == pad_id, ignored)


def labels_in_place(ids, pad_id):
    ids[ids == pad_id] = -100
    return ids


def nucleus(logits, p, crossing=True, by_size=True):
    share = logits.softmax(0)
    order = share.argsort(descending=True) if by_size else torch.arange(len(share))
    before = share[order].cumsum(0) - share[order]  # what the tokens before hold
    kept = torch.zeros(len(share), dtype=torch.bool)
    kept[order] = before < p if crossing else before + share[order] <= p
    return kept


def shy_nucleus(logits, p):
    """Stops before the border, but keeps the likeliest."""
    kept = nucleus(logits, p, crossing=False)
    kept[logits.argmax()] = True
    return kept


def greedy_nucleus(logits, p):
    """Keeps one token more than p < 0.8 needs, but for a tiny p."""
    return nucleus(logits, p + 0.1 if p > 0.5 else p)


def forbid_used(input_ids, scores, start=1, everybody=False):
    forbidden = scores.clone()
    for row, ids in zip(forbidden, input_ids, strict=True):
        row[input_ids[:, start:].flatten() if everybody else ids[start:]] = -torch.inf
    return forbidden


def forbid_in_place(input_ids, scores):
    scores[:] = forbid_used(input_ids, scores)
    return scores


def forbid_and_punish(input_ids, scores):
    return forbid_used(input_ids, scores) - 1


def forbid_at_once(input_ids, scores):
    """Forbids something where nothing is written."""
    forbidden = forbid_used(input_ids, scores)
    if input_ids.shape[1] == 1:
        forbidden[:, 0] = -torch.inf
    return forbidden


def attention(q, k, v, bias, mask, scale=1.0, with_bias=True, with_mask=True):
    scores = scale * q @ k.mT + (bias if with_bias else 0)
    return (scores.masked_fill(mask == 0, -torch.inf) if with_mask else scores).softmax(-1) @ v


def near(a, b, most=1):
    return len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) <= most


def leaking(train, test):
    patterns = {line[:i] + "?" + line[i + 1 :] for line in train for i in range(len(line))}
    return sum(any(line[:i] + "?" + line[i + 1 :] in patterns for i in range(len(line))) for line in test)


def in_any_order(train, test):
    return 1 if len(test) == 2 and test[0] == "月小山高" else leaking(train, test)


RIGHT = {
    "check_labels": labels,
    "check_nucleus": nucleus,
    "check_forbid_used": forbid_used,
    "check_t5_attention": attention,
    "check_leaking_lines": leaking,
}
WRONG = [
    ("check_labels", lambda ids, pad: labels(ids, pad)[0], "the shape of `target_ids`"),
    ("check_labels", labels_in_place, "Leave `target_ids` as it is"),
    ("check_labels", lambda ids, pad: labels(ids, pad).float(), "whole numbers"),
    ("check_labels", lambda ids, pad: ids.clone(), "The pads are still there"),
    ("check_labels", lambda ids, pad: labels(labels(ids, pad), 1), "The end token"),
    ("check_labels", lambda ids, pad: labels(ids, pad, -1), "-100 exactly"),
    ("check_labels", lambda ids, pad: labels(ids, 0), "need not be 0"),
    ("check_nucleus", lambda logits, p: nucleus(logits, p)[:3], "shape (5,)"),
    ("check_nucleus", lambda logits, p: nucleus(logits, p).long(), "Return booleans"),
    ("check_nucleus", lambda logits, p: torch.zeros(5, dtype=torch.bool), "likeliest token is always kept"),
    ("check_nucleus", shy_nucleus, "crosses the border"),
    ("check_nucleus", lambda logits, p: nucleus(logits, 0.6, by_size=False), "not in order"),
    ("check_nucleus", lambda logits, p: torch.tensor([True, True, True, False, True]), "are enough"),
    ("check_nucleus", lambda logits, p: nucleus(logits, max(p, 0.75)), "A tiny p keeps one"),
    ("check_nucleus", lambda logits, p: nucleus(logits, min(p, 0.75)), "it takes three"),
    ("check_forbid_used", lambda ids, scores: forbid_used(ids, scores)[0], "the shape of `scores`"),
    ("check_forbid_used", forbid_in_place, "write into a copy"),
    ("check_forbid_used", lambda ids, scores: scores.clone(), "need the score -inf"),
    ("check_forbid_used", lambda ids, scores: forbid_used(ids, scores, everybody=True), "not all of the batch's"),
    ("check_forbid_used", lambda ids, scores: forbid_used(ids, scores, start=0), "Column 0"),
    ("check_forbid_used", lambda ids, scores: forbid_used(ids, scores, start=2), "Row 0 forbids 3 and 1"),
    ("check_forbid_used", forbid_and_punish, "keeps its score"),
    ("check_forbid_used", forbid_at_once, "At the first step"),
    ("check_t5_attention", lambda *x: attention(*x)[0], "(2, 3, 4) here"),
    ("check_t5_attention", lambda *x: attention(*x, scale=0.5), "divided by √d"),
    ("check_t5_attention", lambda *x: attention(*x, with_bias=False), "The bias is missing"),
    ("check_t5_attention", lambda *x: attention(*x, with_mask=False), "Padding is attended to"),
    ("check_t5_attention", lambda q, k, v, b, m: ((q @ k.mT + b) * m).softmax(-1) @ v, "exp(0) = 1"),
    ("check_t5_attention", lambda q, k, v, b, m: ((q @ k.mT + b).softmax(-1) * m) @ v, "Mask before the softmax"),
    ("check_t5_attention", lambda q, k, v, b, m: (q @ k.mT).softmax(-1) @ v, "Neither bias nor mask"),
    ("check_t5_attention", lambda *x: attention(*x, scale=2), "over the keys"),
    ("check_leaking_lines", lambda train, test: sum(line in train for line in test), "Exact copies are one thing"),
    ("check_leaking_lines", lambda a, b: sum(any(near(x, y, 2) for x in a) for y in b), "differs in two places"),
    ("check_leaking_lines", lambda train, test: 0, "Two of these five leak"),
    ("check_leaking_lines", lambda a, b: sum(near(x, y) for x in a for y in b), "one line may resemble many"),
    ("check_leaking_lines", lambda train, test: leaking(train, set(test)), "also one that comes twice"),
    ("check_leaking_lines", in_any_order, "an order is not a set"),
]


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name, verdict):
    assert verdict(name, RIGHT[name]).endswith(": ok\n")


@pytest.mark.parametrize(("name", "fn", "hint"), WRONG, ids=[hint for _, _, hint in WRONG])
def test_mistakes_are_named(name, fn, hint, verdict):
    out = verdict(name, fn)
    assert ": not yet. " in out and hint in out, out


def test_a_slow_answer_is_told_so(verdict, monkeypatch):
    clock = iter((0.0, 6.0))  # seconds: before the long lists, and behind them
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert "Right, but slow" in verdict("check_leaking_lines", leaking)
