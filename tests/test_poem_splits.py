"""helpers.poem_splits: which lines and poems are alike, and that no variant is left on the other side of a split."""

import random
from itertools import combinations

import pytest
from test_poems import AUTUMN, BAIDI, HERON_TOWER, NIGHT_THOUGHTS
from test_verse import RIVER_SNOW

from helpers.config import ASSETS
from helpers.poem_splits import LineVariants, patterns, split_poems, without_variants, without_variants_of
from helpers.poems import Quatrain, read_ccpc

# The same poem as the Song had it: 床前看月光，疑是地上霜。举头望山月，低头思故乡。
SONG_VERSION = ("床前看月光", "疑是地上霜", "举头望山月", "低头思故乡")


def nearly(line: str, other: str) -> bool:
    """Lines of one length that differ in one character at most."""
    return len(line) == len(other) and sum(a != b for a, b in zip(line, other, strict=True)) <= 1


def alike(poem: Quatrain, other: Quatrain) -> bool:
    """By the definition, pair by pair."""
    return sum(any(nearly(line, each) for each in other.lines) for line in set(poem.lines)) >= 2


def family(rng: random.Random, size: int) -> list[Quatrain]:
    """Poems of few characters, each followed by copies in which a line or two, or characters, are others."""
    poems = []
    for _ in range(size):
        lines = ["".join(rng.choices("山水风月花鸟云雨春秋", k=5)) for _ in range(4)]
        poems.append(Quatrain(tuple(lines)))
        for changed in range(1, 5):
            for at in rng.sample(range(4), changed):
                place = rng.randrange(5)
                lines[at] = lines[at][:place] + rng.choice("东西南北") + lines[at][place + 1 :]
            poems.append(Quatrain(tuple(lines)))
    rng.shuffle(poems)
    return poems


def test_patterns() -> None:
    assert list(patterns("空山新")) == ["？山新", "空？新", "空山？"]


def test_a_version_with_other_characters_is_the_same_poem() -> None:
    variants = LineVariants([Quatrain(HERON_TOWER), Quatrain(NIGHT_THOUGHTS)])
    assert variants.holds(Quatrain(SONG_VERSION)) and variants.holds(Quatrain(HERON_TOWER))
    assert not variants.holds(Quatrain(RIVER_SNOW)) and not LineVariants().holds(Quatrain(HERON_TOWER))


@pytest.mark.parametrize(
    ("lines", "held"),
    [
        ((HERON_TOWER[0], *RIVER_SNOW[1:]), False),  # one line is a quotation
        ((HERON_TOWER[0], HERON_TOWER[2], *RIVER_SNOW[2:]), True),
        ((RIVER_SNOW[0], HERON_TOWER[3], RIVER_SNOW[2], HERON_TOWER[1]), True),  # wherever they stand
        (("白日依山去", "黄河入海去", *RIVER_SNOW[2:]), True),  # one other character in each
        (("白日依云去", "黄河入天去", *RIVER_SNOW[2:]), False),  # two in each
        (("白日依山去", "黄河入天去", *RIVER_SNOW[2:]), False),  # one line is near, the other is not
        ((HERON_TOWER[0], HERON_TOWER[0], *RIVER_SNOW[2:]), False),  # a refrain is one line
        ((HERON_TOWER[0], AUTUMN[1], *RIVER_SNOW[2:]), False),  # one line each of two poems
        (("日白依山尽", "河黄入海流", *RIVER_SNOW[2:]), False),  # two places, though the characters are the same
    ],
)
def test_one_line_stays_two_go(lines: tuple[str, ...], held: bool) -> None:
    poem, others = Quatrain(lines), [Quatrain(HERON_TOWER), Quatrain(AUTUMN)]
    assert LineVariants(others).holds(poem) is held
    assert without_variants_of([poem, Quatrain(BAIDI)], others) == [poem, Quatrain(BAIDI)][held:]


def test_the_earlier_of_two_variants_stays() -> None:
    poems = [Quatrain(NIGHT_THOUGHTS), Quatrain(HERON_TOWER), Quatrain(SONG_VERSION), Quatrain(BAIDI)]
    assert without_variants(iter(poems)) == [poems[0], poems[1], poems[3]]
    assert without_variants(reversed(poems)) == [poems[3], poems[2], poems[1]]
    assert without_variants_of(poems, []) == poems


def test_variants_by_the_definition() -> None:
    poems = family(random.Random(0), 40)
    kept = without_variants(poems)
    assert 40 < len(kept) < 160 and not any(alike(b, a) for a, b in combinations(kept, 2))
    assert [poem for n, poem in enumerate(poems) if not any(alike(poem, p) for p in poems[:n] if p in kept)] == kept


@pytest.mark.parametrize("seed", range(3))
def test_splits_share_no_variant(seed: int) -> None:
    poems = family(random.Random(seed), 40)
    train, held_out = split_poems(poems, 30, seed)
    assert len(held_out) == 30 and set(held_out) | set(train) < set(poems)
    assert not any(alike(poem, other) for poem in train for other in held_out)
    lost = [poem for poem in poems if poem not in train and poem not in held_out]
    assert lost and all(any(alike(poem, other) for other in held_out) for poem in lost)  # and none for nothing


def test_a_split_is_drawn_by_the_seed() -> None:
    poems = family(random.Random(0), 20)
    before = list(poems)
    assert split_poems(poems, 20, seed=1) == split_poems(poems, 20, seed=1) and poems == before
    held_out = [set(split_poems(poems, 20, seed)[1]) for seed in range(3)]
    assert held_out[0] != held_out[1] != held_out[2] and held_out[0] != set(poems[:20])


def test_the_shipped_splits_share_no_variant() -> None:
    files = (ASSETS / "poems" / f"quatrains_{split}.json" for split in ("train", "valid", "test"))
    train, valid, test = map(read_ccpc, files)
    assert without_variants_of(train, valid + test) == train
    assert without_variants_of(valid, test) == valid
