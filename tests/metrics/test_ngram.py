"""metrics.ngram: perplexities that can be worked out by hand."""

import math

import pytest

from helpers.metrics import END, START, Trigram, line_tokens
from tests.samples import AUTUMN, HERON_TOWER, NIGHT_THOUGHTS


def witten_bell(rows: list[list[str]], words: set[str]):
    """p(token | context) for rows in which rare characters are <UNK> already: Witten and Bell (1991) by counting."""
    grams = [tuple(row[i : i + n]) for row in rows for n in (1, 2, 3) for i in range(len(row) - n + 1)]

    def p(token: str, context: tuple[str, ...]) -> float:
        followers = [gram[-1] for gram in grams if gram[:-1] == context]
        if not context:
            return followers.count(token) / len(followers)
        if not followers:
            return p(token, context[1:])
        new = len(set(followers))  # as often as something new came, so much is left to the shorter context
        return (followers.count(token) + new * p(token, context[1:])) / (len(followers) + new)

    return lambda token, *context: p(token, context)


def test_line_tokens() -> None:
    assert line_tokens(["空山", "新"]) == [START, START, "空", "山", END, "新", END]


def test_a_poem_that_leaves_no_choice() -> None:
    """山山山山: what follows is settled by the two tokens before, up to what is left to shorter contexts."""
    poem = ["山水"]
    model = Trigram([poem] * 50)
    rows = [[START, START, "山", "水", END]] * 50
    p = witten_bell(rows, {"山", "水", END})
    bits = -sum(math.log2(x) for x in (p("山", START, START), p("水", START, "山"), p(END, "山", "水")))
    assert model.perplexity([poem]) == pytest.approx(2 ** (bits / 2))  # three tokens, two characters


def test_a_uniform_corpus() -> None:
    """Two characters in all four orders: the model is near 2 a character, and the end of each line costs little."""
    poems = [[a + b] for a in "山水" for b in "山水"] * 400
    perplexity = Trigram(poems).perplexity(poems)
    assert 2 < perplexity < 2.05


def test_the_ends_of_lines_cost() -> None:
    """Lines end after one character or after two, as often: each place has its bit, counted to the characters."""
    poems = [["山"], ["山山"]] * 500
    # one bit after the first 山; all else is settled. 3 characters in two poems, 2 bits
    assert Trigram(poems).perplexity(poems) == pytest.approx(2 ** (2 / 3), rel=0.02)


@pytest.mark.parametrize("poems", [[AUTUMN, HERON_TOWER], [NIGHT_THOUGHTS]])
def test_perplexity_beside_counting(poems: list) -> None:
    """Three quatrains, whose characters mostly occur once, and poems with characters that are not in them."""
    learnt = [HERON_TOWER, NIGHT_THOUGHTS, ("明月依山尽", "床前入海流", "举头千里目", "更上一层霜")]
    frequent = {t for t in "".join(map("".join, learnt)) if "".join(map("".join, learnt)).count(t) > 1} | {START, END}

    def known(poem) -> list[str]:
        return [token if token in frequent else "<UNK>" for token in line_tokens(poem)]

    p = witten_bell([known(poem) for poem in learnt], frequent)
    bits = sum(-math.log2(p(row[i], *row[i - 2 : i])) for row in map(known, poems) for i in range(2, len(row)))
    assert Trigram(learnt).perplexity(iter(poems)) == pytest.approx(2 ** (bits / (20 * len(poems))))
