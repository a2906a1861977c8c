"""clip.pairs: which pairs meet in a batch, that a restart changes nothing, and what a model gets to see."""

from collections import Counter

import numpy as np
import pytest
import torch

from helpers.clip import FeaturePairs, LockedPairs, Pair, PairBatches, PicturePairs
from helpers.data import LazyPictures


def epoch(batches: PairBatches, number: int = 0, skip: int = 0) -> list[list[Pair]]:
    batches.start_at(number, skip)
    return list(batches)


@pytest.fixture
def batches() -> PairBatches:
    """Twelve pictures with five captions each, of which three are used: 9 batches an epoch."""
    return PairBatches([5] * 12, batch_size=4, captions_per_image=3, seed=1)


# --- which pairs ---


def test_no_picture_twice_in_a_batch(batches) -> None:
    for number in range(5):
        for batch in epoch(batches, number):
            assert len({pair.picture for pair in batch}) == len(batch) == 4


def test_an_epoch_is_every_picture_with_different_captions(batches) -> None:
    pairs = [pair for batch in epoch(batches) for pair in batch]
    assert len(batches) == len(epoch(batches)) == 9
    assert Counter((pair.picture, pair.caption) for pair in pairs) == Counter(
        (p, c) for p in range(12) for c in range(3)
    )
    assert len({pair.seed for pair in pairs}) == 36


def test_pictures_that_fill_no_batch_wait(batches) -> None:
    batches = PairBatches([2] * 11, batch_size=4, captions_per_image=2, seed=1)
    assert len(batches) == len(epoch(batches)) == 4 and {len(batch) for batch in epoch(batches)} == {4}
    seen = {pair.picture for number in range(8) for batch in epoch(batches, number) for pair in batch}
    assert seen == set(range(11))  # and are not always the same ones


def test_pictures_with_fewer_captions() -> None:
    counts = [1, 2, 3, 9, 1, 2, 3, 9]
    pairs = [pair for batch in epoch(PairBatches(counts, 4, 3, seed=0)) for pair in batch]
    used = {p: sorted(pair.caption for pair in pairs if pair.picture == p) for p in range(8)}
    assert [len(captions) for captions in used.values()] == [3] * 8
    assert [set(captions) for captions in used.values()] == [set(range(min(count, 3))) for count in counts]


def test_the_order_follows_from_seed_and_epoch_alone(batches) -> None:
    first, second = epoch(batches, 0), epoch(batches, 1)
    assert first != second and [b[0].picture for b in first] != [b[0].picture for b in second]
    np.random.seed(5)
    torch.manual_seed(5)
    twin = PairBatches([5] * 12, batch_size=4, captions_per_image=3, seed=1)
    assert epoch(twin, 1) == second and epoch(twin, 0) == first  # in whichever order they are asked for
    assert epoch(PairBatches([5] * 12, 4, 3, seed=2)) != first


@pytest.mark.parametrize("skip", [0, 1, 4, 8, 9])
def test_start_at_goes_on_with_the_next_batch(batches, skip: int) -> None:
    assert epoch(batches, 2, skip) == epoch(batches, 2)[skip:]


def test_processes_share_each_batch(batches) -> None:
    whole = epoch(batches, 3)
    shares = [epoch(PairBatches([5] * 12, 4, 3, seed=1, rank=rank, world=2), 3) for rank in range(2)]
    assert [len(share) for share in shares] == [9, 9]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert [len(part) for part in parts] == [2, 2]
        assert sorted(batch) == sorted(parts[0] + parts[1])


def test_what_cannot_be_batched() -> None:
    with pytest.raises(ValueError, match="a batch of 5 needs as many pictures, and there are 4"):
        PairBatches([1] * 4, 5, 1, seed=0)
    with pytest.raises(ValueError, match="a batch of 4 cannot be shared by 3 processes"):
        PairBatches([1] * 4, 4, 1, seed=0, world=3)
    assert len(PairBatches([1] * 4, 4, 1, seed=0)) == 1


