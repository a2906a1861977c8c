"""Train the ResNet34 image tower to land where CLIP's ViT-B/16 lands: distillation into CLIP's own space.

    python -m training.train_image_tower --flickr train.parquet --wallpapers FOLDER --teacher FILE FILE \
        --resnet34 resnet34.safetensors --bridge FILE --val val.parquet --val-teacher FILE --out runs/image_tower

Three losses: the cosine to the teacher's embedding of the same view; the teacher's distribution over the imagery
words (what the product asks for); and which caption of the batch belongs to which photo. Wallpapers come with
crops, each with the teacher's own embedding. A run that was killed continues from its last checkpoint.
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

from helpers.clip import ImageTower, contrastive_loss
from training.bridge import flatten, sample_captions, sample_photos
from training.checkpoint import load_checkpoint, save_checkpoint
from training.photos import read_photos
from training.teacher_features import crop
from training.texts import flickr_captions, wallpaper_captions

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which the ResNet34 weights expect
WORD_TEMPERATURE = 0.02  # of the teacher's distribution over the imagery words
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
    pixels = (views.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    return pixels.contiguous(memory_format=torch.channels_last)


def embed(tower: ImageTower, pixels: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return tower(pixels).float()


@torch.inference_mode()
def embed_all(tower: ImageTower, views: torch.Tensor, batch: int = 64) -> torch.Tensor:
    tower.eval()
    return torch.cat([embed(tower, normalise(block)) for block in views.split(batch)])


def train_mode(tower: ImageTower) -> ImageTower:
    """Training mode, but for the stem and the first stage: edges and textures stay ImageNet's, a third of the work
    is saved, and their BatchNorm statistics stay frozen too."""
    tower.train()
    for frozen in (tower.backbone.conv1, tower.backbone.bn1, tower.backbone.layer1):
        frozen.eval().requires_grad_(False)
    return tower


def word_loss(embeds: torch.Tensor, targets: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the student's distribution over the words (M, 512) to the teacher's, for (B, 512) each."""
    teacher = F.softmax(targets @ words.T / WORD_TEMPERATURE, dim=1)  # (B, M)
    student = F.log_softmax(embeds @ words.T / WORD_TEMPERATURE, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean")


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
    parser.add_argument("--bridge", type=Path, required=True)
    parser.add_argument("--resnet34", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=4e-4)
    args = parser.parse_args()
    torch.manual_seed(0)

    teacher = [load_file(path) for path in args.teacher]
    stored = round(args.size * 1.15)
    flickr = squashed(read_photos(args.flickr), teacher[0]["boxes"][:, :1], stored)
    wallpapers = squashed(read_photos(args.wallpapers), teacher[1]["boxes"], stored)
    val = squashed(read_photos(args.val), torch.tensor([[[0.0, 0, 1, 1]]]).repeat(VAL_PHOTOS, 1, 1), args.size)[:, 0]
    val_targets = load_file(args.val_teacher)["image_embeds"][:VAL_PHOTOS, 0]
    bridge = {name: F.normalize(v.float(), dim=-1) for name, v in load_file(args.bridge).items()}
    words = F.normalize(bridge["keywords"] + bridge["glosses"], dim=-1)
    captions = flickr_captions(args.flickr) + wallpaper_captions()
    owners = {"en": flatten(captions.english)[1], "zh": flatten(captions.chinese)[1]}

    tower = ImageTower()
    load_backbone(tower, args.resnet34)
    tower = train_mode(tower.to(memory_format=torch.channels_last))
    augment = Augment(args.size)
    head = {"params": tower.head.parameters(), "lr": 5 * args.lr}
    backbone = {"params": [p for p in tower.backbone.parameters() if p.requires_grad], "lr": args.lr}
    optimizer = torch.optim.AdamW([head, backbone], weight_decay=0.05)
    rates = [5 * args.lr, args.lr]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=args.steps, pct_start=0.1)
    logit_scale = torch.tensor(3.6)
    args.out.mkdir(parents=True, exist_ok=True)
    step, started = load_checkpoint(args.out, tower, optimizer, schedule), time.time()
    while step < args.steps:
        photos = sample_photos(len(flickr), len(captions), args.batch_size, share=0.4)
        view = torch.randint(wallpapers.shape[1], (len(photos),))
        is_wallpaper = photos >= len(flickr)
        pool = [(wallpapers, teacher[1], int(p) - len(flickr), int(v)) if w else (flickr, teacher[0], int(p), 0)
                for p, v, w in zip(photos, view, is_wallpaper, strict=True)]  # fmt: skip
        pixels = augment(torch.stack([images[i, j] for images, _, i, j in pool]))
        targets = torch.stack([features["image_embeds"][i, j] for _, features, i, j in pool])
        embeds = embed(tower, pixels)
        loss = 2 * (1 - (embeds * targets).sum(1).mean()) + word_loss(embeds, targets, words)
        for language in ("en", "zh"):
            texts = bridge[language][sample_captions(owners[language], photos)]
            loss = loss + contrastive_loss(embeds, texts, logit_scale) / 4
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
