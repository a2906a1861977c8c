"""BertCLIP: a locked image tower and a Chinese BERT that has learnt to meet it, in memory and as a folder.

A folder holds config.json, heads.safetensors, and either tower in a folder of its own, each of which loads without the
other: `BertModel.from_pretrained(folder / "text", add_pooling_layer=False)` is a plain BERT again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers.chinese_clip.locked_tower import ImageBackbone, LockedImageTower, load_image_tower
from helpers.clip import Bundle, CustomCLIP, ProjectionHeads, TextTower, bilingual_tokenizer
from helpers.storage import CONFIG, INT8_WEIGHTS, kind_of, load_weights, model_type, quantize, save_quantized

BERT_CLIP = "bert_clip"
HEADS, IMAGE, TEXT = "heads.safetensors", "image", "text"
TEXT_KINDS = ("bert", "distilbert", "roberta", "electra")  # encoders that are fed with tokens and a mask alone
NEW_BERT = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024}


@dataclass(frozen=True)
class BertCLIPConfig:
    """What is needed besides the towers to build a BertCLIP."""

    dim: int = 512
    pooling: str = "mean"  # a name of helpers.clip.model.POOLING
    dropout: float = 0.1  # of the projection heads, in training
    max_tokens: int = 40


class BertCLIPBundle(Bundle):
    """A `CustomCLIP` of a `LockedImageTower` and a BERT; `config` is a `BertCLIPConfig`."""

    @classmethod
    def from_towers(cls, image_tower: str | Path, text_model: str | Path, **changes: object) -> BertCLIPBundle:
        """Two pretrained towers under new, untrained heads.

        Args:
            image_tower: hub id or folder of a ViT, a ResNet or a CLIP, or a folder of ours; stays as it is.
            text_model: hub id or folder of a Chinese BERT.
            changes: fields of `BertCLIPConfig`.

        Raises:
            ValueError: one of the two is something else.
        """
        bert = load_bert(text_model)
        return cls.of(load_image_tower(image_tower), bert, AutoTokenizer.from_pretrained(text_model), **changes)

    @classmethod
    def of(
        cls, backbone: ImageBackbone, bert: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **changes: object
    ) -> BertCLIPBundle:
        """The same from towers that are in memory already."""
        config = BertCLIPConfig(**changes)
        image = LockedImageTower(backbone, config.dim, config.dropout)
        text = TextTower(bert, config.dim, config.pooling, config.dropout)
        return cls(CustomCLIP(image, text).eval(), tokenizer, config)

    @classmethod
    def load(cls, folder: str | Path, **changes: object) -> BertCLIPBundle:
        """Read a folder, with some fields of its `BertCLIPConfig` changed; ValueError if it holds no BertCLIP."""
        folder = Path(folder)
        if model_type(folder) != BERT_CLIP:
            raise ValueError(f"{folder}: no BertCLIP in this folder (its {CONFIG} should say {BERT_CLIP!r})")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        fields = {key: value for key, value in (config | changes).items() if key != "model_type"}
        try:
            bundle = cls.from_towers(folder / IMAGE, folder / TEXT, **fields)
            load_weights(ProjectionHeads(bundle.model), folder / HEADS)
        except (TypeError, KeyError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{folder}: damaged, or not the weights that its {CONFIG} describes") from error
        return bundle

    def save(self, folder: str | Path, quantized: bool = False) -> None:
        """Write the folder that `load` reads, made if need be; config.json last, since it makes it a BertCLIP.

        `quantized`: the BERT and the heads to eight bits, a quarter of the size.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).unlink(missing_ok=True)  # of an earlier one, which is a BertCLIP no longer from here on
        self.model.image.backbone.save(folder / IMAGE)
        save_bert(self.model.text.backbone, folder / TEXT, quantized)
        self.tokenizer.save_pretrained(folder / TEXT)
        heads = {name: tensor.contiguous() for name, tensor in ProjectionHeads(self.model).state_dict().items()}
        save_file(quantize(heads) if quantized else heads, folder / HEADS)
        config = {"model_type": BERT_CLIP, **asdict(self.config)}
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def pixels(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return self.model.image.backbone.pixels(images)

    def preparation(self) -> str:
        return self.model.image.backbone.preparation()


def load_bert(name: str | Path) -> PreTrainedModel:
    """A text encoder by hub id or folder, without the pooling layer of BERT's sentence-pair game."""
    kind = kind_of(name)
    if kind not in TEXT_KINDS:
        raise ValueError(f"{name}: a {kind}, not one of {', '.join(TEXT_KINDS)}")
    pooler = {} if kind in ("distilbert", "electra") else {"add_pooling_layer": False}  # those two never had one
    if (Path(name) / INT8_WEIGHTS).is_file():
        bert = AutoModel.from_config(AutoConfig.from_pretrained(name), **pooler)
        load_weights(bert, Path(name) / INT8_WEIGHTS)
        return bert.eval()
    bert, report = AutoModel.from_pretrained(name, dtype=torch.float32, output_loading_info=True, **pooler)
    if report["missing_keys"]:  # they would be drawn at random
        raise ValueError(f"{name}: no weights for {', '.join(sorted(report['missing_keys']))}")
    return bert


def save_bert(bert: PreTrainedModel, folder: Path, quantized: bool) -> None:
    """Write the folder that `load_bert` reads; in eight bits no other program reads it."""
    for weights in (INT8_WEIGHTS, "model.safetensors"):
        (folder / weights).unlink(missing_ok=True)  # a folder holds one model
    if not quantized:
        bert.save_pretrained(folder)
        return
    bert.config.save_pretrained(folder)
    save_quantized(bert.state_dict(), folder / INT8_WEIGHTS)


def new_bert(texts: Sequence[str], **changes: object) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """A small BERT that knows nothing yet, and a tokenizer of the characters and word pieces of `texts`.

    `changes` are fields of `BertConfig` other than the vocabulary.
    """
    tokenizer = bilingual_tokenizer(texts)
    config = BertConfig(vocab_size=len(tokenizer), **{"max_position_embeddings": 64, **NEW_BERT, **changes})
    return BertModel(config, add_pooling_layer=False), tokenizer
