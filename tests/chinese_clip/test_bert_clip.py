"""chinese_clip.bert_clip: two towers and their heads as a folder, each tower also without the other, and a new BERT."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    DistilBertModel,
    GPT2Config,
    GPT2Model,
    T5Config,
    T5EncoderModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from helpers.chinese_clip import BertCLIPBundle, BundleBackend, ImageTextEncoder, load_bert, load_image_tower, new_bert
from helpers.clip import POOLING
from helpers.storage import weights_digest

TEXTS = ["明月", "春江花月夜", "雨", "一叶小舟在江上，明月照山", "山"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(autouse=True)
def full_precision(monkeypatch) -> None:
    """Whatever this machine is best at, so that equal means equal."""
    monkeypatch.setattr("helpers.chinese_clip.encoder.pick_dtype", lambda device: torch.float32)


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    ViTModel(ViTConfig(**SMALL, image_size=32, patch_size=8)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory) -> Path:
    """A Chinese BERT with its pooling layer, as on the hub."""
    folder = tmp_path_factory.mktemp("bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(TEXTS)))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=len(vocabulary), initializer_range=0.2, **SMALL)).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(vit_folder, bert_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bert_clip") / "new"
    torch.manual_seed(2)
    bundle = BertCLIPBundle.from_towers(vit_folder, bert_folder, dim=16, max_tokens=12)
    with torch.no_grad():
        bundle.model.logit_scale.fill_(3.21)
    bundle.save(folder)
    return folder


@pytest.fixture
def bundle(saved) -> BertCLIPBundle:
    return BertCLIPBundle.load(saved)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    """A folder to damage."""
    return shutil.copytree(saved, tmp_path / "copy")


@torch.inference_mode()
def embeds(bundle: BertCLIPBundle, pictures) -> tuple[torch.Tensor, torch.Tensor]:
    return bundle.model.eval()(bundle.pixels(pictures), **bundle.tokens(TEXTS))


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- folders ---


@pytest.mark.parametrize("kind", ["from towers", "of a new BERT", "of our own image tower"])
def test_save_and_load(kind: str, vit_folder, bert_folder, bundle_folder, pictures, tmp_path) -> None:
    image = load_image_tower(bundle_folder if kind == "of our own image tower" else vit_folder)
    if kind == "from towers":
        bundle = BertCLIPBundle.from_towers(vit_folder, bert_folder, dim=16, pooling="cls", dropout=0.2, max_tokens=9)
    else:
        bundle = BertCLIPBundle.of(image, *new_bert(TEXTS, **SMALL), dim=16, pooling="mean of 3 layers")
    with torch.no_grad():
        bundle.model.logit_scale.fill_(3.21)
    bundle.save(tmp_path / "new" / "folder")
    torch.manual_seed(9)  # whatever is drawn while it loads
    loaded = BertCLIPBundle.load(str(tmp_path / "new" / "folder"))
    assert all(map(torch.equal, embeds(loaded, pictures), embeds(bundle, pictures)))
    assert loaded.model.logit_scale == bundle.model.logit_scale and not loaded.model.training
    assert loaded.config == bundle.config and loaded.digest() == bundle.digest()
    assert loaded.model.text.pool is POOLING[bundle.config.pooling]


def test_a_folder_is_written_over(bundle, pictures, copy) -> None:
    with torch.no_grad():
        for parameter in bundle.model.text.parameters():
            parameter += 0.1
    bundle.save(copy)
    assert all(map(torch.equal, embeds(BertCLIPBundle.load(copy), pictures), embeds(bundle, pictures)))


def test_in_eight_bits_it_says_nearly_the_same(bundle, pictures, tmp_path) -> None:
    bundle.save(tmp_path / "small", quantized=True)
    small = BertCLIPBundle.load(tmp_path / "small")
    for exact, rounded in zip(embeds(bundle, pictures), embeds(small, pictures), strict=True):
        assert not torch.equal(exact, rounded) and (exact * rounded).sum(-1).min() > 0.999


@pytest.mark.parametrize("quantized", [True, False])
def test_a_folder_holds_one_model(quantized: bool, bundle, tmp_path) -> None:
    bundle.save(tmp_path, quantized=not quantized)
    with torch.no_grad():
        for parameter in bundle.model.text.parameters():
            parameter += 0.1
    bundle.save(tmp_path, quantized=quantized)
    moved = bundle.model.text.backbone.embeddings.LayerNorm.bias
    assert torch.allclose(load_bert(tmp_path / "text").embeddings.LayerNorm.bias, moved, atol=1e-3)
    assert len(list((tmp_path / "text").glob("*.safetensors"))) == 1


def test_the_towers_are_those_of_the_folders(bundle, vit_folder, bert_folder, pictures) -> None:
    assert weights_digest(bundle.model.image.backbone) == weights_digest(load_image_tower(vit_folder))
    assert weights_digest(bundle.model.text.backbone) == weights_digest(load_bert(bert_folder))
    expected = AutoTokenizer.from_pretrained(bert_folder)(TEXTS, padding=True, truncation=True, max_length=12)
    tokens = bundle.tokens(TEXTS)
    assert tokens["input_ids"].tolist() == expected["input_ids"]
    assert tokens["attention_mask"].tolist() == expected["attention_mask"]
    assert all(x.shape == (5, 16) and torch.allclose(x.norm(dim=-1), torch.ones(5)) for x in embeds(bundle, pictures))


def test_load_with_changes(saved) -> None:
    bundle = BertCLIPBundle.load(saved, max_tokens=4, pooling="cls", dropout=0.5)
    assert bundle.tokens(TEXTS)["input_ids"].shape == (5, 4)
    assert bundle.model.text.pool is POOLING["cls"]
    assert bundle.model.text.head.dropout.p == bundle.model.image.head.dropout.p == 0.5


def test_the_text_tower_loads_alone(bundle, saved) -> None:
    bert, report = BertModel.from_pretrained(saved / "text", add_pooling_layer=False, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    tokens = AutoTokenizer.from_pretrained(saved / "text")(TEXTS[:3], padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = bert.eval()(**tokens, output_hidden_states=True).hidden_states
        expected = bundle.model.text.backbone(**bundle.tokens(TEXTS[:3]), output_hidden_states=True).hidden_states
    assert len(found) == len(expected) == 4
    assert all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in zip(found, expected, strict=True))


def test_the_image_tower_loads_alone(bundle, saved, pictures) -> None:
    tower = load_image_tower(saved / "image")
    backbone = bundle.model.image.backbone
    assert torch.equal(tower.pixels(pictures), bundle.pixels(pictures))
    assert torch.equal(tower(tower.pixels(pictures)), backbone(backbone.pixels(pictures)))
    _, report = ViTModel.from_pretrained(saved / "image", output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]


# --- what is no BertCLIP ---


def test_folders_of_another_kind(bert_folder, vit_folder, bundle_folder, tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing", bert_folder, vit_folder, bundle_folder):
        with pytest.raises(ValueError) as error:
            BertCLIPBundle.load(folder)
        assert one_line(error, folder, "config.json", "bert_clip")


@pytest.mark.parametrize(
    "change", [{"dim": 24}, {"dim": "wide"}, {"pooling": "maximum"}, {"colour": "red"}, {"dropout": "much"}]
)
def test_a_config_that_describes_another_model(change: dict, copy) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        BertCLIPBundle.load(copy)
    assert one_line(error, copy)


@pytest.mark.parametrize("file", ["heads.safetensors", "image/model.safetensors", "text/model.safetensors"])
def test_damaged_weights(file: str, copy) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-100])
    with pytest.raises(ValueError) as error:
        BertCLIPBundle.load(copy)
    assert one_line(error, copy)


@pytest.mark.parametrize("file", ["heads.safetensors", "image/model.safetensors", "text/model.safetensors"])
def test_a_weight_that_is_missing(file: str, copy) -> None:
    """And is not drawn at random instead."""
    weights = load_file(copy / file)
    del weights[next(name for name in sorted(weights) if name.endswith("weight"))]
    save_file(weights, copy / file, metadata={"format": "pt"})
    with pytest.raises(ValueError) as error:
        BertCLIPBundle.load(copy)
    assert one_line(error, copy)


@pytest.mark.parametrize("name", ["heads.safetensors", "image", "text"])
def test_a_part_that_is_missing(name: str, copy) -> None:
    shutil.rmtree(copy / name) if (copy / name).is_dir() else (copy / name).unlink()
    with pytest.raises((ValueError, OSError)) as error:
        BertCLIPBundle.load(copy)
    assert one_line(error, name)


# --- BERTs ---


def test_a_new_bert_knows_the_characters_of_its_texts() -> None:
    bert, tokenizer = new_bert([*TEXTS, "a boat", "a boat"])
    assert not set("".join(TEXTS)) - set(tokenizer.get_vocab()) and "boat" in tokenizer.get_vocab()
    assert tokenizer.unk_token_id not in tokenizer("明月照山，a boat")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(tokenizer("春江月")["input_ids"], skip_special_tokens=True) == [*"春江月"]
    assert bert.config.vocab_size == len(tokenizer) == bert.embeddings.word_embeddings.num_embeddings
    assert bert.pooler is None and (bert.config.hidden_size, bert.config.num_hidden_layers) == (256, 4)


def test_a_new_bert_follows_from_the_seed() -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        bert, tokenizer = new_bert(TEXTS, **SMALL)
        found.append((weights_digest(bert), tokenizer.get_vocab(), bert.config.hidden_size))
    assert found[0] == found[1] and found[0][0] != found[2][0] and found[0][2] == 32


def test_a_new_bert_of_another_length() -> None:
    assert new_bert(TEXTS, **SMALL, max_position_embeddings=16)[0].config.max_position_embeddings == 16


def test_bert_and_distilbert_are_taken(bert_folder, distilbert_folder, vit_folder, pictures, tmp_path) -> None:
    assert type(load_bert(bert_folder)) is BertModel and load_bert(bert_folder).pooler is None
    assert type(load_bert(str(distilbert_folder))) is DistilBertModel
    bundle = BertCLIPBundle.from_towers(vit_folder, distilbert_folder, dim=8, max_tokens=16)
    bundle.save(tmp_path)
    assert all(map(torch.equal, embeds(BertCLIPBundle.load(tmp_path), pictures), embeds(bundle, pictures)))


def test_a_bert_saved_in_half_computes_in_full(bert_folder, tmp_path) -> None:
    BertModel.from_pretrained(bert_folder).to(torch.float16).save_pretrained(tmp_path)
    assert {parameter.dtype for parameter in load_bert(tmp_path).parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: T5EncoderModel(T5Config(vocab_size=20, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)), "t5"),
        (lambda: GPT2Model(GPT2Config(vocab_size=20, n_embd=16, n_layer=1, n_head=2)), "gpt2"),
    ],
)
def test_other_text_models_are_refused(make, kind: str, tmp_path) -> None:
    make().save_pretrained(tmp_path)
    with pytest.raises(ValueError) as error:
        load_bert(tmp_path)
    assert one_line(error, tmp_path, kind, "distilbert")


def test_pictures_are_no_texts(vit_folder) -> None:
    with pytest.raises(ValueError) as error:
        load_bert(vit_folder)
    assert one_line(error, vit_folder, "vit")


# --- as an encoder ---


def test_the_encoder_knows_the_folder(saved, bundle, pictures) -> None:
    encoder = ImageTextEncoder.from_pretrained(str(saved), "cpu")
    assert type(encoder.backend) is BundleBackend and type(encoder.backend.bundle) is BertCLIPBundle
    assert encoder.backend.dim == 16 and encoder.backend.logit_scale == pytest.approx(np.exp(3.21))
    images, texts = encoder.encode_images(pictures), encoder.encode_texts(TEXTS)
    for found in (images, texts):
        assert found.shape == (5, 16) and found.dtype == np.float32
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
        assert np.abs(found - found[0]).max(1)[1:].min() > 1e-3  # each its own
    assert texts == pytest.approx(embeds(bundle, pictures)[1].numpy(), abs=1e-5)
    with torch.inference_mode():
        pixels = bundle.pixels(pictures)
        both = bundle.model.image(pixels) + bundle.model.image(pixels.flip(-1))  # a picture and its mirror image
    assert images == pytest.approx(torch.nn.functional.normalize(both, dim=-1).numpy(), abs=1e-5)


def test_the_batch_does_not_show(saved, pictures) -> None:
    """Neither its size nor the padding that a longer neighbour brings."""
    whole, single = (ImageTextEncoder.from_pretrained(saved, "cpu", batch_size=size) for size in (64, 1))
    for encode, items in (("encode_images", pictures), ("encode_texts", TEXTS)):
        expected = getattr(single, encode)(items)
        assert getattr(whole, encode)(items) == pytest.approx(expected, abs=1e-5)
        assert getattr(whole, encode)(items[::-1])[::-1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("new", [False, True])
def test_texts_without_words_and_texts_too_long(new: bool, bundle, vit_folder) -> None:
    if new:
        bundle = BertCLIPBundle.of(load_image_tower(vit_folder), *new_bert(TEXTS, **SMALL), dim=16)
    encoder = ImageTextEncoder.of_bundle(bundle, "cpu")
    empty, blank, *long = encoder.encode_texts(["", " \n", "山" * 100, "山" * 400])
    assert np.isfinite([empty, blank]).all() and np.linalg.norm(empty) == pytest.approx(1, abs=1e-5)
    assert blank == pytest.approx(empty, abs=1e-6) and long[0] == pytest.approx(long[1], abs=1e-6)
    assert encoder.encode_texts([""])[0] == pytest.approx(empty, abs=1e-5)
    assert bundle.tokens(["", "山"])["attention_mask"].sum(1).min() >= 1  # never a row without tokens
    assert encoder.encode_texts([]).shape == (0, 16)


def test_other_weights_other_fingerprint(saved) -> None:
    """Any of them: of either backbone, of either head, the temperature."""

    def fingerprint(change: str = "", **config: object) -> str:
        bundle = BertCLIPBundle.load(saved, **config)
        with torch.no_grad():
            for name, parameter in bundle.model.named_parameters():
                if name == change:
                    parameter.view(-1)[-1] += 1e-3
        return ImageTextEncoder.of_bundle(bundle, "cpu").backend.fingerprint

    names = [name for name, _ in BertCLIPBundle.load(saved).model.named_parameters()]
    parts = ("logit_scale", "image.backbone", "image.head", "text.backbone", "text.head")
    chosen = [[name for name in names if name.startswith(part)][i] for part in parts for i in (0, -1)]
    changed = dict.fromkeys(chosen)  # there is but one logit_scale
    found = [fingerprint(name) for name in ("", *changed)]
    assert len(set(found)) == len(found) == 1 + 9 and fingerprint() == found[0]
    assert len({found[0], fingerprint(max_tokens=7), fingerprint(pooling="cls")}) == 3


def test_another_vocabulary_or_preparation_is_another_fingerprint(saved, bundle, copy, tmp_path) -> None:
    before = ImageTextEncoder.of_bundle(bundle, "cpu").backend.fingerprint
    ViTImageProcessor(size={"height": 32, "width": 32}, image_std=[0.5, 0.5, 0.4]).save_pretrained(copy / "image")
    prepared = ImageTextEncoder.from_pretrained(copy, "cpu").backend.fingerprint
    other = BertCLIPBundle.load(saved)
    words = list(other.tokenizer.get_vocab())
    (tmp_path / "vocab.txt").write_text("\n".join(words[::-1]), encoding="utf-8")
    other.tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    assert len({before, prepared, ImageTextEncoder.of_bundle(other, "cpu").backend.fingerprint}) == 3
