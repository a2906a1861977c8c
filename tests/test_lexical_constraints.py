"""helpers.lexical_constraints: the word is in its line whatever the model would rather write, the head at its head."""

import pytest
import torch
from test_poem_t5 import CHARACTERS, tiny_t5, write_mengzi
from test_verse import CHARS, HERON_TOWER, make_tokenizer

from helpers.decoding import STRATEGIES
from helpers.lexical_constraints import AcrosticConstraint, KeywordConstraint
from helpers.poem_t5 import PoemWriter, character_tokenizer
from helpers.verse import FORMS, check
from helpers.verse_rules import VerseRules

FREE = {"rhyme": False, "no_repeat": False, "tone": False}
WAYS = ("greedy", "beam, 4", "sampling", "contrastive")
KEYWORDS = [["明月", "春", "白云", "孤舟"], ["黄河", "明月", "江枫渔", "花"], ["处处", "寒山寺", "春风", "明月"]]
TOKENIZER = character_tokenizer("花春风明月更上一层楼天流云白")


@pytest.fixture(scope="module")
def own() -> PoemWriter:
    tokenizer = character_tokenizer(CHARACTERS + list(CHARS))
    return PoemWriter(tiny_t5(len(tokenizer)), tokenizer)


@pytest.fixture(scope="module")
def mengzi(tmp_path_factory) -> PoemWriter:
    return PoemWriter.from_pretrained(write_mengzi(tmp_path_factory.mktemp("mengzi")))


def write(writer: PoemWriter, form: str, way: str, seed: int = 0, n: int = 1, **options) -> list:
    groups = writer.write_batch(KEYWORDS, form, seed, n, decoding=STRATEGIES[way], **options)
    return [poem for group in groups for poem in group]


def left(constraint, line: str, tokenizer=TOKENIZER, scores: torch.Tensor | None = None) -> str:
    """The tokens that may come next in the line of the only prompt."""
    ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(list(line))]])
    scores = constraint(ids, torch.zeros(1, len(tokenizer)) if scores is None else scores)
    return "".join(tokenizer.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))


ALL = left(lambda _, scores: scores, "")


def keyword(word: str | None, earlier=(), length: int = 5, **rules: bool) -> KeywordConstraint:
    return KeywordConstraint(TOKENIZER, [word], [list(earlier)], VerseRules(length, **FREE | rules))


# --- a word in its line ---


def test_the_choice_is_lost_at_the_last_place() -> None:
    constraint = keyword("明月")
    for line in ("", "花", "花花"):
        assert left(constraint, line) == ALL
    assert left(constraint, "花花花") == "明" and left(constraint, "花花花明") == "月"
    assert left(constraint, "花明") == ALL  # it fits once more behind this
    assert left(constraint, "明月花") == left(constraint, "花花花花") == left(constraint, "花花花花花") == ALL
    assert left(keyword("月"), "花花花花") == "月" and left(keyword("春风明月"), "花") == "春"


def test_the_last_place_is_the_last_that_the_rules_admit() -> None:
    fourth = {"earlier": HERON_TOWER[:3], "rhyme": True}
    assert left(keyword("明月", **fourth), "更") == ALL
    assert left(keyword("明月", **fourth), "更上") == "明"  # 月 is no rhyme of 流
    assert left(keyword("云楼", **fourth), "更上") == ALL  # but 楼 is
    assert left(keyword("春风", **fourth, tone=True), "") == left(keyword("春风", **fourth, tone=True), "更") == ALL
    assert left(keyword("明月", **fourth, tone=True), "") == "明"  # 月 fits the second place only
    assert left(keyword("明楼", earlier=HERON_TOWER[:1], rhyme=True, tone=True), "") == ALL


def test_a_word_that_is_not_admitted_is_let_go() -> None:
    fourth = {"earlier": HERON_TOWER[:3], "no_repeat": True}
    assert left(keyword("白云", **fourth), "更上一") == ALL  # 白日依山尽
    assert left(keyword("白云", earlier=HERON_TOWER[:3]), "更上一") == "白"
    assert left(keyword("龘月"), "花花花") == left(keyword(None), "花花花") == ALL
    assert left(keyword("春风明月更上"), "") == ALL  # longer than the line


def test_nothing_that_was_forbidden_is_forced() -> None:
    scores = torch.zeros(1, len(TOKENIZER))
    scores[0, TOKENIZER.convert_tokens_to_ids("明")] = -torch.inf
    assert left(keyword("明月"), "花花花", scores=scores) == ALL.replace("明", "")


def test_the_scores_given_are_left_alone_and_one_keeps_its_score() -> None:
    ids = torch.tensor([[0, *TOKENIZER.convert_tokens_to_ids(list("花花花"))]])
    scores = torch.arange(len(TOKENIZER), dtype=torch.float)[None].repeat(1, 1)
    before, token = scores.clone(), TOKENIZER.convert_tokens_to_ids("明")
    after = keyword("明月")(ids, scores)
    assert torch.equal(scores, before) and after[0, token] == before[0, token]


