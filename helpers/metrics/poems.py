"""Figures for a set of poems: rules kept, keywords used, variety. Plain functions on strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from helpers.verse import FAULTS, check_poem, is_list, reported


def verse_rates(
    poems: Sequence[Sequence[str]], keyword_sets: Sequence[Sequence[str]] | None = None
) -> dict[str, float]:
    """Shares of poems that keep each rule, and all of them ("faultless"), by the book that did not steer the writing.

    `keyword_sets`: the words of each poem, which must not straddle a caesura.
    """
    words = keyword_sets or [()] * len(poems)
    checks = [check_poem(poem, row, reported()) for poem, row in zip(poems, words, strict=True)]
    rates = {
        "exact_form": [c["length"] for c in checks],
        "rhymed": [c["rhyme"] for c in checks],
        "tonal": [c["tonal"] for c in checks],
        "no_repeats": [not c["repeats"] for c in checks],
        "faultless": [not c["faults"] for c in checks],
    }
    rates |= {
        name: [name not in c["faults"] for c in checks] for name in FAULTS if name not in ("form", "rhyme", "order")
    }
    return {name: float(np.mean(kept)) for name, kept in rates.items()}


def keyword_first(poems: Sequence[Sequence[str]], keyword_sets: Sequence[Sequence[str]]) -> float:
    """The share of poems that are lists."""
    return float(np.mean([is_list(*pair) for pair in zip(poems, keyword_sets, strict=True)]))


def keyword_recall(poems: Sequence[Sequence[str]], keyword_sets: Sequence[Sequence[str]]) -> float:
    """The share of the given keywords that stand in their poem, averaged over poems."""
    shares = [
        np.mean([any(word in line for line in poem) for word in keywords])
        for poem, keywords in zip(poems, keyword_sets, strict=True)
    ]
    return float(np.mean(shares))


def distinct_n(poems: Iterable[Sequence[str]], n: int = 2) -> float:
    """Different n-grams over all n-grams, within lines (Li et al. 2016, section 5.3)."""
    grams = [line[i : i + n] for poem in poems for line in poem for i in range(len(line) - n + 1)]
    return len(set(grams)) / len(grams)
