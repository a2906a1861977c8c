"""checks.reward: right answers, and the mistakes that each hint is for; the notebook's two bugs are among them."""

import numpy as np

from tests.checks.answer_tests import answer_tests


def leave_one_out(rewards):
    k = rewards.shape[1]
    return rewards - (rewards.sum(1, keepdims=True) - rewards) / (k - 1)


def chain(phrases, scores, most=4, turned=True, down=True, stops=True):
    found, text, left = [], "", list(phrases)
    sign = -1 if down else 1
    best = sign * scores([""])[0]
    while left and len(found) < most:
        tries = [sign * score for score in scores([text + phrase for phrase in left])]
        top = int(np.argmax(tries))
        if stops and found and tries[top] <= best:
            break
        text += left[top]
        best = tries[top] if turned else scores([text])[0]
        found.append(left.pop(top))
    return found


def rank(scores, k, block=4, reverse=False, forgets=False):
    sign, kept = (-1 if reverse else 1), []
    for start in range(0, len(scores), block):
        part = sign * scores[start : start + block]
        kept += [start + int(i) for i in np.argsort(-part)[:k]]
    last = 1 if forgets else sign
    return [kept[int(i)] for i in np.argsort(-last * scores[kept])[:k]]


test_right, test_empty, test_mistakes = answer_tests(
    {"check_leave_one_out": leave_one_out, "check_negative_chain": chain, "check_rank": rank},
    [
        ("check_leave_one_out", lambda r: r - r.mean(1, keepdims=True), "leave the draw itself out"),
        ("check_leave_one_out", lambda r: r - r.mean(), "for the same picture"),
        ("check_leave_one_out", lambda r: r - r.mean(0), "A row is a picture"),
        ("check_leave_one_out", lambda r: -leave_one_out(r), "Better is positive"),
        ("check_leave_one_out", lambda r: r, "k - 1 others"),
        ("check_leave_one_out", lambda r: r[0], "shape (2, 3)"),
        ("check_negative_chain", lambda p, s, most=4: chain(p, s, most, turned=False), "ends with its first phrase"),
        ("check_negative_chain", lambda p, s, most=4: chain(p, s, most, down=False), "It goes up"),
        ("check_negative_chain", lambda p, s, most=4: chain(p, s, most, stops=False), "must end before it"),
        ("check_negative_chain", lambda p, s, most=4: chain(p, s), "At most"),
        ("check_negative_chain", lambda p, s, most=4: ["甲", "乙"], "lowers it most first"),
        ("check_rank", lambda *a, **k: rank(*a, **k, forgets=True), "the last pass forgets"),
        ("check_rank", lambda s, k, block=4, reverse=False: rank(s, k, block, True), "Without `reverse` it was right"),
        ("check_rank", lambda s, k, block=4, reverse=False: rank(s, k + reverse, block, reverse), "k indices"),
        (
            "check_rank",
            lambda s, k, block=4, reverse=False: rank(s, k, block, reverse)[:: 1 - 2 * reverse],
            "the worst first",
        ),
    ],
)
