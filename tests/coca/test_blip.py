"""coca.blip and encoders by name: folders laid out as on the hub, and a small model of open_clip."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.chinese_clip import ImageTextEncoder
from helpers.coca import BlipCaptioner, OpenClipEncoder, load_captioner, load_encoder, open_clip


@pytest.fixture(scope="module")
def blip_folder(tmp_path_factory):
    """A tiny BLIP with random weights."""
    from transformers import (
        BertTokenizerFast,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        BlipProcessor,
    )

    folder = tmp_path_factory.mktemp("blip")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"a the red green sea boat on of".split()]
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    special = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    text = {**size, **special, "vocab_size": len(words), "encoder_hidden_size": 16, "max_position_embeddings": 64}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config={**size, "image_size": 16, "patch_size": 8})
    BlipForConditionalGeneration(config).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size={"height": 16, "width": 16}), tokenizer).save_pretrained(folder)
    return folder


def some_pictures(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (30 + i, 20), (40 * i, 90, 200)) for i in range(count)]


def test_a_blip_by_its_folder(blip_folder) -> None:
    captioner = load_captioner(str(blip_folder), local_files_only=True)
    assert isinstance(captioner, BlipCaptioner)
    captions = captioner.caption(some_pictures(18), {"do_sample": False, "num_beams": 2})
    assert len(captions) == 18 and all(isinstance(text, str) and "[" not in text for text in captions)
    assert (
        captioner.caption(some_pictures(1), {"do_sample": False})
        == captioner.caption(some_pictures(3), {"do_sample": False})[:1]
    )


def test_any_model_of_open_clip_encodes() -> None:
    torch.manual_seed(0)
    vision = open_clip.CLIPVisionCfg(layers=1, width=16, head_width=8, patch_size=8, image_size=16)
    text = open_clip.CLIPTextCfg(context_length=8, width=16, heads=2, layers=1)
    model = open_clip.CLIP(8, vision, text)

    def preprocess(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image.resize((16, 16)), dtype=np.float32).transpose(2, 0, 1) / 255)

    encoder = OpenClipEncoder(model, preprocess, lambda texts: open_clip.tokenize(texts, context_length=8), "tiny")
    images, texts = encoder.encode_images(some_pictures(3)), encoder.encode_texts(["a boat", "the sea"], cache=True)
    assert images.shape == (3, 8) and texts.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-3)
    model.encode_text = lambda tokens: pytest.fail("encoded twice")
    np.testing.assert_array_equal(encoder.encode_texts(["a boat", "the sea"], cache=True), texts)


def test_encoders_by_name(clip_folder) -> None:
    assert isinstance(load_encoder(str(clip_folder)), ImageTextEncoder)
    with pytest.raises(ValueError, match="--profile full"):
        load_encoder("ViT-B-32/openai", local_files_only=True)
    with pytest.raises(ValueError, match="no model of open_clip with weights"):
        OpenClipEncoder.from_pretrained("ViT-B-32/mine")
