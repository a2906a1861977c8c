"""chinese_clip.locked_tower: towers from folders laid out as on the hub, unit features, nothing in them moves."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from transformers import (
    AutoImageProcessor,
    BertConfig,
    BertModel,
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    ViTModel,
)

from helpers.chinese_clip import (
    HubBackbone,
    LockedImageTower,
    OwnBackbone,
    Places365Backbone,
    load_image_tower,
    wide_resnet18,
)
from helpers.clip import CLIPBundle
from helpers.storage import weights_digest

SIZE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SIZE, "image_size": 32, "patch_size": 16}
TEXT = {**SIZE, "vocab_size": 40, "bos_token_id": 1, "eos_token_id": 2}
SQUARE = {"height": 32, "width": 32}
CLIP_LIKE = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}


def clip_vision():
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION, projection_dim=12)), CLIPImageProcessor(**CLIP_LIKE)


def clip(inner: int = 12):
    config = CLIPConfig(text_config=TEXT, vision_config=VISION | {"projection_dim": inner}, projection_dim=12)
    return CLIPModel(config), CLIPImageProcessor(**CLIP_LIKE)


def vit():
    return ViTModel(ViTConfig(**VISION, hidden_dropout_prob=0.5)), ViTImageProcessor(size=SQUARE)


def resnet():
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 20], depths=[1, 1], layer_type="basic")
    return ResNetModel(config), ConvNextImageProcessor(size={"shortest_edge": 32})


KINDS = {"clip_vision": (clip_vision, 12), "clip": (clip, 12), "vit": (vit, 16), "resnet": (resnet, 20)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> dict[str, Path]:
    """A folder for each kind of model, with weights large enough that pictures end in different places."""
    folders = {}
    for number, (name, (make, _)) in enumerate(KINDS.items()):
        torch.manual_seed(number)
        model, processor = make()
        with torch.no_grad():
            for weight in model.parameters():
                weight *= 5 if weight.ndim > 1 else 1
            for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
                norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
        folders[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(folders[name])
        processor.save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="module")
def places_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    torch.manual_seed(9)
    Places365Backbone(wide_resnet18()).save(folder)
    return folder


@pytest.fixture(params=[*KINDS, "own", "places"])
def folder(request, hub, bundle_folder, places_folder) -> Path:
    return (hub | {"own": bundle_folder, "places": places_folder})[request.param]


@torch.inference_mode()
def features(tower, pictures) -> torch.Tensor:
    return tower(tower.pixels(pictures))


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- what a tower gives ---


@torch.inference_mode()
def called_directly(kind: str, folder: Path, pictures) -> torch.Tensor:
    """What `transformers` makes of the pictures, one at a time."""
    processor = AutoImageProcessor.from_pretrained(folder)
    pixels = [processor(images=picture, return_tensors="pt")["pixel_values"] for picture in pictures]
    if kind == "clip":
        model = CLIPModel.from_pretrained(folder).eval()
        rows = [model.visual_projection(model.vision_model(x).pooler_output) for x in pixels]
    elif kind == "clip_vision":
        model = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
        rows = [model(x).image_embeds for x in pixels]
    else:
        model = {"vit": ViTModel, "resnet": ResNetModel}[kind].from_pretrained(folder).eval()
        rows = [model(x).pooler_output.flatten(1) for x in pixels]
    return F.normalize(torch.cat(rows), dim=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_features_equal_transformers_called_directly(kind: str, hub, pictures) -> None:
    tower = load_image_tower(str(hub[kind]))
    found, expected = features(tower, pictures), called_directly(kind, hub[kind], pictures)
    assert type(tower) is HubBackbone and found.shape == expected.shape == (5, KINDS[kind][1])
    assert torch.allclose(found, expected, atol=1e-5) and tower.width() == KINDS[kind][1]
    assert (found - found[0]).abs().amax(1)[1:].min() > 1e-3  # each its own


def test_a_clip_of_ours_gives_its_image_half(bundle_folder, pictures) -> None:
    bundle = CLIPBundle.load(bundle_folder)
    tower = load_image_tower(bundle_folder)
    with torch.inference_mode():
        expected = bundle.model.image(bundle.pixels(pictures))  # its head included
    assert type(tower) is OwnBackbone and tower.width() == 32
    assert torch.allclose(features(tower, pictures), expected, atol=1e-6)
    assert weights_digest(tower.tower) == weights_digest(bundle.model.image)  # and nothing of the text


def test_only_the_image_half_of_a_clip_is_taken(hub) -> None:
    names = [name for name, _ in load_image_tower(hub["clip"]).tower.named_parameters()]
    assert names and not any("text" in name or "logit" in name for name in names)


def test_the_width_of_a_clip_is_that_of_the_whole(pictures, tmp_path) -> None:
    """Some on the hub, and what `transformers` makes by default, say 512 in the image half whatever it really is."""
    model, processor = clip(inner=512)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    tower = load_image_tower(tmp_path)
    assert torch.allclose(features(tower, pictures), called_directly("clip", tmp_path, pictures), atol=1e-5)
    tower.save(tmp_path / "image")
    assert torch.equal(features(load_image_tower(tmp_path / "image"), pictures), features(tower, pictures))


def test_features_have_unit_length(folder, pictures) -> None:
    found = features(load_image_tower(folder), pictures)
    assert found.dtype == torch.float32 and torch.allclose(found.norm(dim=-1), torch.ones(5), atol=1e-5)


def test_pictures_that_are_not_rgb(folder, pictures) -> None:
    tower = load_image_tower(folder)
    for mode in ("L", "RGBA", "P"):
        odd = [picture.convert(mode) for picture in pictures]
        assert torch.equal(tower.pixels(odd), tower.pixels([picture.convert("RGB") for picture in odd]))


# --- locked ---


def test_nothing_learns_and_nothing_moves(folder, pictures) -> None:
    """Neither by a gradient nor by BatchNorm's statistics nor by dropout, also inside a model that is in training."""
    torch.manual_seed(0)
    tower = LockedImageTower(load_image_tower(folder), dim=8, dropout=0.5).train()
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    pixels = tower.backbone.pixels(pictures)
    first, second = tower.features(pixels), tower.features(pixels)
    assert torch.equal(first, second) and not first.requires_grad
    assert tower.training and tower.head.dropout.training and not any(m.training for m in tower.backbone.modules())
    assert not any(parameter.requires_grad for parameter in tower.backbone.parameters())
    assert not torch.equal(tower(pixels), tower(pixels))  # the head's dropout
    tower(pixels)[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in tower.head.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tower.state_dict().items())


