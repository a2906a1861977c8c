"""chinese_clip.bert_clip: a locked tower and a BERT as one model, each also without the other, and a new BERT."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizer,
    ConvNextImageProcessor,
    DistilBertModel,
    GPT2Config,
    GPT2Model,
    ResNetConfig,
    ResNetModel,
    T5Config,
    T5EncoderModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTModel,
)

from helpers.chinese_clip import (
    IMAGE_TOWER,
    TEXT_TOWER,
    ImageTextEncoder,
    from_towers,
    join_towers,
    load_bert,
    load_image_tower,
    new_bert,
)
from helpers.clip import (
    POOLING,
    CustomCLIP,
    CustomCLIPConfig,
    ImageTextProcessor,
    feature_width,
    load_clip,
    save_clip,
    single_vector,
    tokenizer_json,
)
from helpers.storage import INT8_WEIGHTS, dequantize, quantize, weights_digest

TEXTS = ["明月", "春江花月夜", "雨", "一叶小舟在江上，明月照山", "山"]
SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}


WEIGHTS = "model.safetensors"
Pair = tuple[CustomCLIP, ImageTextProcessor]


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
def resnet_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("resnet")
    torch.manual_seed(3)
    model = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 20], depths=[1, 1], layer_type="basic"))
    with torch.no_grad():
        for norm in (module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)  # also what no gradient makes is kept
    model.save_pretrained(folder)
    ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def labels_folder(tmp_path_factory) -> Path:
    """A ViT without a trained pooling layer, as google/vit-base-patch16-224 is."""
    folder = tmp_path_factory.mktemp("labels")
    torch.manual_seed(4)
    ViTForImageClassification(ViTConfig(**SMALL, image_size=32, patch_size=8)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(vit_folder, bert_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bert_clip") / "new"
    torch.manual_seed(2)
    model, processor = from_towers(vit_folder, bert_folder, max_length=12, dim=16)
    with torch.no_grad():
        model.logit_scale.fill_(3.21)
    save_clip(model, processor, folder)
    return folder


@pytest.fixture
def bert_clip(saved) -> Pair:
    return load_clip(saved)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    """A folder to damage."""
    return shutil.copytree(saved, tmp_path / "copy")


@torch.inference_mode()
def embeds(clip: Pair, pictures) -> tuple[torch.Tensor, torch.Tensor]:
    model, processor = clip
    return model.eval()(**processor(images=pictures, text=TEXTS))


def encoder_of(clip: Pair) -> ImageTextEncoder:
    """In full precision, whatever this machine is best at, so that equal means equal."""
    return ImageTextEncoder(*clip, "cpu", torch.float32)


def move_text(model: CustomCLIP) -> None:
    with torch.no_grad():
        for parameter in model.text.parameters():
            parameter += 0.1


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- folders ---


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("tower", ["vit_folder", "resnet_folder", "labels_folder", "clip_folder", "saved"])
def test_save_and_load(tower: str, quantized: bool, bert_folder, request, pictures, tmp_path) -> None:
    """In eight bits too: the weights are those that rounding leaves, and no others."""
    tower = request.getfixturevalue(tower)
    model, processor = from_towers(tower, bert_folder, 9, dim=16, pooling="mean of 3 layers", dropout=0.2)
    with torch.no_grad():
        model.logit_scale.fill_(3.25)  # which sixteen bits hold
    save_clip(model, processor, tmp_path / "new" / "folder", quantized)
    torch.manual_seed(9)  # whatever is drawn while it loads
    loaded, again = load_clip(str(tmp_path / "new" / "folder"))
    if quantized:
        model.load_state_dict(dequantize(quantize(model.state_dict())))
    assert weights_digest(loaded) == weights_digest(model)
    assert all(map(torch.equal, embeds((loaded, again), pictures), embeds((model, processor), pictures)))
    assert loaded.logit_scale == model.logit_scale and not loaded.training
    assert loaded.text.pool is POOLING["mean of 3 layers"] and loaded.image.head.dropout.p == 0.2
    assert loaded.config.locked and not any(p.requires_grad for p in loaded.image.backbone.parameters())
    assert again.max_length == 9 and again.preparation() == processor.preparation()
    assert tokenizer_json(again.tokenizer) == tokenizer_json(processor.tokenizer)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_a_new_bert_saved_and_loaded(vit_folder, pictures, tmp_path) -> None:
    clip = join_towers(load_image_tower(vit_folder), *new_bert(TEXTS, **SMALL), dim=16, pooling="cls")
    save_clip(*clip, tmp_path)
    assert all(map(torch.equal, embeds(load_clip(tmp_path), pictures), embeds(clip, pictures)))


def test_a_folder_is_written_over(bert_clip, pictures, copy) -> None:
    move_text(bert_clip[0])
    save_clip(*bert_clip, copy)
    assert all(map(torch.equal, embeds(load_clip(copy), pictures), embeds(bert_clip, pictures)))


def test_in_eight_bits_it_says_nearly_the_same(bert_clip, pictures, tmp_path) -> None:
    save_clip(*bert_clip, tmp_path / "small", quantized=True)
    small = load_clip(tmp_path / "small")
    for exact, rounded in zip(embeds(bert_clip, pictures), embeds(small, pictures), strict=True):
        assert not torch.equal(exact, rounded) and (exact * rounded).sum(-1).min() > 0.999


@pytest.mark.parametrize("quantized", [True, False])
def test_a_folder_holds_one_model(quantized: bool, bert_clip, tmp_path) -> None:
    save_clip(*bert_clip, tmp_path, quantized=not quantized)
    move_text(bert_clip[0])
    save_clip(*bert_clip, tmp_path, quantized=quantized)
    moved = bert_clip[0].text.backbone.embeddings.LayerNorm.bias
    assert torch.allclose(load_clip(tmp_path)[0].text.backbone.embeddings.LayerNorm.bias, moved, atol=1e-3)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == [INT8_WEIGHTS if quantized else WEIGHTS]


def test_the_towers_are_those_of_the_folders(bert_clip, vit_folder, bert_folder, pictures) -> None:
    model, processor = bert_clip
    assert weights_digest(model.image.backbone) == weights_digest(load_image_tower(vit_folder).backbone)
    assert weights_digest(model.text.backbone) == weights_digest(load_bert(bert_folder))
    expected = AutoTokenizer.from_pretrained(bert_folder)(TEXTS, padding=True, truncation=True, max_length=12)
    tokens = processor.tokens(TEXTS)
    assert tokens["input_ids"].tolist() == expected["input_ids"]
    assert tokens["attention_mask"].tolist() == expected["attention_mask"]
    for found in embeds(bert_clip, pictures):
        assert found.shape == (5, 16) and torch.allclose(found.norm(dim=-1), torch.ones(5))


def test_load_with_changes(saved) -> None:
    model, _ = load_clip(saved, pooling="cls", dropout=0.5)
    assert model.text.pool is POOLING["cls"]
    assert model.text.head.dropout.p == model.image.head.dropout.p == 0.5


def test_a_locked_tower_takes_pictures_of_one_size(saved) -> None:
    with pytest.raises(ValueError, match="one size") as error:
        load_clip(saved, image_size=64)
    assert one_line(error, saved)


# --- one tower without the other ---

TOWERS = [("vit_folder", ViTModel), ("labels_folder", ViTModel), ("resnet_folder", ResNetModel)]
LOADED = ("missing_keys", "mismatched_keys", "error_msgs")


@torch.inference_mode()
def test_the_text_tower_loads_alone(bert_clip, saved, bert_folder) -> None:
    alone = {"key_mapping": TEXT_TOWER, "add_pooling_layer": False, "output_loading_info": True}
    bert, report = BertModel.from_pretrained(saved, **alone)
    assert not any(report[kind] for kind in LOADED)
    assert weights_digest(bert) == weights_digest(load_bert(bert_folder)) and not bert.training
    tokens = AutoTokenizer.from_pretrained(saved)(TEXTS[:3], padding=True, return_tensors="pt")
    found = bert(**tokens, output_hidden_states=True).hidden_states
    expected = bert_clip[0].text.backbone(**bert_clip[1].tokens(TEXTS[:3]), output_hidden_states=True).hidden_states
    assert len(found) == len(expected) == 4
    assert all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in zip(found, expected, strict=True))


@torch.inference_mode()
@pytest.mark.parametrize(("tower", "kind"), TOWERS)
def test_the_image_tower_loads_alone(tower: str, kind: type, bert_folder, request, pictures, tmp_path) -> None:
    tower = request.getfixturevalue(tower)
    model, processor = from_towers(tower, bert_folder, dim=16)
    save_clip(model, processor, tmp_path)
    alone = {"key_mapping": IMAGE_TOWER, "output_loading_info": True}
    if tower.name.startswith("labels"):
        alone["add_pooling_layer"] = False
    backbone, report = kind.from_pretrained(tmp_path, **alone)
    assert not any(report[kind] for kind in LOADED)
    assert weights_digest(backbone) == weights_digest(load_image_tower(tower).backbone)
    pixels = AutoImageProcessor.from_pretrained(tmp_path)(images=pictures, return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels, processor.pixel_values(pictures))
    assert torch.equal(single_vector(backbone.eval()(pixels)), single_vector(model.image.backbone(pixels)))


def test_over_a_clip_of_ours_the_image_half_is_stored(clip, clip_folder, bert_folder, tmp_path) -> None:
    model, processor = from_towers(clip_folder, bert_folder, dim=16)
    save_clip(model, processor, tmp_path)
    stored = load_file(tmp_path / WEIGHTS)
    image = {name: tensor for name, tensor in stored.items() if name.startswith("image.backbone.")}
    assert {name.removeprefix("image.backbone.") for name in image} == set(clip[0].image.state_dict())
    text = {name for name in stored if name.startswith("text.backbone.")}
    assert {name.removeprefix("text.backbone.") for name in text} == set(load_bert(bert_folder).state_dict())
    rest = {name.split(".")[0] for name in stored if ".backbone." not in name}
    assert rest == {"image", "text", "logit_scale"}
    again = load_image_tower(tmp_path)  # a tower for the next one: the same, without the head that was trained to it
    assert weights_digest(again.backbone) == weights_digest(clip[0].image) and feature_width(again.config) == 32


# --- what is no BertCLIP ---


def test_folders_of_another_kind(bert_folder, vit_folder, tmp_path) -> None:
    for folder in (tmp_path, tmp_path / "missing", bert_folder, vit_folder):
        with pytest.raises(ValueError, match="no CLIP of ours") as error:
            load_clip(folder)
        assert one_line(error, folder)


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 24},
        {"dim": "wide"},
        {"pooling": "maximum"},
        {"dropout": "much"},
        {"text_config": {"model_type": "nonsense"}},
        {"vision_config": {"model_type": "torchvision_network"}},
    ],
)
def test_a_config_that_describes_another_model(change: dict, copy) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        load_clip(copy)
    assert one_line(error, copy)


def damaged(copy: Path, change, quantized: bool) -> pytest.ExceptionInfo:
    """The complaint about a folder whose weights `change` has changed."""
    if quantized:
        save_clip(*load_clip(copy), copy, quantized=True)
    path = copy / (INT8_WEIGHTS if quantized else WEIGHTS)
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ValueError) as error:
        load_clip(copy)
    return error


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("part", ["image.backbone.", "image.head.", "text.backbone.", "text.head.", "logit_scale"])
def test_a_weight_that_is_missing(part: str, quantized: bool, copy) -> None:
    """And is not drawn at random instead."""

    def drop(weights: dict) -> None:
        name = next(name for name in sorted(weights) if name.startswith(part))
        for key in [key for key in weights if key.startswith(name)]:  # its scale too
            del weights[key]

    assert one_line(damaged(copy, drop, quantized), copy, part)


@pytest.mark.parametrize("quantized", [False, True])
def test_a_weight_that_is_not_its_own(quantized: bool, copy) -> None:
    error = damaged(copy, lambda weights: weights.update({"text.tail.bias": torch.zeros(4)}), quantized)
    assert one_line(error, copy, "text.tail.bias")


@pytest.mark.parametrize("quantized", [False, True])
def test_a_weight_of_another_shape(quantized: bool, copy) -> None:
    error = damaged(copy, lambda weights: weights.update({"text.head.norm.bias": torch.zeros(4)}), quantized)
    assert one_line(error, copy)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("left", [-100, 1000, 0])
def test_truncated_weights(left: int, quantized: bool, copy) -> None:
    if quantized:
        save_clip(*load_clip(copy), copy, quantized=True)
    file = copy / (INT8_WEIGHTS if quantized else WEIGHTS)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ValueError) as error:
        load_clip(copy)
    assert one_line(error, copy)


@pytest.mark.parametrize("name", [WEIGHTS, "processor_config.json", "tokenizer.json"])
def test_a_part_that_is_missing(name: str, copy) -> None:
    (copy / name).unlink()
    with pytest.raises(ValueError) as error:
        load_clip(copy)
    assert one_line(error, copy)


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
    clip = from_towers(vit_folder, distilbert_folder, max_length=16, dim=8)
    save_clip(*clip, tmp_path)
    assert all(map(torch.equal, embeds(load_clip(tmp_path), pictures), embeds(clip, pictures)))


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


def test_no_weight_of_a_bert_is_made_up(bert_folder, tmp_path) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "copy")
    weights = load_file(folder / WEIGHTS)
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ValueError) as error:
        load_bert(folder)
    assert one_line(error, folder, "encoder.layer.1.output.dense.weight")


# --- as an encoder ---


def test_the_encoder_knows_the_folder(saved, bert_clip, pictures) -> None:
    encoder = ImageTextEncoder.from_pretrained(str(saved), "cpu", dtype=torch.float32)
    assert type(encoder.model) is CustomCLIP and encoder.model.config.locked
    assert type(encoder.model.config) is CustomCLIPConfig and type(encoder.processor) is ImageTextProcessor
    assert encoder.dim == 16 and encoder.logit_scale == pytest.approx(np.exp(3.21))
    images, texts = encoder.encode_images(pictures), encoder.encode_texts(TEXTS)
    for found in (images, texts):
        assert found.shape == (5, 16) and found.dtype == np.float32
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
        assert np.abs(found - found[0]).max(1)[1:].min() > 1e-3  # each its own
    assert texts == pytest.approx(embeds(bert_clip, pictures)[1].numpy(), abs=1e-5)
    with torch.inference_mode():
        pixels = bert_clip[1].pixel_values(pictures)
        both = bert_clip[0].image(pixels) + bert_clip[0].image(pixels.flip(-1))  # a picture and its mirror image
    assert images == pytest.approx(torch.nn.functional.normalize(both, dim=-1).numpy(), abs=1e-5)


def test_the_batch_does_not_show(saved, pictures) -> None:
    """Neither its size nor the padding that a longer neighbour brings."""
    whole, single = (
        ImageTextEncoder.from_pretrained(saved, "cpu", dtype=torch.float32, batch_size=size) for size in (64, 1)
    )
    for encode, items in (("encode_images", pictures), ("encode_texts", TEXTS)):
        expected = getattr(single, encode)(items)
        assert getattr(whole, encode)(items) == pytest.approx(expected, abs=1e-5)
        assert getattr(whole, encode)(items[::-1])[::-1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("new", [False, True])
def test_texts_without_words_and_texts_too_long(new: bool, bert_clip, vit_folder) -> None:
    if new:
        bert_clip = join_towers(load_image_tower(vit_folder), *new_bert(TEXTS, **SMALL), dim=16)
    encoder = encoder_of(bert_clip)
    empty, blank, *long = encoder.encode_texts(["", " \n", "山" * 100, "山" * 400])
    assert np.isfinite([empty, blank]).all() and np.linalg.norm(empty) == pytest.approx(1, abs=1e-5)
    assert blank == pytest.approx(empty, abs=1e-6) and long[0] == pytest.approx(long[1], abs=1e-6)
    assert encoder.encode_texts([""])[0] == pytest.approx(empty, abs=1e-5)
    assert bert_clip[1].tokens(["", "山"])["attention_mask"].sum(1).min() >= 1  # never a row without tokens
    assert encoder.encode_texts([]).shape == (0, 16)


def test_other_weights_other_fingerprint(saved) -> None:
    """Any of them: of either backbone, of either head, the temperature."""

    def fingerprint(change: str = "", max_length: int = 12, **config: object) -> str:
        model, processor = load_clip(saved, **config)
        processor.max_length = max_length
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name == change:
                    parameter.view(-1)[-1] += 1e-3
        return encoder_of((model, processor)).fingerprint

    names = [name for name, _ in load_clip(saved)[0].named_parameters()]
    parts = ("logit_scale", "image.backbone", "image.head", "text.backbone", "text.head")
    chosen = [[name for name in names if name.startswith(part)][i] for part in parts for i in (0, -1)]
    changed = dict.fromkeys(chosen)  # there is but one logit_scale
    found = [fingerprint(name) for name in ("", *changed)]
    assert len(set(found)) == len(found) == 1 + 9 and fingerprint() == found[0]
    assert len({found[0], fingerprint(max_length=7), fingerprint(pooling="cls")}) == 3


def test_another_vocabulary_or_preparation_is_another_fingerprint(saved, bert_clip, tmp_path) -> None:
    before = encoder_of(bert_clip).fingerprint
    model, processor = load_clip(saved)
    processor.image_processor = ViTImageProcessor(size={"height": 32, "width": 32}, image_std=[0.5, 0.5, 0.4])
    prepared = encoder_of((model, processor)).fingerprint
    model, processor = load_clip(saved)
    words = list(processor.tokenizer.get_vocab())
    (tmp_path / "vocab.txt").write_text("\n".join(words[::-1]), encoding="utf-8")
    processor.tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    assert len({before, prepared, encoder_of((model, processor)).fingerprint}) == 3
