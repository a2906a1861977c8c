"""Put the trained towers together as the embedded image-text model.

    python -m recipes.image_text.export --image runs/image_tower --text runs/text_tower --reference EMBEDS EMBEDS \
        --out helpers/assets/image_text

Writes config.json, model.int8.safetensors, tokenizer files and the embeddings of the reference pictures: all
wallpapers and as many Flickr photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import DistilBertConfig, PreTrainedTokenizerFast

from helpers.clip import (
    CustomCLIP,
    CustomCLIPConfig,
    ImageTextProcessor,
    SquashImageProcessor,
    TorchvisionConfig,
    save_clip,
)
from recipes.image_text.train_text_tower import MAX_TOKENS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--reference", type=Path, nargs=2, required=True, help="of Flickr8k, of the wallpapers")
    parser.add_argument("--size", type=int, required=True, help="side of the square picture, in pixels")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    model = CustomCLIP(CustomCLIPConfig(TorchvisionConfig("resnet34"), DistilBertConfig.from_pretrained(args.text)))
    model.image.load_state_dict(load_file(args.image / "image_tower.safetensors"))
    model.text.load_state_dict(load_file(args.text / "text_tower.safetensors"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.text)
    save_clip(
        model, ImageTextProcessor(SquashImageProcessor(args.size), tokenizer, MAX_TOKENS), args.out, quantized=True
    )
    flickr, wallpapers = (load_file(path)["image_embeds"][:, 0] for path in args.reference)
    reference = torch.cat([wallpapers, flickr[: len(wallpapers)]]).half().contiguous()
    save_file({"image_embeds": reference}, args.out / "reference_image_embeds.safetensors")


if __name__ == "__main__":
    main()
