"""Put the backbones of notebook 01 together: ImageNet's ResNet34 and the small bilingual DistilBERT.

    python -m recipes.backbones.export --resnet34 RUNS/weights/resnet34.safetensors --text RUNS/small_text_tower \
        --out helpers/assets/backbones

They are stored as one CLIP of ours whose image head has never been trained: notebook 01 takes the backbones alone, and
makes heads of its own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import DistilBertConfig, PreTrainedTokenizerFast

from helpers.clip import (
    CustomCLIP,
    CustomCLIPConfig,
    ImageTextProcessor,
    SquashImageProcessor,
    TorchvisionConfig,
    load_image_backbone,
    save_clip,
)
from recipes.backbones.train_text_tower import MAX_TOKENS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resnet34", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)

    model = CustomCLIP(
        CustomCLIPConfig(TorchvisionConfig("resnet34"), DistilBertConfig.from_pretrained(args.text), locked=True)
    )
    model.image.backbone.load_state_dict(load_image_backbone(args.resnet34))
    model.text.load_state_dict(load_file(args.text / "text_tower.safetensors"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.text)
    processor = ImageTextProcessor(SquashImageProcessor(), tokenizer, MAX_TOKENS)
    save_clip(model, processor, args.out, quantized=True)


if __name__ == "__main__":
    main()
