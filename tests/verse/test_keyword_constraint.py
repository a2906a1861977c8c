"""verse.keyword_constraint: the word is in its line whatever the model would rather write, the head at its head."""

import pytest
import torch

from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.options import FORMS, PoemOptions
from helpers.poems import STRATEGIES, Poem, PoemWriter, character_tokenizer, read_split
from helpers.verse import AcrosticConstraint, KeywordBonus, KeywordConstraint, VerseRules, check_poem, tones
from tests.samples import CHARACTERS, CHARS, HERON_TOWER, make_tokenizer, tiny_t5, write_mengzi

FREE = {"rhyme": False, "no_repeat": False, "tone": False}
ANYWHERE = {"keyword_per_line": False}
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


@pytest.fixture(scope="module")
def shipped() -> PoemWriter:
    return PoemWriter.from_pretrained(ASSETS / "poem_t5")


def write(writer: PoemWriter, form: str, way: str, n: int = 1, **wishes) -> list:
    groups = writer.write_batch(KEYWORDS, PoemOptions(form, n, **wishes), decoding=STRATEGIES[way])
    return [poem for group in groups for poem in group]


def left(constraint, line: str, tokenizer=TOKENIZER, scores: torch.Tensor | None = None) -> str:
    """The tokens that may come next in the line of the only prompt."""
    ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(list(line))]])
    scores = constraint(ids, torch.zeros(1, len(tokenizer)) if scores is None else scores)
    return "".join(tokenizer.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))


ALL = left(lambda _, scores: scores, "")
VERSE = "".join(filter(is_han, ALL))  # what may come while a word is due: no end and no punctuation


def keyword(
    word: str | None, earlier=(), length: int = 5, later=(), tokenizer=TOKENIZER, **rules: bool
) -> KeywordConstraint:
    rules = VerseRules(length, **FREE | rules)
    return KeywordConstraint(tokenizer, [word], [list(later)], [list(earlier)], rules)


def without(chars: str, text: str) -> str:
    return "".join(char for char in text if char not in chars)


def holds_its_words(poem: Poem) -> bool:
    return all(word in line for word, line in zip(poem.keywords, poem.lines, strict=True))


# --- a word in its line ---


def test_the_choice_is_lost_at_the_last_place() -> None:
    constraint = keyword("明月")
    for line in ("", "花", "花花"):
        assert left(constraint, line) == VERSE
    assert left(constraint, "花花花") == "明" and left(constraint, "花花花明") == "月"
    assert left(constraint, "花明") == VERSE  # it fits once more behind this
    assert left(constraint, "明月花") == left(constraint, "花花花花") == left(constraint, "花花花花花") == ALL
    assert left(keyword("月"), "花花花花") == "月" and left(keyword("春风明月"), "花") == "春"


def test_the_last_place_is_the_last_that_the_rules_admit() -> None:
    fourth = {"earlier": HERON_TOWER[:3], "rhyme": True}
    assert left(keyword("明月", **fourth), "更") == VERSE
    assert left(keyword("明月", **fourth), "更上") == "明"  # 月 is no rhyme of 流
    assert left(keyword("云楼", **fourth), "更上") == VERSE  # but 楼 is
    third_place = keyword("春风", **fourth, tone=True)
    assert left(third_place, "") == without("春", VERSE) and left(third_place, "更上") == "春"  # no half word
    assert left(keyword("明月", **fourth, tone=True), "") == "明"  # 月 fits the second place only
    assert left(keyword("明楼", earlier=HERON_TOWER[:1], rhyme=True, tone=True), "") == VERSE


def test_tokens_that_leave_the_order_of_tones_are_masked() -> None:
    oblique = "".join(char for char in VERSE if "仄" in tones(char))
    assert left(keyword("春风", earlier=HERON_TOWER[:3], rhyme=True, tone=True), "更") == oblique
    assert left(keyword("春风", earlier=HERON_TOWER[:3], rhyme=True), "更") == VERSE


