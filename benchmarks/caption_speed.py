"""Captions a second, against the loop of ClipCap's published code (`generate2`): one picture at a time, the whole
sentence through the decoder again for each character, no cache, the likeliest of the tokens that top-p leaves.

    python -m benchmarks.caption_speed

Both read the embeddings of real pictures, those that the default encoder brings; neither encodes images. One JSON
object on stdout: captions a second, and ratios to the peer of the same run.
"""

from __future__ import annotations

import argparse
import json
from functools import partial

import numpy as np
import torch
from safetensors.numpy import load_file

from benchmarks.timing import machine, speeds_beside_peer
from helpers.captioning import BEAM, GREEDY, LONGEST, Captioner
from helpers.config import ASSETS
from helpers.pipeline import REFERENCE

TOP_P = 0.8  # as published; as the likeliest token is always left, what is written is the greedy caption


@torch.inference_mode()
def peer(captioner: Captioner, image_embeds: np.ndarray) -> list[str]:
    """Written after the published loop, with our prefix and our end token."""
    model, captions = captioner.model, []
    for embed in torch.from_numpy(image_embeds):
        generated, ids = model.prefix(embed[None]), []  # (1, k + t, W)
        for _ in range(LONGEST):
            logits = model.decoder(inputs_embeds=generated, use_cache=False).logits[:, -1]  # (1, V)
            ordered, places = logits.sort(descending=True)
            gone = ordered.softmax(-1).cumsum(-1) > TOP_P
            gone[..., 1:], gone[..., 0] = gone[..., :-1].clone(), False
            logits[:, places[gone]] = -float("inf")
            token = logits.argmax(-1, keepdim=True)  # (1, 1)
            if token.item() == captioner.tokenizer.eos_token_id:
                break
            ids.append(token.item())
            generated = torch.cat([generated, model.decoder.get_input_embeddings()(token)], 1)
        captions.append(captioner.tokenizer.decode(ids).replace(" ", ""))
    return captions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ASSETS / "captioner")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    captioner = Captioner.from_pretrained(args.model)
    embeds = load_file(ASSETS / "image_text" / REFERENCE)["image_embeds"].astype(np.float32)[:128]
    ways = {
        "peer": (partial(peer, captioner), 16),
        "greedy_64": (partial(captioner.caption_embeds, decoding=GREEDY), 128),
        "beam_5_64": (partial(captioner.caption_embeds, decoding=BEAM), 128),
        "beam_5_one": (lambda embeds: [captioner.caption_embeds(row[None], BEAM) for row in embeds], 16),
    }
    for write, _ in ways.values():
        write(embeds[:2])
    calls = {name: partial(write, embeds[:count]) for name, (write, count) in ways.items()}
    speeds, ratios = speeds_beside_peer(calls, {name: count for name, (_, count) in ways.items()}, args.rounds)
    print(json.dumps({"captions_a_second": speeds, **ratios, **machine()}, indent=1))


if __name__ == "__main__":
    main()
