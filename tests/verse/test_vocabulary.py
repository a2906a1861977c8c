"""verse.word_tokens: words in single characters and in SentencePiece's tokens, and how much of one is begun."""

import pytest
from transformers import AutoTokenizer

from helpers.poems import character_tokenizer
from helpers.verse import spell, tokens_begun
from tests.samples import CHARACTERS, write_mengzi


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return AutoTokenizer.from_pretrained(write_mengzi(tmp_path_factory.mktemp("pieces")))


def test_single_characters() -> None:
    tokenizer = character_tokenizer("明月春风")
    assert list(spell(tokenizer, "明月")) == tokenizer.convert_tokens_to_ids(["明", "月"])
    assert list(spell(tokenizer, "风")) == tokenizer.convert_tokens_to_ids(["风"])


@pytest.mark.parametrize("word", ["龘", "明龘", "明月:", "a", "明 月", "</s>", ""])
def test_what_verse_cannot_hold(word: str) -> None:
    assert spell(character_tokenizer("明月a"), word) == ()


@pytest.mark.parametrize("word", ["明月", "春风", "黄河", "月", "处处", "江枫渔火"])
def test_sentencepiece(pieces, word: str) -> None:
    ids = spell(pieces, word)
    tokens = pieces.convert_ids_to_tokens(ids)
    assert "▁" not in tokens and "".join(tokens).replace("▁", "") == word
    assert pieces.convert_ids_to_tokens(pieces(word, add_special_tokens=False)["input_ids"])[0].startswith("▁")


def test_sentencepiece_and_what_verse_cannot_hold(pieces) -> None:
    assert all(char in pieces.get_vocab() for char in CHARACTERS)
    assert spell(pieces, "明龘") == spell(pieces, "明,") == spell(pieces, "关键词:") == ()


@pytest.mark.parametrize(
    ("ids", "spelling", "begun"),
    [
        ([], [5, 6], 0),
        ([5], [5, 6], 1),
        ([9, 5], [5, 6], 1),
        ([5, 6], [5, 6], 0),  # all of it is not begun, but done
        ([5, 9], [5, 6], 0),
        ([6], [5, 6], 0),
        ([9, 5, 6], [5, 6, 7], 2),
        ([5], [5], 0),
        ([5, 5], [5, 5, 6], 2),  # as much as can be
        ([5, 6, 5], [5, 6, 5, 7], 3),
        ([9, 6, 5], [5, 6, 5, 7], 1),
        ([5], [], 0),
    ],
)
def test_tokens_begun(ids: list[int], spelling: list[int], begun: int) -> None:
    assert tokens_begun(ids, spelling) == begun
