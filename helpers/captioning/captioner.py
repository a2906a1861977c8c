"""A captioner at work: pictures in, one Chinese sentence each out, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, PreTrainedModel, PreTrainedTokenizerBase

from helpers.captioning.clipcap import LONGEST, ClipCaptioner, ClipCaptionerConfig
from helpers.captioning.neighbours import CaptionedEmbeds
from helpers.poems import character_tokenizer
from helpers.storage import digest, load_strictly, network_of, weights_digest

if TYPE_CHECKING:
    from PIL import Image

    from helpers.chinese_clip import ImageTextEncoder

Decoding = Mapping[str, object]

BATCH = 64  # pictures whose captions are written at a time
GREEDY: Decoding = MappingProxyType({"do_sample": False})
BEAM: Decoding = MappingProxyType({"do_sample": False, "num_beams": 5})
STRATEGIES: Mapping[str, Decoding] = MappingProxyType({
    "greedy": GREEDY,
    "beam, 5": BEAM,
    "top-k 10": MappingProxyType({"do_sample": True, "top_k": 10}),
    "top-p 0.9": MappingProxyType({"do_sample": True, "top_k": 0, "top_p": 0.9}),
})  # fmt: skip


class Captioner:
    """A `ClipCaptioner`, its tokenizer, and the encoder whose embeddings it reads."""

    def __init__(
        self, model: ClipCaptioner, tokenizer: PreTrainedTokenizerBase, encoder: ImageTextEncoder | None = None
    ) -> None:
        """`encoder` is needed for pictures alone, not for `caption_embeds`."""
        self.model, self.tokenizer, self.encoder = model.eval(), tokenizer, encoder

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        encoder: ImageTextEncoder | None = None,
        local_files_only: bool = False,
        model_class: type[PreTrainedModel] = ClipCaptioner,
    ) -> Captioner:
        """Load a folder; it goes where the encoder is. ValueError for an encoder of another width or damaged files."""
        if Path(name).is_absolute() and not (Path(name) / "config.json").is_file():
            raise ValueError(f"there is no captioner at {name}: python -m helpers train clipcap --out {name} makes one")
        options = {"local_files_only": local_files_only}
        model = load_strictly(model_class.from_pretrained, model_class.config_class, name, **options)
        if encoder and encoder.dim != model.config.image_dim:
            raise ValueError(f"{name}: reads embeddings of {model.config.image_dim} numbers, not of {encoder.dim}")
        return cls(
            model.to(encoder.device if encoder else "cpu"), AutoTokenizer.from_pretrained(name, **options), encoder
        )

    @cached_property
    def fingerprint(self) -> str:
        """A key that changes when the captions do."""
        return digest(
            [weights_digest(self.model), network_of(self.model), str(sorted(self.tokenizer.get_vocab().items()))]
        )

    def caption(self, images: Sequence[Image.Image], decoding: Decoding = BEAM) -> list[str]:
        """A caption for each of N pictures of any size."""
        if self.encoder is None:
            raise ValueError("a captioner without an encoder reads embeddings alone: see `caption_embeds`")
        return self.caption_embeds(self.encoder.encode_images(images), decoding)

    def caption_embeds(self, image_embeds: np.ndarray, decoding: Decoding = BEAM) -> list[str]:
        """Embeddings (N, D), as the encoder makes them -> a caption each; `decoding`: options of `generate`."""
        embeds = torch.as_tensor(image_embeds, device=self.model.device, dtype=torch.float32)
        ends = {"eos_token_id": self.tokenizer.eos_token_id, "pad_token_id": self.tokenizer.pad_token_id}
        rows = [ids for block in embeds.split(BATCH) for ids in self.model.write(block, {**ends, **decoding})]
        return [self.text(ids) for ids in rows]

    def text(self, ids: torch.Tensor) -> str:
        """The caption that a row of tokens (T,) spells."""
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text.replace(" ", "")  # between the characters of a BERT's vocabulary, and padding


def new_captioner(
    train: CaptionedEmbeds, *, width: int = 192, layers: int = 3, heads: int = 3, dropout: float = 0.2,
    **settings: object,
) -> tuple[ClipCaptioner, PreTrainedTokenizerBase]:  # fmt: skip
    """An untrained captioner for these pictures, with a small GPT-2 over the characters of their captions.

    `settings`: further arguments of `ClipCaptionerConfig`.
    """
    tokenizer = character_tokenizer(sorted({char for group in train.captions for text in group for char in text}))
    config = ClipCaptionerConfig(image_dim=train.image_embeds.shape[1], **settings)
    config.text_config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=config.prefix_length + LONGEST, n_embd=width, n_layer=layers,
        n_head=heads, resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=0.0,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own in one step
        bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip  # no pad_token_id: if GPT-2 knew it, it would warn of the mask that generate leaves out
    model = ClipCaptioner(config)
    model.decoder.set_attn_implementation("eager")  # in training, of 30 tokens, on CPU: 1.5 times as fast
    model.centred.fit(train.image_embeds)
    return model, tokenizer


def with_decoder(
    name: str, train: CaptionedEmbeds, **settings: object
) -> tuple[ClipCaptioner, PreTrainedTokenizerBase]:
    """The same with a trained language model, by its hub id or folder, and only the mapping untrained.

    A BERT's vocabulary, as Chinese GPT-2s have it, ends a text with [SEP]. `settings`: see `ClipCaptionerConfig`.
    """
    tokenizer = AutoTokenizer.from_pretrained(name)
    decoder = AutoModelForCausalLM.from_pretrained(name)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = ClipCaptioner(ClipCaptionerConfig(decoder.config, train.image_embeds.shape[1], **settings))
    model.decoder = decoder
    model.centred.fit(train.image_embeds)
    return model, tokenizer