def test_the_head_fits_the_backbone(hub, pictures) -> None:
    tower = LockedImageTower(load_image_tower(hub["resnet"]), dim=8)
    assert tower.head.projection.weight.shape == (8, 20)
    embeds = tower(tower.backbone.pixels(pictures))
    assert embeds.shape == (5, 8) and torch.allclose(embeds.norm(dim=-1), torch.ones(5), atol=1e-5)


# --- folders ---


def test_save_and_load(folder, pictures, tmp_path) -> None:
    tower = load_image_tower(folder)
    tower.save(tmp_path / "new" / "image")
    again = load_image_tower(tmp_path / "new" / "image")
    assert torch.equal(again.pixels(pictures), tower.pixels(pictures))
    assert torch.equal(features(again, pictures), features(tower, pictures))
    assert weights_digest(again) == weights_digest(tower) and again.preparation() == tower.preparation()


def test_the_preparation_of_pictures_is_told_apart(hub, tmp_path) -> None:
    other = shutil.copytree(hub["vit"], tmp_path / "other")
    ViTImageProcessor(size=SQUARE, image_mean=[0.4, 0.5, 0.5]).save_pretrained(other)
    assert load_image_tower(other).preparation() != load_image_tower(hub["vit"]).preparation()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_tower_saved_in_half_computes_in_full(dtype: torch.dtype, hub, pictures, tmp_path) -> None:
    model, processor = ViTModel.from_pretrained(hub["vit"]), AutoImageProcessor.from_pretrained(hub["vit"])
    model.to(dtype).save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {dtype}
    tower = load_image_tower(tmp_path)
    assert {parameter.dtype for parameter in tower.parameters()} == {torch.float32}
    found, full = features(tower, pictures), features(load_image_tower(hub["vit"]), pictures)
    assert found.dtype == torch.float32 and (found * full).sum(-1).min() > 0.99


# --- what is no image tower ---


def test_a_damaged_scene_network(places_folder, tmp_path) -> None:
    folder = shutil.copytree(places_folder, tmp_path / "copy")
    weights = folder / "model.int8.safetensors"
    save_file({name: tensor for name, tensor in load_file(weights).items() if "layer4" not in name}, weights)
    with pytest.raises(ValueError) as error:
        load_image_tower(folder)
    assert one_line(error, weights)


def bert(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]), encoding="utf-8")
    BertModel(BertConfig(**SIZE, vocab_size=5)).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


def chinese_clip(folder: Path) -> None:
    bert(folder)
    config = ChineseCLIPConfig(text_config={**SIZE, "vocab_size": 5}, vision_config=VISION, projection_dim=12)
    ChineseCLIPModel(config).save_pretrained(folder)
    images = ChineseCLIPImageProcessor(size=SQUARE, crop_size=SQUARE)
    ChineseCLIPProcessor(images, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)


@pytest.mark.parametrize("write", [bert, chinese_clip])
def test_what_is_no_image_tower(write, tmp_path) -> None:
    write(tmp_path)
    with pytest.raises(ValueError) as error:
        LockedImageTower(load_image_tower(tmp_path), dim=8)
    assert one_line(error, tmp_path)


def vit_for_labels(folder: Path) -> None:
    """As google/vit-base-patch16-224 is: a classifier, and no weights for the pooling layer."""
    ViTForImageClassification(ViTConfig(**VISION)).save_pretrained(folder)
    ViTImageProcessor(size=SQUARE).save_pretrained(folder)


def clip_without_projection(folder: Path) -> None:
    CLIPVisionModel(CLIPVisionConfig(**VISION)).save_pretrained(folder)
    CLIPImageProcessor(**CLIP_LIKE).save_pretrained(folder)


def incomplete(folder: Path) -> None:
    model, processor = resnet()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    del weights[next(name for name in weights if name.endswith("convolution.weight"))]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("write", [vit_for_labels, clip_without_projection, incomplete])
def test_no_weight_is_made_up(write, pictures, tmp_path) -> None:
    """A layer without weights in the file would be drawn at random: refused, or done without it."""
    write(tmp_path)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        try:
            found.append(features(load_image_tower(tmp_path), pictures))
        except ValueError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
            return
    assert torch.equal(*found)


def test_no_such_folder(tmp_path) -> None:
    with pytest.raises((ValueError, OSError), match="missing_folder"):
        load_image_tower(tmp_path / "missing_folder")
