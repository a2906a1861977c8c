"""poems.next_line: the texts of the T5, their ids by a plain loop, pairs of a poem, padded batches."""

from collections import Counter

import pytest

from helpers.poems import (
    FRAGMENT,
    HEAD,
    IGNORED,
    QUATRAIN,
    Quatrain,
    character_tokenizer,
    collate,
    count_words,
    encode,
    line_pairs,
    pad,
    source_text,
    target_text,
    tokenize,
)
from tests.samples import AUTUMN, BAIDI, HERON_TOWER

CHARACTERS = list(dict.fromkeys("".join(HERON_TOWER + AUTUMN)))


def keywords_in(source: str) -> list[str]:
    """The keywords of a source."""
    return source.partition("</s>")[0].partition(":")[2].split()


def test_the_texts_of_the_t5() -> None:
    lines = ["春山新雨后", "天气晚来秋", "明月松间照"]
    expected = "五绝4:春日 细雨 余晖</s>春山新雨后</s>天气晚来秋</s>明月松间照</s>"
    assert source_text(["春日", "细雨", "余晖"], lines, 5) == expected
    assert source_text(["春日"], [], 7) == "七绝1:春日</s>"
    assert source_text([], lines[:1], 5) == "五绝2:</s>春山新雨后</s>"
    assert target_text("清泉石上流") == "清泉石上流</s>"


@pytest.mark.parametrize(
    ("written", "until", "asked"),
    [(0, None, "1"), (0, 1, "1"), (0, 4, "1234"), (1, 3, "23"), (2, 4, "34"), (3, 4, "4")],
)
def test_a_source_asks_for_lines(written: int, until: int | None, asked: str) -> None:
    """The next one, or all up to one, by their numbers."""
    lines = "".join(f"{line}</s>" for line in BAIDI[:written])
    source = source_text(["白帝"], BAIDI[:written], 7, until=until)
    assert source == f"七绝{asked}:白帝</s>{lines}"


def test_a_source_names_the_kind() -> None:
    assert (QUATRAIN, FRAGMENT) == ("绝", "律")
    assert source_text(["明月"], AUTUMN[:2], 5, kind=FRAGMENT) == "五律3:明月</s>空山新雨后</s>天气晚来秋</s>"
    assert source_text([], [], 7, until=4, kind=FRAGMENT) == "七律1234:</s>"
    assert source_text([], [], 7, kind=QUATRAIN) == source_text([], [], 7) == "七绝1:</s>"


def test_the_head_is_in_every_vocabulary() -> None:
    """A tokenizer made of no characters at all can read the head of any source."""
    tokenizer = character_tokenizer("")
    heads = [source_text([], [], length, until=4, kind=kind) for length in (5, 7) for kind in (QUATRAIN, FRAGMENT)]
    assert set("".join(heads)) <= set(HEAD) | set("</s>")
    assert not any(tokenizer.unk_token_id in ids for ids in encode(tokenizer, heads))


def test_input_ids_equal_a_plain_loop() -> None:
    symbols = dict.fromkeys(["<pad>", "</s>", "<unk>", *"五七绝律1234:", " ", *CHARACTERS])
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}

    def by_hand(text: str) -> list[int]:
        ids = []
        for n, part in enumerate(text.split("</s>")):
            ids += [vocabulary["</s>"]] * (n > 0) + [vocabulary.get(char, 2) for char in part]
        return ids

    texts = [source_text(["明月", "龘"], AUTUMN[:3], 5), source_text(["秋"], [], 5), target_text(AUTUMN[3])]
    tokenizer = character_tokenizer(CHARACTERS)
    assert tokenizer.get_vocab() == vocabulary
    assert encode(tokenizer, texts) == [by_hand(text) for text in texts]
    assert encode(tokenizer, ["龘</s>"]) == [[2, 1]]


def test_four_pairs_of_a_poem_with_keywords() -> None:
    """Each line with what stands before it; of the poem's own keywords, in any order, some sources tell none."""
    poem = Quatrain(HERON_TOWER, keywords=("黄河", "白日"))
    pairs = list(line_pairs([poem] * 100, Counter()))
    for n, (source, target) in enumerate(pairs):
        number = n % 4
        head, *lines, rest = source.split("</s>")
        assert head.partition(":")[0] == f"五绝{number + 1}" and tuple(lines) == HERON_TOWER[:number] and rest == ""
        assert target == f"{HERON_TOWER[number]}</s>"
    words = [keywords_in(source) for source, _ in pairs]
    assert {tuple(row) for row in words} == {(), ("白日",), ("黄河", "白日"), ("白日", "黄河")}
    assert sum(len(row) == 2 for row in words) > 0.65 * len(words)


def test_words_are_drawn_anew_for_every_line() -> None:
    poems = [Quatrain(AUTUMN)] * 20
    counts = count_words(poems)
    pairs = list(line_pairs(poems, counts, seed=1))
    assert [target for _, target in pairs] == [f"{line}</s>" for line in AUTUMN] * 20
    assert [source.partition("</s>")[2] for source, _ in pairs[:4]] == [
        "".join(f"{line}</s>" for line in AUTUMN[:n]) for n in range(4)
    ]
    assert all(any(word in line for line in AUTUMN) for source, _ in pairs for word in keywords_in(source))
    assert len({tuple(keywords_in(source)) for source, _ in pairs[:4]}) > 1
    assert list(line_pairs(poems, counts, seed=1)) == pairs != list(line_pairs(poems, counts, seed=2))


def test_a_poem_of_rare_words_gets_the_head_of_a_line() -> None:
    """In all sources that tell a word."""
    words = {tuple(keywords_in(source)) for source, _ in line_pairs([Quatrain(AUTUMN)] * 30, Counter())}
    assert words == {(), *((line[:2],) for line in AUTUMN)}


def test_tokenize() -> None:
    tokenizer = character_tokenizer(CHARACTERS)
    pairs = [
        (source_text(["明月"], AUTUMN[:1], 5), target_text(AUTUMN[1])),
        (source_text(["秋"], [], 5), target_text("山")),
    ]
    items = tokenize(tokenizer, iter(pairs))
    assert items == [
        {"input_ids": encode(tokenizer, [source])[0], "labels": encode(tokenizer, [target])[0]}
        for source, target in pairs
    ]
    assert [(len(item["input_ids"]), len(item["labels"])) for item in items] == [(4 + 2 + 1 + 5 + 1, 6), (6, 2)]


def test_pad() -> None:
    assert pad([[5, 6, 1], [8]], 0).tolist() == [[5, 6, 1], [8, 0, 0]]
    assert pad([[5], [8]], 7).tolist() == [[5], [8]]


def test_collate_pads_and_masks() -> None:
    batch = collate([{"input_ids": [5, 6, 1], "labels": [7, 1]}, {"input_ids": [8], "labels": [9, 9, 1]}], 0)
    assert batch["input_ids"].tolist() == [[5, 6, 1], [8, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[7, 1, IGNORED], [9, 9, 1]] and IGNORED == -100
