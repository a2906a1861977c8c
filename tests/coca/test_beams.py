"""coca.beams: the best caption that there is, groups, hypotheses that end and those that do not."""

from itertools import product

import pytest
import torch

from helpers.coca import BeamSearchScorer

PAD, END, BEGIN = 0, 1, 2


def all_captions(length: int) -> list[tuple[int, ...]]:
    """Of tokens 0 to 6 behind the begin: those that end, and those that are cut off."""
    words = [token for token in range(7) if token != END]
    ended = [(*row, END) for size in range(1, length) for row in product(words, repeat=size)]
    return [*ended, *product(words, repeat=length)]


@torch.inference_mode()
def score(model, image, caption: tuple[int, ...]) -> float:
    """The sum of the log-probabilities over the length with begin and end, as transformers had it."""
    ids = torch.tensor([[BEGIN, *caption]])
    logits = model.coca(image, ids)["logits"][0]  # (T, V), those for the first caption token at 0
    rows = logits.log_softmax(-1)[range(len(caption)), list(caption)]
    return rows.sum().item() / (len(caption) + 1)


def test_with_enough_beams_it_is_the_best_of_all(few_words) -> None:
    images = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    found = few_words.write(images, {"num_beams": 60}).tolist()
    for image, ids in zip(images, found, strict=True):
        best = max(all_captions(4), key=lambda caption: score(few_words, image[None], caption))
        assert ids[: len(best) + 1] == [BEGIN, *best]
        assert set(ids[len(best) + 1 :]) <= {PAD}


def test_raw_logits_would_choose_another(few_words) -> None:
    """open_clip adds up logits as they come: of a longer caption, more of them. `mend` makes them log-probabilities."""
    images = torch.randn(20, 8, generator=torch.Generator().manual_seed(1))

    def summed() -> float:
        rows = few_words.write(images, {"num_beams": 12}).tolist()
        captions = [row[1 : row.index(END) + 1] if END in row else row[1:] for row in rows]
        return sum(score(few_words, i[None], tuple(c)) for i, c in zip(images, captions, strict=True))

    mended = summed()
    few_words.coca._forward_hooks.clear()
    assert summed() < mended


def test_groups_share_the_beams(few_words) -> None:
    images = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    kwargs = {"sot_token_id": BEGIN, "eos_token_id": END, "pad_token_id": PAD, "seq_len": 5, "min_seq_len": 1}
    one = few_words.coca.generate(images, num_beams=2, num_beam_groups=1, **kwargs)
    three = few_words.coca.generate(images, num_beams=6, num_beam_groups=3, **kwargs)
    assert torch.equal(one, three)  # without a penalty for likeness the groups do the same
    with pytest.raises(ValueError, match="5 beams cannot be shared by 2 groups"):
        BeamSearchScorer(1, 5, "cpu", 2)


def test_a_hypothesis_that_ended_waits_for_the_others() -> None:
    scorer = BeamSearchScorer(1, 2, "cpu")
    end, ids = torch.tensor([END]), torch.tensor([[BEGIN], [BEGIN]])

    def step(scores: list[float], tokens: list[int]) -> dict[str, torch.Tensor]:
        columns = torch.tensor([scores]), torch.tensor([tokens]), torch.tensor([[0, 0, 1, 1]])
        return scorer.process(ids, *columns, pad_token_id=PAD, eos_token_id=end)

    found = step([-0.1, -0.2, -0.3, -3.0], [END, 4, 5, 6])
    assert found["next_beam_tokens"].tolist() == [4, 5] and found["next_beam_indices"].tolist() == [0, 1]
    assert not scorer.is_done  # one has ended, and there are two beams
    step([-0.5, -0.6, -9.0, -9.0], [END, 4, 5, 6])
    assert scorer.is_done
    done = step([-0.4, -0.5, -9.0, -9.0], [4, 5, 5, 6])
    assert done["next_beam_tokens"].tolist() == [PAD, PAD]
    rows = scorer.finalize(ids, torch.zeros(2), None, None, max_length=5, pad_token_id=PAD, eos_token_id=end)
    assert rows["sequences"].tolist() == [[BEGIN, END]]
