"""Poems whose last lines are alike in length, rhyme and tones, so that only sense tells which line follows which."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from helpers.poems import Quatrain
from helpers.verse import LEVEL, enforced, tone_pattern


class AlikePoems:
    """Batches of `size` such poems, the same ones whenever a run is resumed; ValueError if there are none."""

    def __init__(self, poems: Sequence[Quatrain], size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        buckets = defaultdict(list)
        for poem in poems:
            for group in enforced().groups(poem.lines[3][-1], LEVEL):
                buckets[len(poem.lines[3]), group, tone_pattern(poem.lines[3][:2])[1]].append(poem)
        self.buckets = [bucket for bucket in buckets.values() if len(bucket) >= size]
        self.weights = [len(bucket) for bucket in self.buckets]
        if not self.buckets:
            raise ValueError(f"there are not {size} poems whose last lines are alike")

    def __len__(self) -> int:
        """Poems that are drawn from."""
        return sum(self.weights)

    def batch(self, step: int) -> tuple[int, list[Quatrain]]:
        """How many lines are read (one, two or three; as often as not three), and the poems."""
        rng = random.Random(f"{self.seed} {step}")
        (bucket,) = rng.choices(self.buckets, self.weights)
        return rng.choice((1, 2, 3, 3)), rng.sample(bucket, self.size)