def test_prompts_and_their_beams() -> None:
    constraint = KeywordConstraint(TOKENIZER, ["明月", None, "春风"], [[], [], []], VerseRules(5, **FREE))
    flower = TOKENIZER.convert_tokens_to_ids("花")
    scores = constraint(torch.tensor([[0, flower, flower, flower]] * 6), torch.zeros(6, len(TOKENIZER) + 3))
    only = [row.isfinite().nonzero().flatten().tolist() for row in scores]
    bright, spring = ([TOKENIZER.convert_tokens_to_ids(char)] for char in "明春")
    assert only == [bright, bright, only[2], only[2], spring, spring] and len(only[2]) == len(TOKENIZER) + 3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
def test_every_line_has_its_keyword(own, way: str, form: str) -> None:
    """Where all of them are admitted: without rules that lines written before, or the rest of this one, could break."""
    options = {"n": 8 if way == "sampling" else 1, "keyword_bonus": 0, **FREE}
    poems = write(own, form, way, keyword_per_line=True, **options)
    for poem in poems:
        assert check(poem.lines)["form"] == form
        assert all(word in line for word, line in zip(poem.keywords, poem.lines, strict=True)), poem
    free = write(own, form, way, **options)
    assert not any(all(word in line for word, line in zip(p.keywords, p.lines, strict=True)) for p in free)


@pytest.mark.parametrize("way", ["sampling", "beam, 4"])
def test_rules_are_kept_beside_the_keywords(own, way: str) -> None:
    """The rules have the last word."""
    poems = write(own, "7x4", way, n=12 if way == "sampling" else 1, keyword_per_line=True, tone=True)
    judged = [check(poem.lines) for poem in poems]
    assert all(found["length"] and found["rhyme"] and found["tonal"] and not found["repeats"] for found in judged)


def test_fewer_keywords_than_lines(own) -> None:
    (group,) = own.write_batch([["明月"]], "5x4", n=8, keyword_per_line=True, keyword_bonus=0, **FREE)
    assert all("明月" in poem.lines[0] for poem in group)
    assert not all("明月" in line for poem in group for line in poem.lines[1:])


# --- a character at its head ---


def test_a_line_begins_with_its_character() -> None:
    constraint = AcrosticConstraint(TOKENIZER, ["春"])
    assert left(constraint, "") == "春" and left(constraint, "春") == left(constraint, "花") == ALL


def test_a_character_that_was_forbidden_comes_all_the_same() -> None:
    scores = torch.zeros(1, len(TOKENIZER))
    scores[0, TOKENIZER.convert_tokens_to_ids("春")] = -torch.inf
    assert left(AcrosticConstraint(TOKENIZER, ["春"]), "", scores=scores) == "春"


def test_longer_tokens_that_begin_so() -> None:
    tokenizer = make_tokenizer(["▁", "春", "▁春", "春风", "▁春日", "风春", "花"])
    constraint = AcrosticConstraint(tokenizer, ["春"])
    scores = constraint(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, len(tokenizer)))
    fitting = tokenizer.convert_tokens_to_ids(["春", "▁春", "春风", "▁春日"])
    assert scores[0].isfinite().nonzero().flatten().tolist() == sorted(fitting)
    blank = tokenizer.convert_tokens_to_ids("▁")  # no character yet: the line has not begun
    scores = constraint(torch.tensor([[0, blank]]), torch.zeros(1, len(tokenizer)))
    assert scores[0].isfinite().nonzero().flatten().tolist() == sorted(fitting)


def test_heads_of_prompts_and_their_beams() -> None:
    constraint = AcrosticConstraint(TOKENIZER, ["春", "花"])
    scores = constraint(torch.zeros(4, 1, dtype=torch.long), torch.zeros(4, len(TOKENIZER) + 3))
    spring, flower = TOKENIZER.convert_tokens_to_ids(["春", "花"])
    assert scores.isfinite().nonzero().tolist() == [[0, spring], [1, spring], [2, flower], [3, flower]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["own", "mengzi"])
@pytest.mark.parametrize("acrostic", ["春江花月", "明月", "山山山山"])
def test_acrostics(acrostic: str, name: str, way: str, request) -> None:
    """With all other rules on, also one that they would forbid, 山 four times."""
    writer = request.getfixturevalue(name)
    poems = write(writer, "5x4", way, n=4 if way == "sampling" else 1, acrostic=acrostic, tone=True)
    assert all(check(poem.lines)["form"] == "5x4" for poem in poems)
    assert {"".join(line[0] for line in poem.lines)[: len(acrostic)] for poem in poems} == {acrostic}


def test_acrostics_and_keywords_at_once(own) -> None:
    poems = write(own, "7x4", "sampling", n=6, acrostic="春江花月", keyword_per_line=True, keyword_bonus=0, **FREE)
    for poem in poems:
        assert "".join(line[0] for line in poem.lines) == "春江花月"
        assert all(word in line for word, line in zip(poem.keywords, poem.lines, strict=True))


@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_characters_that_the_model_does_not_know(name: str, request) -> None:
    with pytest.raises(ValueError, match="no line can begin with 龘: "):
        request.getfixturevalue(name).write(["明月"], acrostic="春龘花月")
    with pytest.raises(ValueError, match="龘"):
        AcrosticConstraint(TOKENIZER, ["春", "龘"])


def test_an_acrostic_of_five(own) -> None:
    with pytest.raises(ValueError, match="at most four characters, not 5"):
        own.write(["明月"], acrostic="春江花月夜")
