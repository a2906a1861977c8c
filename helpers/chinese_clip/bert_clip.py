"""BertCLIP: a locked image tower and a Chinese BERT that has learnt to meet it.

It is a `CustomCLIP` whose image backbone is locked, and loads and saves as one. Either tower also loads without the
other, as a plain model of transformers, say
`BertModel.from_pretrained(folder, key_mapping=TEXT_TOWER, add_pooling_layer=False)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers.chinese_clip.locked_tower import LockedTower, load_image_tower
from helpers.clip import (
    CustomCLIP,
    CustomCLIPConfig,
    ImageTextProcessor,
    bilingual_tokenizer,
    is_custom_clip,
    load_clip,
    without_pooler,
)
from helpers.storage import kind_of

TEXT_TOWER = {r"^text\.backbone\.": ""}  # names of weights in a BertCLIP -> those of the BERT alone
IMAGE_TOWER = {r"^image\.backbone\.": ""}
TEXT_KINDS = ("bert", "distilbert", "roberta", "electra")  # encoders that are fed with tokens and a mask alone
NEW_BERT = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}


def from_towers(
    image_tower: str | Path, text_model: str | Path, max_length: int = 40, **changes: object
) -> tuple[CustomCLIP, ImageTextProcessor]:
    """Two pretrained towers under new, untrained heads.

    Args:
        image_tower: hub id or folder of a ViT, a ResNet or a CLIP, or a folder of ours; stays as it is.
        text_model: hub id or folder of a Chinese BERT.
        max_length: tokens of a text.
        changes: fields of `CustomCLIPConfig`.

    Raises:
        ValueError: one of the two is something else.
    """
    bert, tokenizer = load_bert(text_model), AutoTokenizer.from_pretrained(text_model)
    return join_towers(load_image_tower(image_tower), bert, tokenizer, max_length, **changes)


def join_towers(
    tower: LockedTower,
    bert: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int = 40,
    **changes: object,
) -> tuple[CustomCLIP, ImageTextProcessor]:
    """`from_towers` with towers that are in memory already."""
    config = CustomCLIPConfig(tower.config, bert.config, locked=True, **changes)
    model = CustomCLIP(config, tower.backbone, bert)
    return model.eval(), ImageTextProcessor(tower.image_processor, tokenizer, max_length)


def load_bert(name: str | Path) -> PreTrainedModel:
    """A text encoder by hub id or folder, or that of a model of ours, without BERT's pooling layer."""
    if is_custom_clip(name):
        return load_clip(name)[0].text.backbone
    kind = kind_of(name)
    if kind not in TEXT_KINDS:
        raise ValueError(f"{name}: a {kind}, not one of {', '.join(TEXT_KINDS)}")
    config = AutoConfig.from_pretrained(name)
    if kind in ("bert", "roberta"):  # the others never had one
        config.has_pooler = False
    bert, report = AutoModel.from_pretrained(
        name, config=config, dtype=torch.float32, output_loading_info=True, **without_pooler(config)
    )
    if report["missing_keys"]:  # they would be drawn at random
        raise ValueError(f"{name}: no weights for {', '.join(sorted(report['missing_keys']))}")
    return bert


def new_bert(texts: Sequence[str], **changes: object) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """A small BERT that knows nothing yet, and a tokenizer of the characters and word pieces of `texts`.

    `changes` are fields of `BertConfig` other than the vocabulary.
    """
    tokenizer = bilingual_tokenizer(texts)
    config = BertConfig(
        vocab_size=len(tokenizer),
        has_pooler=False,
        **{"max_position_embeddings": 64, **NEW_BERT, **changes},
    )
    return BertModel(config, add_pooling_layer=False), tokenizer