# --- what a model sees ---


@pytest.fixture
def picture_pairs(clip, pictures) -> PicturePairs:
    return PicturePairs(clip[1], pictures, [["a red square", "red"], ["blue"], ["green"], ["yellow"], ["grey"]])


def test_a_pair_looks_the_same_whenever_it_comes(picture_pairs) -> None:
    pairs = [Pair(0, 0, 11), Pair(0, 1, 12), Pair(3, 0, 11)]
    torch.manual_seed(1)
    first = picture_pairs.__getitems__(pairs)
    torch.manual_seed(2)
    alone = [picture_pairs.__getitems__([pair]) for pair in pairs[::-1]][::-1]
    assert torch.equal(first["pixel_values"], torch.cat([one["pixel_values"] for one in alone]))
    assert not torch.equal(first["pixel_values"][0], first["pixel_values"][1])  # another seed, another crop


def test_the_global_generator_is_left_alone(picture_pairs) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    picture_pairs.__getitems__([Pair(1, 0, 5), Pair(2, 0, 6)])
    assert torch.equal(torch.rand(3), expected)


def test_picture_pairs(picture_pairs, clip) -> None:
    batch = picture_pairs.__getitems__([Pair(0, 1, 7), Pair(4, 0, 8), Pair(0, 0, 9)])
    assert len(picture_pairs) == 5 and list(batch) == ["pixel_values", "input_ids", "attention_mask"]
    assert batch["pixel_values"].shape == (3, 3, 32, 32) and batch["pixel_values"].dtype == torch.float32
    expected = clip[1].tokens(["red", "grey", "a red square"])
    assert torch.equal(batch["input_ids"], expected["input_ids"])
    assert torch.equal(batch["attention_mask"], expected["attention_mask"])


def test_only_what_a_batch_needs_is_decoded(clip, pictures) -> None:
    asked = []
    lazy = LazyPictures(5, lambda i: asked.append(i) or pictures[i])
    PicturePairs(clip[1], lazy, [["red"]] * 5).__getitems__([Pair(4, 0, 1), Pair(2, 0, 1)])
    assert asked == [4, 2]


def test_feature_pairs() -> None:
    """Rows that say what they are: picture 2, mirrored, is 2.5; its second text is 21."""
    images = np.array([[[i], [i + 0.5]] for i in range(4)], dtype=np.float32)  # (4, 2, 1)
    owners = np.array([0, 0, 1, 2, 2, 2, 3])
    texts = np.array([[0], [1], [10], [20], [21], [22], [30]], dtype=np.float32)  # (7, 1)
    pairs = FeaturePairs(images, texts, owners)
    batch = pairs.__getitems__([Pair(2, 1, 7), Pair(0, 1, 8), Pair(3, 0, 2**63 - 1), Pair(1, 0, 2**63 - 2)])
    assert len(pairs) == 4 and list(batch) == ["image_features", "text_features"]
    assert batch["image_features"].flatten().tolist() == [2.5, 0, 3.5, 1]
    assert batch["text_features"].flatten().tolist() == [21, 1, 30, 10]


def test_locked_pairs(clip) -> None:
    """Stored features on one side, as `feature_pairs`, and tokens of the very caption on the other."""
    images = np.array([[[i], [i + 0.5]] for i in range(3)], dtype=np.float32)  # (3, 2, 1)
    pairs = LockedPairs(clip[1], images, [["red", "a red square"], ["blue"], ["there is a green square ."]])
    batch = pairs.__getitems__([Pair(2, 0, 7), Pair(0, 1, 8), Pair(0, 0, 9)])
    assert len(pairs) == 3 and list(batch) == ["image_features", "input_ids", "attention_mask"]
    assert batch["image_features"].flatten().tolist() == [2.5, 0, 0.5]
    expected = clip[1].tokens(["there is a green square .", "a red square", "red"])
    assert torch.equal(batch["input_ids"], expected["input_ids"])
    assert torch.equal(batch["attention_mask"], expected["attention_mask"])
