"""Grad-CAM: where in a picture the image tower looks for a text.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", section 3.
The score to explain is not that of a class but the cosine with a text.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from helpers.clip.model import ImageTower


def gradcam(tower: ImageTower, pixels: torch.Tensor, text_embeds: torch.Tensor, layer: str = "layer4") -> torch.Tensor:
    """Maps of what speaks for the text, 1 at each map's strongest place; all 0 where nothing does.

    Args:
        tower: a trained image tower, left as it was found: no hook, no gradient, the same mode.
        pixels: normalised pixels (B, 3, H, W).
        text_embeds: unit embeddings (B, D), one text a picture.
        layer: the stage of the ResNet whose activations are weighed; an earlier one is finer and means less.

    Returns:
        (B, H, W) float32 in [0, 1], on the CPU.
    """
    kept: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_())  # a new beginning: nothing before it needs a gradient
        return kept[0]

    mode = tower.training
    hook = tower.backbone.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.enable_grad():
            cosines = (tower.eval()(pixels) * text_embeds).sum(-1)  # (B, D) * (B, D) -> (B,)
            (gradients,) = torch.autograd.grad(cosines.sum(), kept)  # (B, C, h, w)
    finally:
        hook.remove()
        tower.train(mode)
    weights = gradients.mean((2, 3), keepdim=True)  # (B, C, 1, 1): how much each channel speaks for the text
    maps = (weights * kept[0].detach()).sum(1, keepdim=True).relu()  # (B, 1, h, w)
    maps = F.interpolate(maps.float(), pixels.shape[2:], mode="bilinear")
    maps = maps / maps.amax((2, 3), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)
    return maps[:, 0].cpu()
