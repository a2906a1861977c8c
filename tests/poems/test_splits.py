"""poems.splits, recipes.poem_t5.prepare_poems: which poems are alike, and that no variant crosses a split."""

import json
import random
import sys
from dataclasses import replace
from itertools import combinations

import pytest

from helpers.config import ASSETS
from helpers.poems import (
    LineVariants,
    Quatrain,
    count_words,
    patterns,
    read_ccpc,
    read_split,
    split_poems,
    without_variants,
    without_variants_of,
    write_ccpc,
)
from recipes.poem_t5 import prepare_poems
from tests.samples import AUTUMN, BAIDI, HERON_TOWER, NIGHT_THOUGHTS, RIVER_SNOW

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
    train, valid, test = (read_split(ASSETS / "poems", split) for split in ("train", "valid", "test"))
    assert without_variants_of(train, valid + test) == train
    assert without_variants_of(valid, test) == valid


# --- the script that prepares the corpus ---

COMMON = "山水风月花鸟云雨春秋江河日夜天人"


def write_corpus(folder, poems: list[Quatrain]) -> None:
    """As chinese-poetry has them: two sentences a paragraph."""
    rows = [{"title": p.title, "author": "甲", "paragraphs": ["{}，{}。{}，{}。".format(*p.lines)]} for p in poems]
    write_rows(folder / "poet.tang.0.json", rows)


