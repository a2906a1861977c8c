"""keywords.phrases: the file itself, its tables, and the words of keyword.txt among them."""

from collections import Counter

from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.keywords import CHINESE, FLAWS, VERSE, load_phrases, load_vocabulary

MADE = ["medium", "view", "season", "weather", "light", "time", "colour", "mood", "place", VERSE, FLAWS]


def test_the_file() -> None:
    rows = [line for line in (ASSETS / "phrases.tsv").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    cells = [row.split("\t") for row in rows]
    assert [row for row in cells if len(row) != 3 or not all(cell.strip() == cell != "" for cell in row)] == []
    assert list(dict.fromkeys(table for table, _, _ in cells)) == MADE
    assert [phrase for phrase, n in Counter(phrase for _, phrase, _ in cells).items() if n > 1] == []
    assert [phrase for _, phrase, _ in cells if not all(map(is_han, phrase)) or not 2 <= len(phrase) <= 5] == []
    assert [gloss for _, _, gloss in cells if not gloss.isascii()] == []
    sizes = Counter(table for table, _, _ in cells)
    assert min(sizes.values()) >= 24 and sizes[VERSE] >= 400


def test_no_phrase_stands_in_two_tables() -> None:
    phrases = load_phrases()
    assert len({phrase.text for phrase in phrases}) == len(phrases)
    assert {phrase.table for phrase in phrases} == CHINESE.keys()
    assert all(phrase.gloss for phrase in phrases)


def test_tables_stand_together_and_hold_the_vocabulary() -> None:
    phrases = load_phrases()
    tables = [phrase.table for phrase in phrases]
    changes = sum(one != other for one, other in zip(tables, tables[1:], strict=False))
    assert changes == len(set(tables)) - 1
    assert {word.word for word in load_vocabulary() if word.photos is not None} <= {phrase.text for phrase in phrases}


def test_of_a_phrase_in_two_tables_the_first_counts(tmp_path) -> None:
    (tmp_path / "some.tsv").write_text("# a comment\nmood\t宁静\tquiet\nverse\t荷花\ta lotus\n", encoding="utf-8")
    found = {phrase.text: phrase for phrase in load_phrases(tmp_path / "some.tsv")}
    assert found["荷花"] == ("荷花", "a lotus", "verse") and found["宁静"].table == "mood"