def test_a_tone_of_line_1_that_would_shut_the_word_out() -> None:
    """Behind 花, 春风 has its places now (平平) and, if the second character is oblique, at 4 or from 4 on."""
    fits = "".join(char for char in VERSE if "仄" in tones(char) or char == "春")
    assert left(keyword("春风", tone=True), "花") == fits and "春" in fits and "天" not in fits
    assert left(keyword("春风"), "花") == left(keyword("春风", tone=True), "") == VERSE
    assert left(keyword("春风", tone=True), "花天") == ALL  # shut out, and let go
    # An oblique word is not shut out by the level tone but by the other.
    assert left(keyword("一白", tone=True), "花") == without(
        "".join(c for c in VERSE if tones(c) == {"仄"} and c != "一"), VERSE
    )


def test_a_longer_token_does_not_jump_over_the_last_place() -> None:
    tokenizer = make_tokenizer(["▁", "春", "明", "月", "明月", "春风", "花"])

    def fit(line: str, word: str = "明月") -> set[str]:
        ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(list(line))]])
        scores = keyword(word, tokenizer=tokenizer)(ids, torch.zeros(1, len(tokenizer)))
        return set(tokenizer.convert_ids_to_tokens(scores[0].isfinite().nonzero().flatten().tolist()))

    assert fit("花") == {"▁", "春", "明", "月", "明月", "春风", "花"}
    assert fit("花花") == {"▁", "春", "明", "月", "明月", "花"}  # 春风 would leave one place
    assert fit("花花花") == {"▁", "明月"}
    assert fit("花花花", "春") == {"▁", "春", "明", "月", "花"}
    assert fit("花花花花", "春") == {"▁", "春"}


def test_a_word_of_several_tokens_beside_longer_ones(mengzi) -> None:
    tokenizer = mengzi.tokenizer

    def fits(line: str, token: str) -> bool:
        ids = torch.tensor([[0, *tokenizer.convert_tokens_to_ids(list(line))]])
        scores = keyword("黄河", tokenizer=tokenizer)(ids, torch.zeros(1, len(tokenizer)))
        return bool(scores[0, tokenizer.convert_tokens_to_ids(token)].isfinite())

    assert tokenizer.unk_token_id not in tokenizer.convert_tokens_to_ids(["千里", "明月", *"千黄山"])
    assert fits("山", "千里") and fits("山", "明月") and fits("山山", "千")
    assert not fits("山山", "千里") and not fits("山山", "明月") and not fits("山山山", "千")
    assert fits("山山山", "黄") and fits("山山山黄", "河") and not fits("山山山黄", "千")


def test_characters_that_a_word_needs_wait_for_it() -> None:
    later = {"later": ["春风", "流云"], "no_repeat": True}
    assert left(keyword("明月", **later), "") == without("月春风流云", VERSE)  # 明 begins the word
    assert left(keyword("明月", **later), "明") == "月"  # once begun it has no other place for 明
    assert left(keyword("明月", **later), "明月") == without("明月春风流云", ALL)
    assert left(keyword(None, **later), "") == without("春风流云", ALL)
    assert left(keyword("明月", later=["春风"]), "") == VERSE and left(keyword(None, later=["春风"]), "") == ALL


def test_a_longer_token_with_a_character_that_waits() -> None:
    tokenizer = make_tokenizer(["春", "明", "月", "明月", "春风", "风月", "花"])
    start, scores = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, len(tokenizer))
    for options, expected in (
        ({"later": ["花"], "no_repeat": True}, ["春", "明月", "春风"]),
        ({"later": ["春"], "no_repeat": True}, ["明月", "花"]),
        ({"later": ["春"]}, ["春", "明", "月", "明月", "春风", "风月", "花"]),
    ):
        found = keyword("明月", tokenizer=tokenizer, **options)(start, scores)[0].isfinite().nonzero().flatten()
        assert found.tolist() == sorted(tokenizer.convert_tokens_to_ids(expected))


