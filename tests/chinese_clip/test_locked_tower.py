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

from helpers.chinese_clip import LockedTower, join_towers, load_image_tower, new_bert
from helpers.clip import (
    ImageTower,
    SquashImageProcessor,
    TorchvisionConfig,
    TorchvisionNetwork,
    feature_width,
    load_clip,
    save_clip,
)
from helpers.storage import INT8_WEIGHTS, weights_digest

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


def with_a_bert(tower: LockedTower):
    """The BertCLIP that begins with it."""
    torch.manual_seed(7)
    return join_towers(tower, *new_bert(["山水"], **SIZE), dim=8)


@pytest.fixture(scope="module")
def places_folder(tmp_path_factory) -> Path:
    """A model like the judge: locked, a network for scenes."""
    folder = tmp_path_factory.mktemp("places")
    torch.manual_seed(9)
    config = TorchvisionConfig("places365_wideresnet18")
    save_clip(*with_a_bert(LockedTower(TorchvisionNetwork(config), config, SquashImageProcessor(32))), folder, True)
    return folder


@pytest.fixture(params=[*KINDS, "own", "places"])
def folder(request, hub, clip_folder, places_folder) -> Path:
    return (hub | {"own": clip_folder, "places": places_folder})[request.param]


def pixels_of(tower: LockedTower, pictures) -> torch.Tensor:
    return tower.image_processor(pictures, return_tensors="pt")["pixel_values"]


@torch.inference_mode()
def features(tower: LockedTower, pictures) -> torch.Tensor:
    locked = ImageTower(tower.backbone, feature_width(tower.config), locked=True)
    return locked.features(pixels_of(tower, pictures))


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
    assert found.shape == expected.shape == (5, KINDS[kind][1])
    assert torch.allclose(found, expected, atol=1e-5) and feature_width(tower.config) == KINDS[kind][1]
    assert (found - found[0]).abs().amax(1)[1:].min() > 1e-3  # each its own


def test_a_clip_of_ours_gives_its_image_half(clip, clip_folder, pictures) -> None:
    model, processor = clip
    tower = load_image_tower(clip_folder)
    with torch.inference_mode():
        expected = model.image(processor.pixel_values(pictures))  # its head included
    assert type(tower.backbone) is ImageTower and feature_width(tower.config) == 32
    assert torch.allclose(features(tower, pictures), expected, atol=1e-6)
    assert weights_digest(tower.backbone) == weights_digest(model.image)  # and nothing of the text


def test_only_the_image_half_of_a_clip_is_taken(hub) -> None:
    names = [name for name, _ in load_image_tower(hub["clip"]).backbone.named_parameters()]
    assert names and not any("text" in name or "logit" in name for name in names)


def test_the_width_of_a_clip_is_that_of_the_whole(pictures, tmp_path) -> None:
    """Some on the hub, and what `transformers` makes by default, say 512 in the image half whatever it really is."""
    model, processor = clip(inner=512)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    tower = load_image_tower(tmp_path)
    assert torch.allclose(features(tower, pictures), called_directly("clip", tmp_path, pictures), atol=1e-5)
    save_clip(*with_a_bert(tower), tmp_path / "saved")
    assert torch.equal(features(load_image_tower(tmp_path / "saved"), pictures), features(tower, pictures))


def test_features_have_unit_length(folder, pictures) -> None:
    found = features(load_image_tower(folder), pictures)
    assert found.dtype == torch.float32 and torch.allclose(found.norm(dim=-1), torch.ones(5), atol=1e-5)


def test_pictures_that_are_not_rgb(folder, pictures) -> None:
    _, processor = with_a_bert(load_image_tower(folder))
    for mode in ("L", "RGBA", "P"):
        odd = [picture.convert(mode) for picture in pictures]
        expected = processor.pixel_values([picture.convert("RGB") for picture in odd])
        assert torch.equal(processor.pixel_values(odd), expected)


# --- locked ---