def write_rows(path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def lone_poems(count: int, start: int) -> list[Quatrain]:
    """Poems of which no two are alike."""
    rng = random.Random(start)
    poems = [Quatrain(tuple("".join(rng.choices(COMMON, k=7)) for _ in range(4)), str(n)) for n in range(2 * count)]
    return without_variants(poems)[:count]


def like(poem: Quatrain) -> tuple[str, ...]:
    """Its lines, each with another last character."""
    return tuple(line[:-1] + ("山" if line[-1] != "山" else "水") for line in poem.lines)


def write_longer(folder, poems: list[Quatrain], excluded: Quatrain) -> None:
    """A longer poem for each of the poems, which ends like it; one with a rare character; one like the excluded."""
    own = [poem.lines for poem in lone_poems(len(poems) + 2, start=9)]
    fours = [*((first, like(poem)) for first, poem in zip(own, poems, strict=False))]
    fours += [(own[-2], like(excluded)), (own[-1], (*own[-1][:3], "山水风月花鸟龘"))]
    rows = [{"title": "长", "paragraphs": [f"{line}。" for line in first + second]} for first, second in fours]
    write_rows(folder / "poet.song.0.json", rows)


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """The script's files for a small corpus with variants, and the poem that was to be excluded."""
    poems = lone_poems(60, start=1)
    excluded, variant = poems[0], Quatrain((*poems[1].lines[:3], "龘龘龘龘龘龘龘"))
    near = Quatrain(("龘" + excluded.lines[0][1:], excluded.lines[1], *lone_poems(1, start=7)[0].lines[2:]))
    rare = Quatrain((*lone_poems(1, start=8)[0].lines[:3], "山水风月花鸟靐"))
    write_corpus(tmp_path / "corpus", [*poems, variant, near, rare])
    write_longer(tmp_path / "corpus", poems[1:], excluded)
    write_ccpc([excluded], tmp_path / "exclude.json")
    monkeypatch.setattr(prepare_poems, "SAMPLE", {"train": 20, "valid": 7, "test": 9})
    corpus = ["--corpus", str(tmp_path / "corpus"), "--exclude", str(tmp_path / "exclude.json")]
    written = ["--out", str(tmp_path / "out"), "--sample", str(tmp_path / "deep" / "sample")]
    monkeypatch.setattr(sys, "argv", ["prepare_poems", *corpus, *written])
    prepare_poems.main()
    return tmp_path / "out", tmp_path / "deep" / "sample", poems


def test_prepared_splits(prepared) -> None:
    out, _, poems = prepared
    train, valid, test = (read_split(out, split) for split in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (59 - 16, 7, 9)
    assert {poem.lines for poem in train + valid + test} == {poem.lines for poem in poems[1:]}
    assert not any(alike(poem, other) for poem in train for other in valid + test)
    assert {(poem.author, poem.dynasty) for poem in train} == {("甲", "Tang")} and len({p.title for p in train}) == 43


def test_prepared_fragments(prepared) -> None:
    """All that are like no poem held out, and known to the vocabulary."""
    out, _, poems = prepared
    fragments = {poem.lines for poem in read_ccpc(out / "fragments.json")}
    train, valid, test = (read_split(out, split) for split in ("train", "valid", "test"))
    held_out = [*valid, *test, poems[0]]
    assert not any(alike(Quatrain(lines), other) for lines in fragments for other in held_out)
    assert fragments == {poem.lines for poem in lone_poems(61, start=9)} | {like(poem) for poem in train}


def test_the_sample_has_keywords(prepared) -> None:
    out, folder, _ = prepared
    for split, size in {"train": 20, "valid": 7, "test": 9}.items():
        sample = read_ccpc(next(folder.glob(f"*_{split}*.json")))
        assert len(sample) == len({poem.lines for poem in sample}) == size
        assert {poem.lines for poem in sample} <= {poem.lines for poem in read_split(out, split)}
        for poem in sample:
            assert poem.keywords and all(any(word in line for line in poem.lines) for word in poem.keywords)
    assert all(poem.keywords == () for poem in read_split(out, "train"))


def test_poems_that_are_shipped_stay_held_out(prepared) -> None:
    """Prepared once more, from a corpus in another order: what an earlier model was measured on nobody learns from."""
    out, folder, poems = prepared
    before = {split: {poem.lines for poem in read_split(out, split)} for split in ("valid", "test")}
    write_corpus(folder.parents[1] / "corpus", [*poems[:0:-1], *lone_poems(9, start=11), Quatrain(like(poems[1]))])
    prepare_poems.main()
    train, *held_out = (read_split(out, split) for split in ("train", "valid", "test"))
    assert [{poem.lines for poem in split} for split in held_out] == [before["valid"], before["test"]]
    assert not any(poem.keywords for split in held_out for poem in split)
    assert not any(alike(poem, other) for poem in train for split in held_out for other in split)
    assert {poem.lines for poem in lone_poems(9, start=11)} <= {poem.lines for poem in train}
    assert all(poem.keywords for split in ("valid", "test") for poem in read_split(folder, split))


def test_hold_out(tmp_path, monkeypatch) -> None:
    """Those that lie there, without their keywords; where none do, as many new ones as are shipped."""
    poems = lone_poems(30, start=1)
    monkeypatch.setattr(prepare_poems, "SAMPLE", {"test": 4})
    train, new = prepare_poems.hold_out(poems, tmp_path, "test")
    assert len(new) == 4 and len(train) == 26 and {*train, *new} == {*poems}
    write_ccpc([replace(poems[3], keywords=("山水",))], tmp_path / "poems_test.json")
    train, kept = prepare_poems.hold_out([*poems, Quatrain(like(poems[3]))], tmp_path, "test")
    assert kept == [poems[3]] and train == poems[:3] + poems[4:]


def test_sample_by_the_seed() -> None:
    poems = lone_poems(30, start=1) * 20
    counts = count_words(poems)
    one, again, other = (prepare_poems.sample(poems, 20, counts, seed) for seed in (1, 1, 2))
    assert one == again != other and any(len(poem.keywords) > 1 for poem in one)


def test_the_vocabulary() -> None:
    """What occurs three times, and what the keyword list has; nothing that the brush lacks."""
    poems = [Quatrain(("空山新雨鹳", *AUTUMN[1:]))] * 3 + [Quatrain(("空山新雨鳏", *AUTUMN[1:]))] * 2
    known = prepare_poems.vocabulary(poems)
    assert known.issuperset("".join(AUTUMN[1:]) + "空山新雨鹳") and "鳏" not in known
    assert set("雪梅") <= known and not set("雪梅") & set("".join(AUTUMN))
    assert "靐" not in prepare_poems.vocabulary([Quatrain(("空山新雨靐", *AUTUMN[1:]))] * 3)


def test_the_brush_has_the_characters_of_gb_2312() -> None:
    assert all(map(prepare_poems.brush_has, "一山啊鹳齄檐棹")) and not any(map(prepare_poems.brush_has, "靐龘簷櫂餘𬬻"))
