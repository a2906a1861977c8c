"""reward.critics: each opinion by hand, what is drawn twice is read once, names that there are not."""

import numpy as np
import pytest
import torch

from helpers.metrics import cider_d
from helpers.reward import (
    CiderCritic,
    ClipCritic,
    Drawn,
    LikelihoodCritic,
    PlainCritic,
    make_critics,
    repeated_pairs,
    until_end,
)


def drawn(captioner, captioned, texts: list[str], pictures: list[int]) -> Drawn:
    eos = captioner.tokenizer.eos_token_id
    rows = captioner.tokenizer(texts, add_special_tokens=False)["input_ids"]
    longest = max(map(len, rows)) + 1
    tokens = torch.tensor([[*row, eos, *[captioner.tokenizer.pad_token_id] * (longest - len(row) - 1)] for row in rows])
    embeds = torch.from_numpy(captioned.image_embeds[pictures])
    return Drawn(torch.tensor(pictures), embeds, tokens, until_end(tokens, eos), texts)


@pytest.mark.parametrize(("text", "count"), [("看海看海看海", 3), ("海边", 0), ("", 0), ("悠悠悠", 1)])
def test_pairs_said_again(text: str, count: int) -> None:
    assert repeated_pairs(text) == count


def test_clip_is_the_cosine_about_both_means(encoder, captioner, captioned) -> None:
    critic = ClipCritic.of(encoder, captioned)
    texts = ["一只小船。", "黄叶。"]
    images = captioned.image_embeds[:2] - captioned.image_embeds.mean(0)
    sentences = encoder.encode_texts(texts) - encoder.encode_texts([group[0] for group in captioned.captions]).mean(0)
    expected = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(images, sentences, strict=True)]
    found = critic(drawn(captioner, captioned, texts, [0, 1]))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_what_was_drawn_twice_is_encoded_once(encoder, captioned, monkeypatch) -> None:
    critic, seen = ClipCritic.of(encoder, captioned), []
    monkeypatch.setattr(encoder, "encode_texts", lambda texts: seen.extend(texts) or np.eye(2)[[0] * len(texts)])
    critic.cosines(captioned.image_embeds[[0, 1, 2]], ["圆", "叶", "圆"])
    assert seen == ["圆", "叶"]


def test_cider_is_that_of_the_whole_set(captioner, captioned) -> None:
    texts = ["红色的方块。", "绿色的圆。", "小船。", "红色的方块。"]
    found = CiderCritic(captioned)(drawn(captioner, captioned, texts, [0, 1, 2, 3]))
    np.testing.assert_allclose(found.numpy(), cider_d(texts, captioned.captions), rtol=1e-5)
    alone = CiderCritic(captioned)(drawn(captioner, captioned, ["绿色的圆。"], [1]))
    assert alone.item() == pytest.approx(found[1].item())  # whichever pictures are in the batch


def test_likelihood_is_the_mean_over_what_was_chosen(captioner, captioned) -> None:
    both = drawn(captioner, captioned, ["绿色的圆。", "叶。"], [1, 3])
    together = LikelihoodCritic(captioner.model)(both)
    alone = LikelihoodCritic(captioner.model)(drawn(captioner, captioned, ["叶。"], [3]))
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)  # pads count for nothing
    assert together[0] > together[1]  # the one that it learnt


def test_plain_counts_stammering_and_no_end(captioner, captioned) -> None:
    critic = PlainCritic(captioner.tokenizer.eos_token_id)
    row = drawn(captioner, captioned, ["圆的圆的圆", "圆。"], [1, 1])
    assert critic(row).tolist() == [-2, 0]
    endless = row._replace(tokens=row.tokens[:, :2])
    assert critic(endless).tolist() == [-3, -1]


def test_critics_by_name(encoder, captioner, captioned) -> None:
    made = make_critics("clip+lm+clip", encoder, captioner.model, 1, captioned)
    assert list(made) == ["clip", "lm"]
    assert make_critics("none", encoder, captioner.model, 1, captioned) == {}
    with pytest.raises(ValueError, match="no reward beauty: choose of clip, cider, lm, plain"):
        make_critics("clip+beauty", encoder, captioner.model, 1, captioned)
