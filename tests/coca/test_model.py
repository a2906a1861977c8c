"""coca.model: what it sees, what is stored, both faults of open_clip."""

import pytest
import torch

from helpers.coca import FeatureCoCa, as_open_clip, mend


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    return images, torch.tensor([[2, 3, 4, 1, 0], [2, 5, 1, 0, 0], [2, 6, 6, 6, 1], [2, 1, 0, 0, 0]])


def test_shapes_and_lengths(few_words, batch) -> None:
    found = few_words(*batch)
    assert found["logits"].shape == (4, 4, 7) and found["labels"].tolist() == batch[1][:, 1:].tolist()
    for name in ("image_features", "text_features"):
        torch.testing.assert_close(found[name].norm(dim=1), torch.ones(4))


def test_a_token_is_told_from_the_picture_and_all_before(few_words, batch) -> None:
    images, texts = batch
    before = few_words(images, texts)["logits"]
    later = texts.clone()
    later[:, 3:] = 5
    torch.testing.assert_close(few_words(images, later)["logits"][:, :3], before[:, :3])
    assert not torch.allclose(few_words(images, later)["logits"][:, 3:], before[:, 3:])
    assert not torch.allclose(few_words(-images, texts)["logits"][:, 0], before[:, 0])


def test_pads_do_not_count_in_the_text(few_words, batch) -> None:
    """The last token reads the text off: whatever stands behind the end it does not see."""
    images, texts = batch
    before = few_words(images, texts)["text_features"]
    with torch.no_grad():
        few_words.coca.text.token_embedding.weight[0] += 1  # the pad's
    torch.testing.assert_close(few_words(images, texts)["text_features"], before)


def test_what_is_loaded_is_what_was_saved(few_words, batch, tmp_path) -> None:
    few_words.save_pretrained(tmp_path)
    again = FeatureCoCa.from_pretrained(tmp_path).eval()
    for name, tensor in few_words(*batch).items():
        assert torch.equal(again(*batch)[name], tensor), name  # masks, too, which are in no file


def test_no_number_is_what_lay_in_memory(captioned) -> None:
    from helpers.coca import new_coca

    for seed in (0, 1):
        torch.manual_seed(seed)
        model, _ = new_coca(captioned, hidden_size=64, layers=1, heads=2)
        projection = model.coca.text_decoder.text_projection
        assert 0.8 < projection.std().item() * 64**0.5 < 1.2 and abs(projection.mean().item()) < 0.05


def test_published_weights_stay(few_words) -> None:
    coca = few_words.coca
    before = coca.text_decoder.text_projection.clone()
    assert torch.equal(mend(coca, pretrained=True).text_decoder.text_projection, before)
    assert not torch.equal(mend(coca).text_decoder.text_projection, before)


def test_logits_can_be_added(few_words, batch) -> None:
    logits = few_words(*batch)["logits"]
    torch.testing.assert_close(logits.exp().sum(-1), torch.ones(4, 4))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"do_sample": False}, {"generation_type": "beam_search", "num_beams": 1, "num_beam_groups": 1}),
        ({"num_beams": 5}, {"generation_type": "beam_search", "num_beams": 5, "num_beam_groups": 1}),
        ({"do_sample": True, "top_k": 10}, {"temperature": 1.0, "generation_type": "top_k", "top_k": 10}),
        ({"do_sample": True, "top_k": 0, "top_p": 0.9}, {"temperature": 1.0, "generation_type": "top_p", "top_p": 0.9}),
    ],
)
def test_options_in_open_clips_words(few_words, ours, theirs) -> None:
    assert as_open_clip(ours) == theirs
    torch.manual_seed(0)
    rows = few_words.write(torch.randn(6, 8), ours)
    assert rows.shape[0] == 6 and 2 <= rows.shape[1] <= 5 and (rows[:, 0] == 2).all()


@pytest.mark.parametrize(
    "options",
    [{"penalty_alpha": 0.6}, {"do_sample": True, "num_beams": 2}, {"do_sample": True, "top_k": 9, "top_p": 0.9}],
)
def test_what_open_clip_cannot_do(options) -> None:
    with pytest.raises(ValueError, match="open_clip"):
        as_open_clip(options)


def test_greedy_takes_the_likeliest(few_words) -> None:
    images = torch.randn(5, 8, generator=torch.Generator().manual_seed(3))
    rows = few_words.write(images, {"do_sample": False})
    ids = torch.full((5, 1), 2)
    for column in range(1, rows.shape[1]):
        step = few_words.coca(images, ids, output_labels=False)["logits"][:, -1].argmax(-1)
        going = (rows[:, :column] != 1).all(1)
        assert torch.equal(rows[going, column], step[going])
        ids = rows[:, : column + 1]
