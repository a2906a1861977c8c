"""Chinese CLIP in its real size and with its real vocabulary, and notebook 02 on it. The weights alone are random."""

import shutil
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from safetensors import safe_open
from safetensors.torch import load_file
from torch.nn import functional as F
from transformers import (
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
)

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, load_config
from helpers.data import load_image
from helpers.keywords import load_vocabulary
from helpers.pipeline import ImageToPoem

# BERT-base-Chinese's. Nothing of the package is imported, so `pip install --no-deps cn_clip==1.6.0` will do.
VOCABULARY = Path(distribution("cn_clip").locate_file("cn_clip/clip/vocab.txt"))
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TEXTS = ["余晖", "樱花", "一叶小舟在江上", "雨"]
SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def load(folder: Path, dtype: torch.dtype = torch.float32) -> ImageTextEncoder:
    """In full precision, whatever this machine is best at, so that equal means equal."""
    return ImageTextEncoder.from_pretrained(folder, "cpu", dtype=dtype)


def write(folder: Path, text: dict, vision: dict, dim: int, dtype: torch.dtype) -> None:
    """A folder like OFA-Sys/chinese-clip-vit-base-patch16, as transformers 5 writes it."""
    config = ChineseCLIPConfig(
        text_config={"vocab_size": 21128, "initializer_range": 0.1, **text},
        vision_config={"patch_size": 16, "initializer_factor": 2.0, **vision},
        projection_dim=dim,
    )
    torch.manual_seed(0)
    ChineseCLIPModel(config).to(dtype).save_pretrained(folder)
    tokenizer = BertTokenizer(str(VOCABULARY), model_max_length=512)
    ChineseCLIPProcessor(ChineseCLIPImageProcessor(), tokenizer).save_pretrained(folder)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """ViT-B/16 at 224 px and BERT-base: 188 million weights, in float16 to spare the disk."""
    folder = tmp_path_factory.mktemp("chinese_clip")
    write(folder, text={}, vision={}, dim=512, dtype=torch.float16)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def encoder(full_size) -> ImageTextEncoder:
    return load(full_size)


@pytest.fixture(scope="module")
def photos():
    return [load_image(path) for path in sorted((ASSETS / "photos").glob("*.jpg"))[:3]]


# --- the folder ---


def test_the_folder_is_laid_out_as_on_the_hub(full_size) -> None:
    names = {path.name for path in full_size.iterdir()}
    assert {"config.json", "model.safetensors", "processor_config.json", "tokenizer.json"} <= names
    with safe_open(full_size / "model.safetensors", "pt") as weights:
        shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == pytest.approx(188e6, rel=0.01)
    assert shapes["text_model.embeddings.word_embeddings.weight"] == (21128, 768)
    assert shapes["vision_model.embeddings.patch_embedding.weight"] == (768, 3, 16, 16)
    assert shapes["vision_model.embeddings.position_embedding.weight"] == (1 + 14 * 14, 768)
    assert shapes["text_projection.weight"] == shapes["visual_projection.weight"] == (512, 768)


# --- texts ---


def test_the_tokenizer_knows_single_characters(encoder) -> None:
    tokenizer = encoder.processor.tokenizer
    assert len(tokenizer) == 21128
    assert tokenizer.convert_tokens_to_ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]) == [0, 100, 101, 102]
    for text in ("余晖", "樱花"):
        assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == ["[CLS]", *text, "[SEP]"]
    pieces = tokenizer.convert_ids_to_tokens(tokenizer("A Boat 小舟")["input_ids"])[1:-1]
    assert pieces == ["a", "bo", "##at", "小", "舟"]


def test_almost_every_keyword_can_be_spelt(encoder) -> None:
    """`keyword.txt` was not made for this vocabulary."""
    tokenizer = encoder.processor.tokenizer
    words = [keyword.word for keyword in load_vocabulary()]
    unknown = [word for word in words if tokenizer.unk_token_id in tokenizer(word)["input_ids"]]
    assert len(words) > 2000 and len(unknown) < len(words) / 100, unknown


def test_texts_are_cut_at_52_tokens(encoder, monkeypatch) -> None:
    lengths = []
    model = encoder.model
    original = model.get_text_features
    monkeypatch.setattr(
        model, "get_text_features", lambda **batch: lengths.append(batch["input_ids"].shape[1]) or original(**batch)
    )
    cut, same, other = encoder.encode_texts(["山" * 400, "山" * 50 + "水", "山" * 49])
    assert lengths == [52] and cut == pytest.approx(same, abs=1e-5)
    assert np.abs(cut - other).max() > 1e-4


# --- pictures ---