def test_a_word_that_is_not_admitted_is_let_go() -> None:
    fourth = {"earlier": HERON_TOWER[:3], "no_repeat": True}
    assert left(keyword("白云", **fourth), "更上一") == without("白云", ALL)  # 白日依山尽
    assert left(keyword("白云", earlier=HERON_TOWER[:3]), "更上一") == "白"
    assert left(keyword("龘月"), "花花花") == left(keyword(None), "花花花") == ALL
    assert left(keyword("春风明月更上"), "") == ALL  # longer than the line
    nowhere = keyword("天天天", earlier=HERON_TOWER[:3], tone=True, rhyme=True)  # 天 is no rhyme of 流
    scores = torch.arange(len(TOKENIZER), dtype=torch.float)[None]
    for constraint in (nowhere, keyword("春风明月更上")):
        assert torch.equal(constraint(torch.zeros(1, 1, dtype=torch.long), scores), scores)


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
    nothing = [[], [], []]
    constraint = KeywordConstraint(TOKENIZER, ["明月", None, "春风"], nothing, nothing, VerseRules(5, **FREE))
    flower = TOKENIZER.convert_tokens_to_ids("花")
    scores = constraint(torch.tensor([[0, flower, flower, flower]] * 6), torch.zeros(6, len(TOKENIZER) + 3))
    only = [row.isfinite().nonzero().flatten().tolist() for row in scores]
    bright, spring = ([TOKENIZER.convert_tokens_to_ids(char)] for char in "明春")
    assert only == [bright, bright, only[2], only[2], spring, spring] and len(only[2]) == len(TOKENIZER)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_every_line_has_its_keyword(name: str, way: str, form: str, request) -> None:
    """Where all of them are admitted: without rules that lines written before, or the rest of this one, could break."""
    writer = request.getfixturevalue(name)
    wishes = {"n": 8 if way == "sampling" else 1, "keyword_bonus": 0.0, **FREE}
    poems = write(writer, form, way, **wishes)
    for poem in poems:
        assert check_poem(poem.lines)["form"] == form and holds_its_words(poem), poem
    assert not any(map(holds_its_words, write(writer, form, way, **wishes, **ANYWHERE)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("way", "n", "bonus"), [("greedy", 1, 5.0), ("sampling", 3, 5.0), ("sampling", 3, 0.0)])
def test_every_line_has_its_keyword_with_all_rules_on(shipped, way: str, n: int, bonus: float, form: str) -> None:
    """The shipped model, with words of real poems."""
    sets = [poem.keywords for poem in read_split(ASSETS / "poems", "valid") if len(poem.keywords) == 4][:15]
    groups = shipped.write_batch(sets, PoemOptions(form, n, keyword_bonus=bonus), decoding=STRATEGIES[way])
    poems = [poem for group in groups for poem in group]
    assert len(poems) == 15 * n
    for poem in poems:
        judged = check_poem(poem.lines)
        assert holds_its_words(poem), poem
        assert judged["form"] == form and judged["rhyme"] and judged["tonal"] and not judged["repeats"], poem


@pytest.mark.parametrize("per_line", [True, False])
def test_the_bonus_is_for_the_words_of_the_line(own, monkeypatch, per_line: bool) -> None:
    """All of them wait for their turn in line 1, each in its own line, or whatever the lines before have left."""
    bonuses, words, generate = [], ["明月", "春", "白云", "孤舟"], own.model.generate

    def spy(logits_processor, **arguments) -> torch.Tensor:
        bonuses.extend(each for each in logits_processor if isinstance(each, KeywordBonus))
        return generate(logits_processor=logits_processor, **arguments)

    monkeypatch.setattr(own.model, "generate", spy)
    own.write_batch([words, words[:2]], PoemOptions("5x4", n=1, keyword_per_line=per_line))
    pending = [bonus.pending for bonus in bonuses]
    if per_line:
        assert pending == [[["明月"], ["明月"]], [["春"], ["春"]], [["白云"], []], [["孤舟"], []]]
    else:
        assert pending[0] == [words, words[:2]] and all(set(bonus.spelling) == set(words) for bonus in bonuses)


@pytest.mark.parametrize("way", ["sampling", "beam, 4"])
def test_rules_are_kept_beside_the_keywords(own, way: str) -> None:
    """The rules have the last word."""
    poems = write(own, "7x4", way, n=12 if way == "sampling" else 1)
    judged = [check_poem(poem.lines) for poem in poems]
    assert all(found["length"] and found["rhyme"] and found["tonal"] and not found["repeats"] for found in judged)


def test_fewer_keywords_than_lines(own) -> None:
    group = own.write(["明月"], PoemOptions("5x4", n=8, keyword_bonus=0.0, **FREE))
    assert all("明月" in poem.lines[0] for poem in group)
    assert not all("明月" in line for poem in group for line in poem.lines[1:])


# --- a character at its head ---


def test_a_line_begins_with_its_character() -> None:
    constraint = AcrosticConstraint(TOKENIZER, "春")
    assert left(constraint, "") == "春" and left(constraint, "春") == left(constraint, "花") == ALL


def test_a_character_that_was_forbidden_comes_all_the_same() -> None:
    scores = torch.zeros(1, len(TOKENIZER))
    scores[0, TOKENIZER.convert_tokens_to_ids("春")] = -torch.inf
    assert left(AcrosticConstraint(TOKENIZER, "春"), "", scores=scores) == "春"


def test_longer_tokens_that_begin_so() -> None:
    tokenizer = make_tokenizer(["▁", "春", "▁春", "春风", "▁春日", "风春", "花"])
    constraint = AcrosticConstraint(tokenizer, "春")
    scores = constraint(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, len(tokenizer)))
    fitting = tokenizer.convert_tokens_to_ids(["春", "▁春", "春风", "▁春日"])
    assert scores[0].isfinite().nonzero().flatten().tolist() == sorted(fitting)
    blank = tokenizer.convert_tokens_to_ids("▁")  # no character yet: the line has not begun
    scores = constraint(torch.tensor([[0, blank]]), torch.zeros(1, len(tokenizer)))
    assert scores[0].isfinite().nonzero().flatten().tolist() == sorted(fitting)


