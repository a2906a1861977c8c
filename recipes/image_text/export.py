"""Put CLIP's own image tower and the trained text tower together as the embedded image-text model.

    python -m recipes.image_text.export --clip RUNS/weights/clip_vitb16_vision.safetensors --text RUNS/text_tower \
        --features FLICKR WALLPAPERS --out helpers/assets/image_text

Writes config.json, the weights in eight bits, tokenizer files and the embeddings of the reference pictures: all
wallpapers and as many Flickr photos. The image tower stays as OpenAI published it; its head only takes away most of
the mean of Flickr's features.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from helpers.clip import CustomCLIP, CustomCLIPConfig, ImageTextProcessor, SquashImageProcessor, save_clip
from helpers.pipeline import REFERENCE
from recipes.clip_features import BLUR, MEAN, SIZE, STD, load_image_tower, read_features
from recipes.image_text.teacher import about_mean, offset
from recipes.image_text.train_text_tower import MAX_TOKENS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--features", type=Path, nargs=2, required=True, help="of Flickr8k, of the wallpapers")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    tower = load_image_tower(args.clip)
    text_config = BertConfig.from_pretrained(args.text)
    text_config.has_pooler = False
    config = CustomCLIPConfig(tower.config, text_config, pooling="cls", locked=True, image_head="shift", mirrored=False)
    model = CustomCLIP(config, tower, BertModel(text_config, add_pooling_layer=False))
    text = load_file(args.text / "text_tower.safetensors")
    model.logit_scale.data = text.pop("logit_scale")
    model.text.load_state_dict(text)
    features = read_features(args.features)
    model.image.head.offset.data = offset()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.text)
    processor = ImageTextProcessor(SquashImageProcessor(SIZE, MEAN, STD, BLUR), tokenizer, MAX_TOKENS)
    save_clip(model, processor, args.out, quantized=True)

    flickr, wallpapers = about_mean(features)
    reference = torch.cat([wallpapers, flickr[: len(wallpapers)]]).half().contiguous()
    save_file({"image_embeds": reference}, args.out / REFERENCE)


if __name__ == "__main__":
    main()
