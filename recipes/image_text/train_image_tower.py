"""Train the ResNet34 image tower to land where CLIP's ViT-B/16 lands: distillation into CLIP's own space.

    python -m recipes.image_text.train_image_tower --flickr train.parquet --wallpapers FOLDER --teacher FILE FILE \\
        --resnet34 resnet34.safetensors --val val.parquet --val-teacher FILE --out runs/image_tower

First the head alone, on the features of the frozen tower, then the upper half of the tower with it at a small
learning rate (LP-FT, Kumar et al. 2022: so the fine-tuning does not spoil what ImageNet taught about the scenes that
Flickr lacks). The loss is the cosine distance to the teacher's embedding of the same view; wallpapers come with crops,
each with the teacher's own embedding. A run that was killed continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torchvision.transforms import v2
from tqdm import tqdm

from helpers.clip import IMAGENET_MEAN, IMAGENET_STD, ImageTower, ImageTowerConfig
from recipes.checkpoint import NAME as CHECKPOINT
from recipes.checkpoint import load_checkpoint, save_checkpoint
from recipes.image_text.bridge import sample_photos
from recipes.image_text.teacher_features import crop
from recipes.photos import read_photos

VAL_PHOTOS = 500


def squashed(photos, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """Every view of every photo at size x size: (N, V, 3, size, size) uint8."""
    views = np.empty((*boxes.shape[:2], size, size, 3), dtype=np.uint8)
    for i in tqdm(range(len(boxes)), desc="decode", unit="photo", mininterval=5):
        image = photos[i]
        for j, box in enumerate(boxes[i].tolist()):
            views[i, j] = crop(image, box).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(views).permute(0, 1, 4, 2, 3)


class Augment:
    """A slight crop and zoom, a mirror image, a little light and colour: (B, 3, H, W) uint8 -> normalised float."""

    def __init__(self, size: int) -> None:
        self.one = v2.Compose([
            v2.RandomResizedCrop(size, scale=(0.7, 1.0), ratio=(0.85, 1.18), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.15, 0.15, 0.1),
        ])  # fmt: skip

    def __call__(self, views: torch.Tensor) -> torch.Tensor:
        return normalise(torch.stack([self.one(view) for view in views]))


def normalise(views: torch.Tensor) -> torch.Tensor:
    pixels = (views.float() / 255 - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )
    return pixels.contiguous(memory_format=torch.channels_last)


def embed(tower: ImageTower, pixels: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return tower(pixels).float()


@torch.inference_mode()
def embed_all(tower: ImageTower, views: torch.Tensor, batch: int = 64) -> torch.Tensor:
    tower.eval()
    return torch.cat([embed(tower, normalise(block)) for block in views.split(batch)])


def train_mode(tower: ImageTower) -> ImageTower:
    """Training mode, but for the stem and the first two stages: edges and textures stay ImageNet's, half of the work
    is saved, and their BatchNorm statistics stay frozen too."""
    tower.train()
    backbone = tower.backbone
    backbone.layer3.train()  # the half that is trained adapts its BatchNorm too
    backbone.layer4.train()
    for frozen in (backbone.conv1, backbone.bn1, backbone.layer1, backbone.layer2):
        frozen.eval().requires_grad_(False)
    return tower


def probe_head(tower: ImageTower, views: torch.Tensor, targets: torch.Tensor, steps: int = 600) -> None:
    """Train the head alone on the frozen tower's features of all views (N, 3, S, S) against `targets` (N, 512)."""
    tower.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        blocks = tqdm(views.split(64), desc="features", mininterval=5)
        features = torch.cat([tower.backbone(normalise(block)).float() for block in blocks])
    head = tower.head.train()
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        some = torch.randint(len(features), (384,))
        loss = cosine_distance(F.normalize(head(features[some]), dim=-1), targets[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"head step {step}/{steps} loss {loss.item():.3f}", flush=True)


def cosine_distance(embeds: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cosine of unit vectors (B, D), (B, D)."""
    return 1 - (embeds * targets).sum(1).mean()


def load_backbone(tower: ImageTower, path: Path) -> None:
    """ImageNet weights (torchvision's keys, without the classifier) into the tower."""
    missing, unexpected = tower.backbone.load_state_dict(load_file(path), strict=False)
    assert not missing and set(unexpected) <= {"fc.weight", "fc.bias"}, (missing, unexpected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True)
    parser.add_argument("--wallpapers", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, nargs=2, required=True, help="features of Flickr8k, of the wallpapers")
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--val-teacher", type=Path, required=True)
    parser.add_argument("--resnet34", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="go on from the weights of another run, for one more cycle")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=2e-4)
    args = parser.parse_args()
    torch.manual_seed(0)

    teacher = [load_file(path) for path in args.teacher]
    stored = round(args.size * 1.15)
    flickr = squashed(read_photos(args.flickr), teacher[0]["boxes"][:, :1], stored)
    wallpapers = squashed(read_photos(args.wallpapers), teacher[1]["boxes"], stored)
    val = squashed(read_photos(args.val), torch.tensor([[[0.0, 0, 1, 1]]]).repeat(VAL_PHOTOS, 1, 1), args.size)[:, 0]
    val_targets = load_file(args.val_teacher)["image_embeds"][:VAL_PHOTOS, 0]
    tower = ImageTower.from_config(ImageTowerConfig())
    load_backbone(tower, args.resnet34)
    tower = tower.to(memory_format=torch.channels_last)
    if args.start:
        tower.load_state_dict(load_file(args.start / "image_tower.safetensors"))
    elif not (args.out / CHECKPOINT).exists():
        everything = torch.cat([flickr.flatten(0, 1), wallpapers.flatten(0, 1)])
        probe_head(tower, everything, torch.cat([features["image_embeds"].flatten(0, 1) for features in teacher]))
    train_mode(tower)
    augment = Augment(args.size)
    head = {"params": tower.head.parameters(), "lr": 2 * args.lr}
    backbone = {"params": [p for p in tower.backbone.parameters() if p.requires_grad], "lr": args.lr}
    optimizer = torch.optim.AdamW([head, backbone], weight_decay=0.05)
    rates = [2 * args.lr, args.lr]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=args.steps, pct_start=0.1)
    args.out.mkdir(parents=True, exist_ok=True)
    step, started = load_checkpoint(args.out, tower, optimizer, schedule), time.time()
    while step < args.steps:
        photos = sample_photos(len(flickr), len(flickr) + len(wallpapers), args.batch_size, share=0.3)
        view = torch.randint(wallpapers.shape[1], (len(photos),))
        is_wallpaper = photos >= len(flickr)
        pool = [(wallpapers, teacher[1], int(p) - len(flickr), int(v)) if w else (flickr, teacher[0], int(p), 0)
                for p, v, w in zip(photos, view, is_wallpaper, strict=True)]  # fmt: skip
        pixels = augment(torch.stack([images[i, j] for images, _, i, j in pool]))
        targets = torch.stack([features["image_embeds"][i, j] for _, features, i, j in pool])
        loss = cosine_distance(embed(tower, pixels), targets)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        step += 1
        if step % 20 == 0:
            print(f"step {step}/{args.steps} loss {loss.item():.3f} {(time.time() - started) / 60:.1f} min", flush=True)
        if step % 200 == 0 or step == args.steps:
            cosine = (embed_all(tower, val) * val_targets).sum(1).mean().item()
            train_mode(tower)
            print(f"step {step} val cosine to the teacher {cosine:.4f}", flush=True)
            save_checkpoint(args.out, step, tower, optimizer, schedule)
    state = {name: tensor.contiguous() for name, tensor in tower.state_dict().items()}
    save_file(state, args.out / "image_tower.safetensors")


if __name__ == "__main__":
    main()
