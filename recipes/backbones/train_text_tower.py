"""Train the bilingual DistilBERT text tower against frozen image features (LiT, Zhai et al. 2022) and the bridge.

    python -m recipes.backbones.train_text_tower --flickr train.parquet --image-embeds FILE FILE --bridge FILE \
        --clip-words vitb16_vocab.npz --lines poems.txt --out runs/small_text_tower

Every step sees photos with one English and one Chinese caption each (contrastive against the image features, and
pulled to where the bridge puts the caption), and a handful of words, glosses and lines of verse whose place is known. A
run that was killed continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast

from helpers.clip import TextTower, bilingual_tokenizer, contrastive_loss
from helpers.keywords import load_vocabulary
from recipes.backbones.bridge import flat_captions, sample_captions, sample_photos
from recipes.checkpoint import train
from recipes.clip_features import read_features
from recipes.texts import clip_words, flickr_captions, imagery_lines, wallpaper_captions

MAX_TOKENS = 40


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return F.normalize(vectors.float(), dim=-1)


def word_bank(
    bridge: dict[str, torch.Tensor], clip_vocabulary: Path, lines: list[str]
) -> tuple[list[str], torch.Tensor]:
    """Texts without a photo and where they belong: (W,), (W, 512).

    A word of CLIP's: half its own CLIP vector, half the bridge's. A keyword: mostly its English gloss, since the
    sentence encoder knows little classical Chinese. A line of verse: the mean of the keywords in it.
    """
    clip_texts, clip_vectors = clip_words(clip_vocabulary)
    keywords = load_vocabulary()
    clip_targets = unit(torch.from_numpy(clip_vectors) + bridge["words"].float())
    keyword_targets = unit(0.35 * bridge["keywords"].float() + 0.65 * bridge["glosses"].float())
    verse = imagery_lines(lines, count=20_000)
    verse_targets = torch.stack([keyword_targets[hits].mean(0) for _, hits in verse])
    texts = clip_texts + [k.word for k in keywords] + [k.gloss for k in keywords] + [line for line, _ in verse]
    return texts, unit(torch.cat([clip_targets, keyword_targets, bridge["glosses"].float(), verse_targets]))


def tokenize(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Token ids, padded to the longest: (N, T) as int16 (they stay in memory)."""
    ids = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="np")["input_ids"]
    return torch.from_numpy(ids.astype(np.int16))


def encode(tower: TextTower, ids: torch.Tensor) -> torch.Tensor:
    """Padded ids (B, T) -> unit embeddings (B, D); columns that are all padding are cut off."""
    mask = (ids != 0).long()  # [PAD] is 0
    length = int(mask.sum(1).max())
    with torch.autocast(ids.device.type, torch.bfloat16):
        return tower(ids[:, :length].long(), mask[:, :length]).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True)
    parser.add_argument("--image-embeds", type=Path, nargs=2, required=True)
    parser.add_argument("--bridge", type=Path, required=True)
    parser.add_argument("--clip-words", type=Path, required=True)
    parser.add_argument("--lines", type=Path, required=True, help="lines of verse, one a line")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--batch-size", type=int, default=192)
    parser.add_argument("--lr", type=float, default=7e-4)
    args = parser.parse_args()
    torch.manual_seed(0)

    flickr = flickr_captions(args.flickr)
    captions = flickr + wallpaper_captions()
    image_embeds = unit(torch.cat(read_features(args.image_embeds)))
    bridge = load_file(args.bridge)
    bank_texts, bank_targets = word_bank(bridge, args.clip_words, args.lines.read_text(encoding="utf-8").split())
    (english, owners_en), (chinese, owners_zh) = flat_captions(captions.english), flat_captions(captions.chinese)

    if (args.out / "tokenizer.json").exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(args.out)
    else:
        tokenizer = bilingual_tokenizer(english + chinese + bank_texts)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(args.out)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=256, n_layers=4, n_heads=4, hidden_dim=1024,
                              max_position_embeddings=64)  # fmt: skip
    config.save_pretrained(args.out)
    tower = TextTower(DistilBertModel(config)).train()
    tower.backbone.set_attn_implementation("eager")  # for sequences this short faster than sdpa, on a CPU
    weights = sum(p.numel() for p in tower.parameters())
    print(f"{len(captions):,} photos, {len(bank_texts):,} other texts, {len(tokenizer):,} tokens, {weights:,} weights")

    tower.logit_scale = torch.nn.Parameter(torch.tensor(3.5))  # of the training alone, but part of its checkpoints
    optimizer = torch.optim.AdamW(tower.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.steps, pct_start=0.1)
    languages = [
        (tokenize(tokenizer, english), owners_en, bridge["en"]),
        (tokenize(tokenizer, chinese), owners_zh, bridge["zh"]),
    ]
    bank_ids = tokenize(tokenizer, bank_texts)
    known = len(bank_texts) - 20_000  # words and glosses come as often as the lines, which are many more

    def loss_at(step: int) -> torch.Tensor:
        photos = sample_photos(len(flickr), len(captions), args.batch_size)
        loss = 0
        for ids, owners, bridge_embeds in languages:
            chosen = sample_captions(owners, photos)
            texts = encode(tower, ids[chosen])
            loss = loss + contrastive_loss(image_embeds[photos], texts, tower.logit_scale) / 2
            loss = loss + (1 - (texts * bridge_embeds[chosen].float()).sum(1)).mean()
        some = torch.cat([torch.randint(known, (96,)), torch.randint(known, len(bank_texts), (64,))])
        loss = loss + 2 * (1 - (encode(tower, bank_ids[some]) * bank_targets[some]).sum(1)).mean()
        return loss

    scales = (tower.logit_scale,)
    train(args.out, tower, optimizer, schedule, args.steps, loss_at, scales, say_every=50, keep_every=250)
    del tower.logit_scale
    save_file(tower.state_dict(), args.out / "text_tower.safetensors")


if __name__ == "__main__":
    main()
