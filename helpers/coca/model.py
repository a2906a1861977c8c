"""A small CoCa on stored picture embeddings: one model that finds and that tells (Yu et al. 2022, arXiv:2205.01917).

open_clip has the CoCa; ours differs in its eye alone, which reads an embedding instead of pixels.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init

from helpers.captioning import Centred, MLPMapping, plain_products
from helpers.coca.beams import open_clip

DUMMY_EYE = {"image_size": 8, "patch_size": 8, "layers": 1, "width": 64, "output_tokens": True}  # replaced at once


class FeatureCoCaConfig(PreTrainedConfig):
    """A CoCa on embeddings.

    Args:
        vocab_size: tokens, among them `bos_token_id`, `eos_token_id` and `pad_token_id`.
        image_dim: D, the width of the pictures' embeddings.
        dim: E, the width of the space in which it finds.
        hidden_size: W, the width of its three parts.
        layers: of the text tower, and twice of the decoder, which looks at the text and at the picture in turn.
        heads: in each of them.
        prefix_length: k, the vectors that a picture becomes for the decoder to look at.
        context_length: T, tokens of a text, its begin and end counted in; shorter ones are padded, since the text tower
            reads the whole off a last token that stands behind the pads.
    """

    model_type = "feature_coca"

    def __init__(
        self, vocab_size: int = 1000, image_dim: int = 512, dim: int = 256, hidden_size: int = 192, layers: int = 3,
        heads: int = 3, prefix_length: int = 10, context_length: int = 26, **kwargs: object,
    ) -> None:  # fmt: skip
        self.vocab_size, self.image_dim, self.dim, self.hidden_size = vocab_size, image_dim, dim, hidden_size
        self.layers, self.heads, self.prefix_length = layers, heads, prefix_length
        self.context_length = context_length
        super().__init__(**kwargs)


class FeatureTower(nn.Module):
    """An eye that reads embeddings: for the contrast one vector, for the decoder k of them."""

    def __init__(self, config: FeatureCoCaConfig) -> None:
        super().__init__()
        self.centred = Centred(config.image_dim)
        self.project = nn.Linear(config.image_dim, config.dim)
        self.mapping = MLPMapping(config.image_dim, config.hidden_size, config.prefix_length, 0)

    def forward(self, image_embeds: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> (B, E), (B, k, W)."""
        centred = self.centred(image_embeds)
        return self.project(centred), self.mapping(centred)


class FeatureCoCa(PreTrainedModel):
    """open_clip's CoCa, with a `FeatureTower`."""

    config_class = FeatureCoCaConfig

    def __init__(self, config: FeatureCoCaConfig) -> None:
        super().__init__(config)
        text = {
            "context_length": config.context_length, "vocab_size": config.vocab_size, "width": config.hidden_size,
            "heads": config.heads, "layers": config.layers,
        }  # fmt: skip
        text_tower = {**text, "embed_cls": True, "output_tokens": True, "pad_id": config.pad_token_id}
        self.coca = open_clip.CoCa(config.dim, text, text_tower, DUMMY_EYE, pad_id=config.pad_token_id)
        self.coca.visual = FeatureTower(config)
        self.coca.text.correct_cls_mask = True  # for the weights that are published open_clip keeps a shifted mask
        mend(self.coca)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Masks are not stored, and a model that is loaded begins without them."""
        for build in ("build_causal_mask", "build_attention_mask"):
            if hasattr(module, build):
                init.copy_(module.attn_mask, getattr(module, build)())

    @property
    def centred(self) -> Centred:
        return self.coca.visual.centred

    def forward(self, image_embeds: Tensor, input_ids: Tensor) -> dict[str, Tensor]:
        """Embeddings (B, D) and texts (B, T) -> `image_features` and `text_features` (B, E) of length 1, `logit_scale`,
        and for all tokens but the first `logits` (B, T - 1, V), from the picture and all before, and `labels`."""
        with plain_products(image_embeds.device):
            return self.coca(image_embeds, input_ids)

    def write(self, image_embeds: Tensor, decoding: Mapping[str, object]) -> Tensor:
        """Embeddings (B, D) -> the tokens of a caption each, (B, T), by options of transformers' `generate`."""
        return self.coca.generate(
            image_embeds,
            seq_len=self.config.context_length,
            max_seq_len=self.config.context_length,
            min_seq_len=1,
            sot_token_id=self.config.bos_token_id,
            eos_token_id=self.config.eos_token_id,
            pad_token_id=self.config.pad_token_id,
            **as_open_clip(decoding),
        )


def as_open_clip(decoding: Mapping[str, object]) -> dict[str, object]:
    """Options of transformers' `generate` as those of open_clip's: beams in one group, of which one is greedy, top-p or
    top-k. Raises ValueError for what open_clip cannot do."""
    known = {"do_sample", "num_beams", "top_k", "top_p", "temperature", "eos_token_id", "pad_token_id"}
    if unknown := set(decoding) - known:
        raise ValueError(f"open_clip's generate has no option {', '.join(sorted(unknown))}")
    beams, top_p = decoding.get("num_beams", 1), decoding.get("top_p", 1.0)
    top_k = decoding.get("top_k", 50 if top_p == 1 else 0)
    if not decoding.get("do_sample"):
        return {"generation_type": "beam_search", "num_beams": beams, "num_beam_groups": 1}
    if beams > 1 or (top_k and top_p < 1):
        raise ValueError("open_clip samples without beams, and by top-k or by top-p, not both")
    way = {"temperature": decoding.get("temperature", 1.0)}
    if top_k:
        return {**way, "generation_type": "top_k", "top_k": top_k}
    return {**way, "generation_type": "top_p", "top_p": top_p}


def mend(coca: open_clip.CoCa, pretrained: bool = False) -> open_clip.CoCa:
    """Two faults of open_clip 3.3.0.

    `text_projection` is memory as it was found: it gets the numbers that it was meant to have, unless they come from
    published weights. And the beam search adds up raw logits, of which each step has others: as log-probabilities they
    can be added, and no other use of them changes.
    """
    if not pretrained:
        projection = coca.text_decoder.text_projection  # (W, V)
        nn.init.normal_(projection, std=projection.shape[0] ** -0.5)
    coca.register_forward_hook(_with_log_probabilities)
    return coca


def _with_log_probabilities(coca: open_clip.CoCa, inputs: tuple, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
    if "logits" in outputs:
        outputs["logits"] = outputs["logits"].log_softmax(-1)
    return outputs


AutoConfig.register(FeatureCoCaConfig.model_type, FeatureCoCaConfig)