def test_every_row_and_scores_beyond_the_vocabulary() -> None:
    constraint = AcrosticConstraint(TOKENIZER, "春")
    scores = constraint(torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, len(TOKENIZER) + 3))
    spring = TOKENIZER.convert_tokens_to_ids("春")
    assert scores.isfinite().nonzero().tolist() == [[0, spring], [1, spring], [2, spring]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["own", "mengzi"])
@pytest.mark.parametrize("acrostic", ["春江花月", "明月", "山山山山"])
def test_acrostics(acrostic: str, name: str, way: str, request) -> None:
    """With all other rules on, also one that they would forbid, 山 four times."""
    writer = request.getfixturevalue(name)
    poems = write(writer, "5x4", way, n=4 if way == "sampling" else 1, acrostic=acrostic, **ANYWHERE)
    assert all(check_poem(poem.lines)["form"] == "5x4" for poem in poems)
    assert {"".join(line[0] for line in poem.lines)[: len(acrostic)] for poem in poems} == {acrostic}


def test_acrostics_and_keywords_at_once(own) -> None:
    poems = write(own, "7x4", "sampling", n=6, acrostic="春江花月", keyword_bonus=0.0, **FREE)
    for poem in poems:
        assert "".join(line[0] for line in poem.lines) == "春江花月"
        assert all(word in line for word, line in zip(poem.keywords, poem.lines, strict=True))


@pytest.mark.parametrize("name", ["own", "mengzi"])
def test_characters_that_the_model_does_not_know(name: str, request) -> None:
    with pytest.raises(ValueError, match="no line can begin with '龘': "):
        request.getfixturevalue(name).write(["明月"], PoemOptions(acrostic="春龘花月"))
    with pytest.raises(ValueError, match="龘"):
        AcrosticConstraint(TOKENIZER, "龘")
