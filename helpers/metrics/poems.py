"""Figures for a set of poems: rules kept, keywords used, variety. Plain functions on strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from helpers.verse import check_poem


def verse_rates(poems: Sequence[Sequence[str]]) -> dict[str, float]:
    """Shares of poems with exact form, rhyme, tonal order, and without repeated characters."""
    checks = [check_poem(poem) for poem in poems]
    return {
        "exact_form": float(np.mean([c["length"] for c in checks])),
        "rhymed": float(np.mean([c["rhyme"] for c in checks])),
        "tonal": float(np.mean([c["tonal"] for c in checks])),
        "no_repeats": float(np.mean([not c["repeats"] for c in checks])),
    }


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
