"""data.decoded and helpers.clip.features: computed once, kept, and the same as without a cache."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.clip import (
    cached_features,
    cached_image_features,
    cached_text_features,
    image_features,
    load_clip,
    text_features,
    tokenizer_json,
)
from helpers.data import CaptionData, LazyPictures, PixelArray, squash, squashed

TEXTS = ["a red square", "a blue square on black at the left", "red", "there is a square , a green square ."]


def make_data(pictures, load=None, source: str = "here") -> CaptionData:
    lazy = LazyPictures(len(pictures), load or pictures.__getitem__)
    names = [str(i) for i in range(len(pictures))]
    return CaptionData(lazy, [["red", "a square"]] * len(pictures), [["红"]] * len(pictures), names, source)


# --- pictures ---


def test_pictures_are_decoded_once(pictures, cache) -> None:
    decoded = []
    data = make_data(pictures, lambda i: decoded.append(i) or pictures[i])
    first = squashed(data, 24)
    assert sorted(decoded) == [0, 1, 2, 3, 4]
    again = squashed(data, 24)
    assert len(decoded) == 5  # from the file
    for result in (first, again):
        assert len(result.pictures) == 5
        for small, picture in zip(result.pictures, pictures, strict=True):
            assert isinstance(small, Image.Image) and small.size == (24, 24)
            assert np.array_equal(np.asarray(small), np.asarray(squash(picture, 24)))
    assert (first.captions, first.names) == (data.captions, data.names)
    assert len(os.listdir(cache)) == 1  # nothing unfinished


def test_another_size_or_source_is_another_file(pictures, cache) -> None:
    data = make_data(pictures)
    results = [squashed(data, 24), squashed(data, 16), squashed(make_data(pictures[::-1], source="there"), 24)]
    assert [len(os.listdir(cache)), results[1].pictures[0].size] == [3, (16, 16)]
    assert len({data.source, *(result.source for result in results)}) == 4


def test_a_failure_in_the_middle_leaves_no_file_that_counts(pictures, cache) -> None:
    def fail(index: int) -> Image.Image:
        if index == 3:
            raise OSError("3.png: damaged")
        return pictures[index]

    with pytest.raises(OSError, match="damaged"):
        squashed(make_data(pictures, fail), 24)
    assert not list(cache.glob("*.npy"))
    mended = squashed(make_data(pictures), 24)
    assert np.array_equal(np.asarray(mended.pictures[3]), np.asarray(squash(pictures[3], 24)))


def test_pixel_array() -> None:
    pixels = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
    array = PixelArray(pixels)
    assert len(array) == 2 and np.array_equal(np.asarray(array[1]), pixels[1])
    assert len(list(array)) == 2  # iteration ends


# --- features ---


@pytest.fixture
def full_precision(monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")  # of a machine without bfloat16


def one_at_a_time(clip, pictures) -> tuple[np.ndarray, np.ndarray]:
    model, processor = clip
    with torch.inference_mode():
        pixels = [processor.pixel_values([picture]) for picture in pictures]
        views = [torch.cat([model.image.features(x), model.image.features(x.flip(-1))]) for x in pixels]
        texts = torch.cat([model.text.features(**processor.tokens([text])) for text in TEXTS])
    return torch.stack(views).numpy(), texts.numpy()


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_features_equal_the_towers_one_at_a_time(clip, pictures, full_precision) -> None:
    images, texts = one_at_a_time(clip, pictures)
    for size in (64, 3):
        found = image_features(*clip, pictures, "cpu", size), text_features(*clip, TEXTS, "cpu", size)
        assert [x.shape for x in found] == [(5, 2, 512), (4, 32)] and {x.dtype for x in found} == {np.dtype(np.float32)}
        assert np.allclose(found[0], images, atol=1e-5 * np.abs(images).max())
        assert np.allclose(found[1], texts, atol=1e-5)


def test_features_in_the_machine_s_own_precision(clip, pictures) -> None:
    images, texts = one_at_a_time(clip, pictures)
    assert cosine(image_features(*clip, pictures, "cpu"), images).min() > 0.99
    assert cosine(text_features(*clip, TEXTS, "cpu"), texts).min() > 0.99


def test_the_order_does_not_show(clip, pictures, full_precision) -> None:
    images, texts = image_features(*clip, pictures, "cpu"), text_features(*clip, TEXTS, "cpu")
    backwards = image_features(*clip, pictures[::-1], "cpu"), text_features(*clip, TEXTS[::-1], "cpu")
    assert np.allclose(backwards[0][::-1], images, atol=1e-5 * np.abs(images).max())
    assert np.allclose(backwards[1][::-1], texts, atol=1e-5)


def test_features_are_computed_again_when_a_backbone_changes(clip, pictures, cache) -> None:
    (model, _), data = clip, make_data(pictures)

    def newly_computed(data: CaptionData = data, language: str = "en") -> str:
        """By the new files of the cache: those of pictures end in the number of their block."""
        before = set(cache.glob("*"))
        images, texts, owners = cached_features(*clip, data, language, "cpu")
        assert images.shape == (5, 2, 512) and texts.shape == (len(owners), 32) and len(owners) in (5, 10)
        return "".join(sorted("i" if path.stem.endswith("_0") else "t" for path in set(cache.glob("*")) - before))

    assert newly_computed() == "it" and newly_computed() == ""
    with torch.no_grad():
        for head in (model.image.head, model.text.head):
            head.hidden.weight += 1
        model.logit_scale += 1
    assert newly_computed() == ""  # features are from before the heads
    with torch.no_grad():
        model.image.backbone.layer3[0].conv1.weight[0, 0, 0, 0] += 0.01
    assert newly_computed() == "i" and newly_computed() == ""
    model.image.backbone.bn1.running_mean[3] += 0.01  # not a weight, but it shows
    assert newly_computed() == "i"
    with torch.no_grad():
        model.text.backbone.transformer.layer[1].ffn.lin1.bias[0] += 0.01
    assert newly_computed() == "t" and newly_computed() == ""
    assert newly_computed(make_data(pictures, source="elsewhere")) == "i"
    assert newly_computed(language="zh") == "t"


def test_owners(clip, pictures) -> None:
    images, texts, owners = cached_features(*clip, make_data(pictures), "en", "cpu")
    assert images.shape == (5, 2, 512) and texts.shape == (10, 32)
    assert owners.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_model_can_still_be_trained_after_its_features_were_taken(clip, pictures) -> None:
    """Weights that are moved in inference mode could never have a gradient again."""
    cached_features(*clip, make_data(pictures), "en", "cpu")
    assert not any(parameter.is_inference() for parameter in clip[0].parameters())
    model, processor = clip
    images, texts = processor.pixel_values(pictures[:2]), processor.tokens(["a red square", "a blue square"])
    sum(embeds.sum() for embeds in model(images, **texts)).backward()
    assert model.image.backbone.conv1.weight.grad is not None


def test_the_key_does_not_depend_on_what_was_tokenized_before(clip) -> None:
    before = tokenizer_json(clip[1].tokenizer)
    clip[1].tokens(["a", "a red square on black"])
    assert tokenizer_json(clip[1].tokenizer) == before


# --- block by block ---


def test_blocks_are_stored_one_by_one(clip, pictures, cache, full_precision) -> None:
    """Five pictures by twos; the third of them cannot be read at first."""
    decoded = []

    def load(index: int, broken: bool = False) -> Image.Image:
        if broken and index == 2:
            raise OSError("2.png: damaged")
        decoded.append(index)
        return pictures[index]

    with pytest.raises(OSError, match="damaged"):
        cached_image_features(*clip, make_data(pictures, lambda i: load(i, broken=True)), "cpu", block=2)
    assert decoded == [0, 1] and len(os.listdir(cache)) == 1
    decoded.clear()
    found = cached_image_features(*clip, make_data(pictures, load), "cpu", block=2)
    assert decoded == [2, 3, 4] and len(os.listdir(cache)) == 3
    again = cached_image_features(*clip, make_data(pictures, load), "cpu", block=2)
    assert decoded == [2, 3, 4] and np.array_equal(again, found)
    expected = image_features(*clip, pictures, "cpu")
    assert found.shape == (5, 2, 512) and np.allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_a_whole_number_of_blocks(clip, pictures, cache) -> None:
    found = cached_image_features(*clip, make_data(pictures[:4]), "cpu", block=2)
    assert len(found) == 4 and len(os.listdir(cache)) == 2


def test_text_features_follow_the_texts_and_how_they_are_read(clip, clip_folder, cache) -> None:
    others = [load_clip(clip_folder, pooling="cls"), load_clip(clip_folder)]
    others[1][1].max_length = 3
    found = [cached_text_features(*one, TEXTS, "cpu") for one in (clip, *others, clip)]
    assert len(os.listdir(cache)) == 3 and np.array_equal(found[0], found[3])
    assert not np.allclose(found[0], found[1]) and not np.allclose(found[0], found[2])
    assert cached_text_features(*clip, TEXTS[::-1], "cpu")[::-1] == pytest.approx(found[0], abs=0.05)
    assert len(os.listdir(cache)) == 4
