"""clip.grad_cam: against Grad-CAM written out, and that the tower is left as it was found."""

import pytest
import torch
from torch.nn import functional as F

from helpers.clip import ImageTower, ImageTowerConfig, gradcam


@pytest.fixture(scope="module")
def tower() -> ImageTower:
    torch.manual_seed(0)
    return ImageTower.from_config(ImageTowerConfig(dim=16)).eval()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def texts() -> torch.Tensor:
    return F.normalize(torch.randn(3, 16, generator=torch.Generator().manual_seed(2)), dim=-1)


def by_hand(tower: ImageTower, pixels: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Equations 1 and 2 of the paper for one picture (1, 3, H, W) -> (h, w), not yet scaled."""
    net = tower.backbone
    x = net.maxpool(net.relu(net.bn1(net.conv1(pixels))))
    activations = net.layer4(net.layer3(net.layer2(net.layer1(x)))).detach().requires_grad_()
    embed = F.normalize(tower.head(activations.mean((2, 3))), dim=-1)
    (embed @ text).sum().backward()
    total = torch.zeros(activations.shape[2:])
    for channel in range(activations.shape[1]):
        total += activations.grad[0, channel].mean() * activations[0, channel].detach()
    return total.clamp(min=0)


def test_maps_equal_the_paper_s_formula(tower, pixels, texts) -> None:
    maps = gradcam(tower, pixels, texts)
    assert maps.shape == (3, 96, 64)
    for picture, text, got in zip(pixels, texts, maps, strict=True):
        expected = by_hand(tower, picture[None], text)
        expected = F.interpolate(expected[None, None], (96, 64), mode="bilinear")[0, 0]
        expected = expected / expected.max()
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_maps_lie_between_0_and_1_and_depend_on_the_text(tower, pixels, texts) -> None:
    maps = gradcam(tower, pixels, texts)
    assert maps.min() >= 0 and maps.max() <= 1
    assert not torch.allclose(maps, gradcam(tower, pixels, texts.roll(1, 0)), atol=1e-2)


def test_a_picture_s_map_does_not_depend_on_the_others(tower, pixels, texts) -> None:
    alone = gradcam(tower, pixels[1:2], texts[1:2])
    torch.testing.assert_close(gradcam(tower, pixels, texts)[1:2], alone, atol=1e-4, rtol=1e-4)


def test_an_earlier_layer_can_be_asked(tower, pixels, texts) -> None:
    assert gradcam(tower, pixels, texts, layer="layer3").shape == (3, 96, 64)


@pytest.mark.parametrize("training", [True, False])
def test_the_tower_is_left_as_it_was(tower, pixels, texts, training: bool) -> None:
    tower.train(training)
    before = {name: tensor.clone() for name, tensor in tower.state_dict().items()}
    with torch.no_grad():  # works where gradients are switched off, too
        gradcam(tower, pixels, texts)
    assert tower.training == training
    assert not any(module._forward_hooks for module in tower.modules())
    assert all(parameter.grad is None for parameter in tower.backbone.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in tower.state_dict().items())
    tower.eval()


def test_the_hook_is_removed_after_an_error(tower, pixels, texts) -> None:
    with pytest.raises(RuntimeError):
        gradcam(tower, pixels, texts[:, :5])  # another dimension
    assert not any(module._forward_hooks for module in tower.modules())
