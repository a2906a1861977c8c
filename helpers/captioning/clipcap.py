"""ClipCap: a picture's vector becomes a prefix, and a GPT-2 writes on (Mokady et al. 2021, arXiv:2111.09734)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from helpers.captioning.prefix import MAPPINGS, Centred
from helpers.clip import as_config
from helpers.poems import IGNORED

LONGEST = 48  # tokens of a caption, its end token counted in


class ClipCaptionerConfig(PreTrainedConfig):
    """A captioner.

    Args:
        text_config: the decoder, a GPT-2 or another causal language model of transformers.
        image_dim: D, the width of the pictures' embeddings.
        mapping: a name of `prefix.MAPPINGS`.
        prefix_length: k, the vectors that a picture becomes.
        constants: vectors that stand for the picture inside the Transformer mapping.
    """

    model_type = "clip_captioner"
    sub_configs = {"text_config": AutoConfig}

    def __init__(
        self,
        text_config: dict | PreTrainedConfig | None = None,
        image_dim: int = 512,
        mapping: str = "mlp",
        prefix_length: int = 10,
        constants: int = 10,
        **kwargs: object,
    ) -> None:
        self.text_config = as_config(text_config, GPT2Config.model_type)
        self.image_dim = image_dim
        self.mapping = mapping
        self.prefix_length = prefix_length
        self.constants = constants
        super().__init__(**kwargs)


class ClipCaptioner(PreTrainedModel):
    """A mapping and a decoder; what stands before the caption is no text, but the picture."""

    config_class = ClipCaptionerConfig
    _tied_weights_keys = {"decoder.lm_head.weight": "decoder.transformer.wte.weight"}

    def __init__(self, config: ClipCaptionerConfig) -> None:
        super().__init__(config)
        self.decoder = AutoModelForCausalLM.from_config(config.text_config)
        width = config.text_config.hidden_size
        self.centred = Centred(config.image_dim)
        self.mapping = MAPPINGS[config.mapping](config.image_dim, width, config.prefix_length, config.constants)
        self.post_init()

    def prefix(self, image_embeds: Tensor) -> Tensor:
        """Embeddings (B, D) -> what stands before their captions, (B, k, W)."""
        return self.mapping(self.centred(image_embeds))

    def forward(self, image_embeds: Tensor, input_ids: Tensor, attention_mask: Tensor) -> CausalLMOutput:
        """Embeddings (B, D) and captions (B, T) -> logits (B, T, V), those for each token from all before it.

        The loss is the mean over the tokens, end tokens counted in and pads left out: a model that learns its pads
        reports a lower loss and says less.
        """
        prefix = self.prefix(image_embeds)  # (B, k, W)
        texts = self.decoder.get_input_embeddings()(input_ids)  # (B, T, W)
        whole = torch.cat([prefix, texts], 1)  # (B, k + T, W)
        mask = F.pad(attention_mask, (prefix.shape[1], 0), value=1)
        logits = self.decoder(inputs_embeds=whole, attention_mask=mask).logits  # (B, k + T, V)
        logits = logits[:, prefix.shape[1] - 1 : -1]  # the last vector of the prefix tells the first token
        labels = input_ids.masked_fill(attention_mask == 0, IGNORED)
        loss = F.cross_entropy(logits.transpose(1, 2).float(), labels, ignore_index=IGNORED)
        return CausalLMOutput(loss=loss, logits=logits)

    @torch.inference_mode()
    def write(self, image_embeds: Tensor, decoding: Mapping[str, object]) -> Tensor:
        """Embeddings (B, D) -> the tokens of a caption each, (B, T), by options of `generate`."""
        prefix = self.prefix(image_embeds)
        mask = torch.ones(prefix.shape[:2], dtype=torch.long, device=prefix.device)
        return self.decoder.generate(
            inputs_embeds=prefix, attention_mask=mask, use_cache=True, **{"max_new_tokens": LONGEST, **decoding}
        )


AutoConfig.register(ClipCaptionerConfig.model_type, ClipCaptionerConfig)