def test_pictures_become_224_normalised_pixels(encoder, photos) -> None:
    processor = encoder.processor.image_processor
    assert tuple(processor.image_mean) == MEAN and tuple(processor.image_std) == STD
    pixels = processor(images=photos, return_tensors="pt")["pixel_values"]
    assert pixels.shape == (3, 3, 224, 224) and pixels.dtype == torch.float32
    grey = processor(images=photos[0].copy().point(lambda _: 100), return_tensors="pt")["pixel_values"][0]
    expected = [(100 / 255 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    assert torch.allclose(grey, torch.tensor(expected).view(3, 1, 1).expand(3, 224, 224), atol=1e-4)


# --- embeddings ---


def test_embeddings_equal_the_model_called_directly(encoder, full_size, photos) -> None:
    images, texts = encoder.encode_images(photos), encoder.encode_texts(TEXTS)
    for found, count in ((images, 3), (texts, 4)):
        assert found.shape == (count, 512) and found.dtype == np.float32
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(count), abs=1e-5)
        assert np.abs(found - found[0]).max(1)[1:].min() > 1e-3  # each its own
    model = ChineseCLIPModel.from_pretrained(full_size, dtype=torch.float32).eval()
    processor = ChineseCLIPProcessor.from_pretrained(full_size)
    batch = processor(text=TEXTS, images=photos, padding=True, return_tensors="pt")
    with torch.inference_mode():
        output = model(**batch)
    assert images == pytest.approx(F.normalize(output.image_embeds, dim=-1).numpy(), abs=1e-4)
    assert texts == pytest.approx(F.normalize(output.text_embeds, dim=-1).numpy(), abs=1e-4)
    scale = encoder.logit_scale
    assert output.logits_per_image.numpy() == pytest.approx(scale * images @ texts.T, abs=scale * 1e-3)


def test_what_the_encoder_says_of_itself(encoder) -> None:
    assert type(encoder.model) is ChineseCLIPModel and encoder.dim == 512 and encoder.device == "cpu"
    assert encoder.logit_scale == pytest.approx(np.exp(2.6592), rel=1e-3)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}


# --- the pipeline ---


def test_the_pipeline_runs_on_it(full_size, photos, monkeypatch) -> None:
    words = load_vocabulary()[::40]  # all of them take a minute
    monkeypatch.setattr("helpers.pipeline.image_to_poem.load_vocabulary", lambda: words)
    pipeline = ImageToPoem(load_config("mini", image_text_model=str(full_size), device="cpu"))
    assert pipeline.reference_embeds.shape[1] == 512  # of the sample photos: this model brings none of its own
    rows = pipeline.keywords(pipeline.encoder.encode_images(photos[:2]), k=3)
    for row in rows:
        assert len({scored.word for scored in row} & {keyword.word for keyword in words}) == len(row) == 3
        assert all(np.isfinite([scored.score, scored.probability]).all() for scored in row)


# --- a small one with the same vocabulary ---


def test_the_older_layout_gives_the_same(photos, tmp_path) -> None:
    """What the hub really holds was written in 2022: pytorch_model.bin, preprocessor_config.json and vocab.txt."""
    new, old = tmp_path / "new", tmp_path / "old"
    write(new, text=SMALL, vision={**SMALL, "image_size": 224, "patch_size": 32}, dim=24, dtype=torch.float32)
    old.mkdir()
    for file in (new / "config.json", VOCABULARY):
        shutil.copy(file, old)
    ChineseCLIPImageProcessor().save_pretrained(old)
    torch.save(load_file(new / "model.safetensors"), old / "pytorch_model.bin")
    names = sorted(path.name for path in old.iterdir())
    assert names == ["config.json", "preprocessor_config.json", "pytorch_model.bin", "vocab.txt"]
    one, other = map(load, (new, old))
    assert np.array_equal(one.encode_images(photos), other.encode_images(photos))
    assert np.array_equal(one.encode_texts(TEXTS), other.encode_texts(TEXTS))


def test_the_temperature_is_not_rounded(tmp_path) -> None:
    """In bfloat16 100 would be 99."""
    write(tmp_path, text=SMALL, vision={**SMALL, "patch_size": 32}, dim=24, dtype=torch.float32)
    assert load(tmp_path, torch.bfloat16).logit_scale == pytest.approx(np.exp(2.6592), rel=1e-5)


# --- the notebook ---

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_chinese_clip.ipynb"
MINI = 'load_config("mini")'


def test_both_back_ends_run_the_same_notebook(tmp_path) -> None:
    """What notebook 02 says about the embedded model runs on a Chinese CLIP; a cell that fails raises."""
    folder = tmp_path / "chinese_clip"
    write(folder, text=SMALL, vision={**SMALL, "image_size": 224, "patch_size": 32}, dim=24, dtype=torch.float32)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum(MINI in cell.source for cell in cells) >= 1
    for cell in cells:
        cell.source = cell.source.replace(MINI, f'load_config("mini", image_text_model={str(folder)!r})')
        cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": NOTEBOOK.parent}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    assert all(cell.execution_count for cell in cells)