def test_nothing_learns_and_nothing_moves(folder, pictures) -> None:
    """Neither by a gradient nor by BatchNorm's statistics nor by dropout, also inside a model that is in training."""
    torch.manual_seed(0)
    loaded = load_image_tower(folder)
    tower = ImageTower(loaded.backbone, feature_width(loaded.config), dim=8, dropout=0.5, locked=True).train()
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    pixels = pixels_of(loaded, pictures)
    first, second = tower.features(pixels), tower.features(pixels)
    assert torch.equal(first, second) and not first.requires_grad
    assert tower.training and tower.head.dropout.training and not any(m.training for m in tower.backbone.modules())
    assert not any(parameter.requires_grad for parameter in tower.backbone.parameters())
    assert not torch.equal(tower(pixels), tower(pixels))  # the head's dropout
    tower(pixels)[:, 0].sum().backward()
    assert all(parameter.grad is not None for parameter in tower.head.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tower.state_dict().items())


def test_a_whole_model_in_training_leaves_its_tower_alone(folder, pictures, tmp_path) -> None:
    """As it is made, and as it is loaded again."""
    made = with_a_bert(load_image_tower(folder))
    save_clip(*made, tmp_path)
    for model, processor in (made, load_clip(tmp_path)):
        model.train()
        pixels = processor.pixel_values(pictures)
        assert model.text.training and torch.equal(model.image.features(pixels), model.image.features(pixels))
        assert not any(module.training for module in model.image.backbone.modules())
        assert not any(parameter.requires_grad for parameter in model.image.backbone.parameters())
        assert all(parameter.requires_grad for parameter in model.image.head.parameters())


def test_the_head_fits_the_backbone(hub, pictures) -> None:
    model, processor = with_a_bert(load_image_tower(hub["resnet"]))
    assert model.image.head.projection.weight.shape == (8, 20)
    embeds = model.image(processor.pixel_values(pictures))
    assert embeds.shape == (5, 8) and torch.allclose(embeds.norm(dim=-1), torch.ones(5), atol=1e-5)


# --- folders ---


def test_save_and_load(folder, pictures, tmp_path) -> None:
    """In a BertCLIP: the tower that comes out is the one that went in."""
    tower = load_image_tower(folder)
    clip = with_a_bert(tower)
    save_clip(*clip, tmp_path / "new" / "folder")
    again = load_image_tower(tmp_path / "new" / "folder")
    assert torch.equal(pixels_of(again, pictures), pixels_of(tower, pictures))
    assert torch.equal(features(again, pictures), features(tower, pictures))
    assert weights_digest(again.backbone) == weights_digest(tower.backbone)
    assert with_a_bert(again)[1].preparation() == clip[1].preparation()


def test_the_preparation_of_pictures_is_told_apart(hub, tmp_path) -> None:
    other = shutil.copytree(hub["vit"], tmp_path / "other")
    ViTImageProcessor(size=SQUARE, image_mean=[0.4, 0.5, 0.5]).save_pretrained(other)
    here, there = (with_a_bert(load_image_tower(folder))[1].preparation() for folder in (other, hub["vit"]))
    assert here != there


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_tower_saved_in_half_computes_in_full(dtype: torch.dtype, hub, pictures, tmp_path) -> None:
    model, processor = ViTModel.from_pretrained(hub["vit"]), AutoImageProcessor.from_pretrained(hub["vit"])
    model.to(dtype).save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {dtype}
    tower = load_image_tower(tmp_path)
    assert {parameter.dtype for parameter in tower.backbone.parameters()} == {torch.float32}
    found, full = features(tower, pictures), features(load_image_tower(hub["vit"]), pictures)
    assert found.dtype == torch.float32 and (found * full).sum(-1).min() > 0.99


# --- what is no image tower ---


def test_a_damaged_scene_network(places_folder, tmp_path) -> None:
    folder = shutil.copytree(places_folder, tmp_path / "copy")
    weights = folder / INT8_WEIGHTS
    save_file({name: tensor for name, tensor in load_file(weights).items() if "layer4" not in name}, weights)
    with pytest.raises(ValueError) as error:
        load_image_tower(folder)
    assert one_line(error, folder, "layer4")


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
        load_image_tower(tmp_path)
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
            tower = load_image_tower(tmp_path)
            found.append(features(tower, pictures))
        except ValueError as error:
            assert "\n" not in str(error) and str(tmp_path) in str(error)
            return
    assert torch.equal(*found)
    save_clip(*with_a_bert(tower), tmp_path / "saved")
    assert torch.equal(features(load_image_tower(tmp_path / "saved"), pictures), found[0])


def test_no_such_folder(tmp_path) -> None:
    with pytest.raises((ValueError, OSError), match="missing_folder"):
        load_image_tower(tmp_path / "missing_folder")
