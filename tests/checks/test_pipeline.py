"""The checks of notebook 04 take right answers and name the typical mistakes."""

from itertools import permutations

import numpy as np
import torch

from helpers.verse import enforced, neighbours
from tests.checks.answer_tests import answer_tests

BOOK = enforced()


def rhymes(lines, near=neighbours, alike=lambda a, b: not a.isdisjoint(b), tones="平仄"):
    second, fourth = lines[1][-1], lines[3][-1]
    for tone, kind in zip(tones, ("level", "oblique"), strict=False):
        if second != fourth and alike(BOOK.groups(second, tone), BOOK.groups(fourth, tone)):
            return kind
    close = {group for own in BOOK.groups(second, "平") for group in near(own)}
    return "neighbouring" if second != fourth and close & BOOK.groups(fourth, "平") else "none"


def told(kind, *ends):
    """A right answer, but for poems of which line 4 ends in one of `ends`."""
    return lambda lines: kind if lines[3][-1] in ends else rhymes(lines)


def place(logs, lines=4):
    rows = range(len(logs))
    return list(max(permutations(range(lines), len(logs)), key=lambda chosen: sum(logs[rows, chosen])))


def greedy_place(logs):
    chosen = []
    for row in logs:
        chosen.append(next(int(line) for line in np.argsort(-row) if line not in chosen))
    return chosen


def varied(scores, shared, k, weight, together=np.max, look_back=None):
    chosen = [int(np.argmax(scores))]
    while len(chosen) < k:
        gains = scores - weight * together(shared[:, chosen[look_back:]], axis=1)
        gains[chosen] = -np.inf
        chosen.append(int(np.argmax(gains)))
    return chosen


def forgetful(scores, shared, k, weight):
    """May choose a poem again."""
    chosen = [int(np.argmax(scores))]
    while len(chosen) < k:
        chosen.append(int(np.argmax(scores - 0.01 * weight * shared[:, chosen].max(1))))
    return chosen


def force_first(input_ids, scores, token_id, others=-torch.inf, always=False):
    if input_ids.shape[1] > 1 and not always:
        return scores
    forced = torch.full_like(scores, others)
    forced[:, token_id] = 0
    return forced


def force_in_place(input_ids, scores, token_id):
    scores[:] = force_first(input_ids, scores, token_id)
    return scores


def allow_only(input_ids, scores, token_id):
    """Forbids the other tokens and keeps the score of the wanted one, which may be -inf."""
    others = torch.arange(scores.shape[1]) != token_id
    return scores.masked_fill(others, -torch.inf)


def survivors(totals, keep, sign=-1, offset=True, kind="stable"):
    count, n = totals.shape
    best = np.argsort(sign * totals, axis=1, kind=kind)[:, :keep]
    rows = best[:, np.arange(n) % keep]
    return (rows + n * np.arange(count)[:, None] * offset).ravel()


def second_more_often(totals, keep):
    best = np.argsort(-totals, axis=1, kind="stable")[:, :keep]
    return (best[:, ::-1][:, np.arange(5) % keep] + 5 * np.arange(2)[:, None]).ravel()


def last_of_equals(totals, keep):
    best = 4 - np.argsort(-totals[:, ::-1], axis=1, kind="stable")[:, :keep]
    return (best[:, np.arange(5) % keep] + 5 * np.arange(2)[:, None]).ravel()


RIGHT = {
    "check_rhymes": rhymes,
    "check_place": place,
    "check_varied": varied,
    "check_force_first": force_first,
    "check_survivors": survivors,
}
WRONG = [
    ("check_rhymes", lambda lines: rhymes(lines) == "level", "one of the words"),
    ("check_rhymes", lambda lines: {rhymes(lines)}, "one of the words"),
    ("check_rhymes", lambda lines: "none", "a level rhyme"),
    ("check_rhymes", lambda lines: rhymes(lines, tones="平"), "an older kind of rhyme"),
    ("check_rhymes", told("level", "雪"), "an oblique one"),
    ("check_rhymes", told("level", "流"), "a repetition"),
    ("check_rhymes", lambda lines: rhymes(lines, alike=lambda a, b: bool(a) and a == b), "need not be equal"),
    ("check_rhymes", lambda lines: rhymes(lines, near=lambda group: {group}), "are neighbours"),
    ("check_rhymes", told("level", "松"), "two groups"),
    ("check_rhymes", told("neighbouring", "山"), "no neighbours"),
    ("check_rhymes", told("neighbouring", "鱼"), "share nothing"),
    ("check_place", lambda logs: [0], "one each"),
    ("check_place", lambda logs: logs.argmax(1), "in one line"),
    ("check_place", greedy_place, "needs more"),
    ("check_place", lambda logs: place(logs, len(logs)), "the first lines"),
    ("check_place", lambda logs: [3, 1], "largest product"),
    ("check_place", lambda logs: place(logs) if len(logs) < 4 else np.argsort(place(logs)), "the word of each line"),
    ("check_place", lambda logs: place(logs) if len(logs) < 4 else range(4), "With four words"),
    ("check_place", lambda logs: place(logs) if len(logs) > 1 else [0], "best line"),
    ("check_varied", lambda s, m, k, w: np.argsort(-s)[:k], "the three best"),
    ("check_varied", lambda s, m, k, w: varied(-s, m, k, w), "the best score"),
    ("check_varied", lambda s, m, k, w: varied(s, m, 2, w), "were asked for"),
    ("check_varied", forgetful, "chosen twice"),
    ("check_varied", lambda s, m, k, w: varied(s, m, k, w, look_back=-1), "only with the last"),
    ("check_varied", lambda s, m, k, w: varied(s, m, k, w, together=np.mean), "not the mean"),
    ("check_varied", lambda s, m, k, w: varied(s, m, k, w, together=np.sum), "not the sum"),
    ("check_varied", lambda s, m, k, w: varied(s, m, k, -w), "After 0 and 2"),
    ("check_varied", lambda s, m, k, w: varied(s, m, min(k, 3), w), "With k = 4"),
    ("check_varied", lambda s, m, k, w: varied(s, m, k, 1.0), "With weight 0"),
    ("check_force_first", lambda i, s, t: force_first(i, s, t, others=-1e4), "the score -inf"),
    ("check_force_first", lambda i, s, t: s, "the score -inf"),
    ("check_force_first", allow_only, "a finite score in every row"),
    ("check_force_first", force_in_place, "write into a copy"),
    ("check_force_first", lambda i, s, t: force_first(i, s, t, always=True), "From the second step on"),
    ("check_force_first", lambda i, s, t: force_first(i, s, t)[:1], "shape"),
    ("check_survivors", lambda t, keep: survivors(t, keep).reshape(2, 5), "shape"),
    ("check_survivors", lambda t, keep: survivors(t, keep).astype(float), "whole numbers"),
    ("check_survivors", lambda t, keep: survivors(t, keep, offset=False), "no row"),
    ("check_survivors", lambda t, keep: survivors(t, keep)[::-1], "must stay with it"),
    ("check_survivors", lambda t, keep: survivors(t, keep, sign=1), "the worst"),
    ("check_survivors", lambda t, keep: survivors(t, 1), "exactly two"),
    ("check_survivors", second_more_often, "3 copies"),
    ("check_survivors", lambda t, keep: survivors(t * [1, 1, 1, 1, 0], keep), "draft 2 goes on three times"),
    ("check_survivors", last_of_equals, "the lower row"),
    ("check_survivors", lambda t, keep: survivors(t, 2), "its best draft alone"),
]

test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)
