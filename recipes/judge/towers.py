"""The two towers that the judge starts from, as folders: Places365's WideResNet18, and part of a Chinese BERT.

    python -m recipes.judge.towers --places365 FILE --bert BERT_BASE_CHINESE --flickr PARQUET --out runs/judge_towers

Of the BERT's layers stay the first `--layers`; of its vocabulary the special tokens, what ASCII is spelled with, and
the characters of the poem model's tokenizer, of keyword.txt and of the captions: a quarter. Positions beyond those that
a caption needs go too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from helpers.chinese_clip import load_bert
from helpers.clip import SquashImageProcessor, TorchvisionConfig, TorchvisionNetwork
from helpers.config import ASSETS
from recipes.texts import DATA, flickr_captions

POSITIONS = 64
IMAGE_SIZE = 224  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places365", type=Path, required=True, help="WideResNet18's weights as safetensors")
    parser.add_argument("--bert", required=True, help="hub id or folder")
    parser.add_argument("--layers", type=int, default=4, help="of the BERT, counted from its embeddings")
    parser.add_argument("--flickr", type=Path, required=True, help="a Flickr8k-CN parquet, for its characters")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    network = TorchvisionNetwork(TorchvisionConfig("places365_wideresnet18"))
    state = {key: value for key, value in load_file(args.places365).items() if not key.startswith("fc.")}
    report = network.load_state_dict(state, strict=False)
    missing = {key for key in report.missing_keys if not key.endswith("num_batches_tracked")}  # younger than the file
    if missing or report.unexpected_keys:
        raise ValueError(f"{args.places365}: not the weights of Places365's WideResNet18")
    network.save_pretrained(args.out / "image")
    SquashImageProcessor(IMAGE_SIZE).save_pretrained(args.out / "image")

    captions = "".join(caption for group in flickr_captions(args.flickr).chinese for caption in group)
    sources = [ASSETS / "poem_t5" / "tokenizer.json", ASSETS / "keyword.txt", DATA / "wallpaper_captions.tsv"]
    characters = set(captions).union(*(path.read_text(encoding="utf-8") for path in sources))
    bert = lower_part(load_bert(args.bert), args.layers)
    bert, tokenizer = trimmed(bert, AutoTokenizer.from_pretrained(args.bert), characters)
    bert.save_pretrained(args.out / "text")
    tokenizer.save_pretrained(args.out / "text")


def lower_part(bert: BertModel, layers: int) -> BertModel:
    """The same BERT, in place, with its first layers alone: a judge of a whole BERT would be too large to ship."""
    bert.encoder.layer = bert.encoder.layer[:layers]
    bert.config.num_hidden_layers = len(bert.encoder.layer)
    return bert


def trimmed(
    bert: BertModel, tokenizer: PreTrainedTokenizerBase, characters: set[str]
) -> tuple[BertModel, PreTrainedTokenizerBase]:
    """The same BERT, in place, that knows no characters but these and ASCII; with a tokenizer to match."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    kept = [(token, number) for token, number in vocabulary if wanted(token, tokenizer.all_special_tokens, characters)]
    rows = [number for _, number in kept]
    embeddings = bert.embeddings
    embeddings.word_embeddings = nn.Embedding.from_pretrained(
        embeddings.word_embeddings.weight.detach()[rows], freeze=False, padding_idx=0
    )
    embeddings.position_embeddings = nn.Embedding.from_pretrained(
        embeddings.position_embeddings.weight.detach()[:POSITIONS], freeze=False
    )
    for name in ("position_ids", "token_type_ids"):
        setattr(embeddings, name, getattr(embeddings, name)[:, :POSITIONS])
    bert.config.update({"vocab_size": len(rows), "max_position_embeddings": POSITIONS})
    return bert, with_vocabulary(tokenizer, [token for token, _ in kept])


def wanted(token: str, special: list[str], characters: set[str]) -> bool:
    """Special tokens, single characters that are ASCII or among `characters`, and single ASCII ones inside words."""
    inside = token.removeprefix("##")
    return token in special or token in characters or (len(inside) == 1 and inside.isascii())


def with_vocabulary(tokenizer: PreTrainedTokenizerBase, tokens: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that splits texts as this one does, into `tokens` alone; they are numbered anew."""
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    numbers = {token: number for number, token in enumerate(tokens)}
    content["model"]["vocab"] = numbers
    for added in content["added_tokens"]:
        added["id"] = numbers[added["content"]]
    for name, special in content["post_processor"]["special_tokens"].items():
        special["ids"] = [numbers[name]]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)), **tokenizer.special_tokens_map
    )


if __name__ == "__main__":
    main()
