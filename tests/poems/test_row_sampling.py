"""poems.row_sampling: the right distribution, never a forbidden token, and no poem that depends on its company."""

import pytest
import torch

from helpers.config import load_config
from helpers.options import PoemOptions
from helpers.poems import PoemWriter, inverse_transform, uniform_draws


def test_the_shares_are_the_probabilities() -> None:
    p = torch.tensor([0.1, 0.0, 0.6, 0.3]).repeat(20_000, 1)
    u = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    shares = inverse_transform(p, u).bincount(minlength=4) / 20_000
    torch.testing.assert_close(shares, p[0], atol=0.01, rtol=0)


@pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
def test_what_has_no_probability_is_never_drawn(u) -> None:
    """Also at both ends of what torch.rand gives, and where the sum is not quite one."""
    p = torch.zeros(3, 5000)
    p[0, 7], p[1, 4000:4999], p[2, 1:3] = 1.0, 1 / 999, torch.tensor([1e-7, 0.99999])
    tokens = inverse_transform(p, torch.full((3,), u))
    assert (p.gather(1, tokens[:, None]) > 0).all()


def test_draws_are_those_of_the_seed_and_the_keywords() -> None:
    asked = (["春"], 1), (["春"], 1), (["春"], 2), (["雪"], 1)
    first, again, *others = (uniform_draws(words, 4, seed) for words, seed in asked)
    assert torch.equal(first, again) and not any(torch.equal(first, other) for other in others)
    assert len(set(first.flatten().tolist())) > first.numel() // 2  # each line, candidate and token its own


@pytest.fixture(scope="module")
def writer() -> PoemWriter:
    return PoemWriter.from_pretrained(load_config().poem_model)  # float32: rounding hardly ever tips a draw


def test_company_changes_no_poem(writer) -> None:
    sets = [["归帆", "云海"], ["夜雪", "渔灯", "虹桥"], ["野田"]]
    options = PoemOptions("5x4", n=3, seed=3, keyword_per_line=False)
    together = writer.write_batch(sets, options)
    alone = [writer.write(words, options) for words in sets]
    assert [[poem.lines for poem in row] for row in together] == [[poem.lines for poem in row] for row in alone]


def test_candidates_and_seeds_differ(writer) -> None:
    first, other = (writer.write(["明月", "归舟"], PoemOptions("5x4", n=4, seed=seed)) for seed in (0, 1))
    assert len({poem.lines for poem in first + other}) == 8
