"""Train the bilingual text tower against CLIP's locked image tower (LiT, Zhai et al. 2022) and the text teacher.

    python -m recipes.image_text.train_text_tower --data DATA --features FLICKR WALLPAPERS \
        --bert RUNS/weights/bge-small-zh-v1.5 --teacher RUNS/text_teacher.safetensors --out RUNS/text_tower

The tower is bge-small-zh with another vocabulary: single Chinese characters, and pieces of English words, of which a
Chinese BERT has few. Each step sees photos with one caption in each language (contrastive, and pulled to the teacher's
place), words and captions without photos (pulled), and descriptions that must find their line of verse among the
wrong ones (CCPM), so that verse is more than a bag of its images. A killed run goes on from its last checkpoint.

A second run, `--init RUNS/text_tower`, goes on with a finished tower: now the pictures have the say about captions, and
a caption is to find the one in the other language, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers.processors import TemplateProcessing
from torch import nn
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from helpers.chinese_clip import load_bert
from helpers.clip import TextTower, bilingual_tokenizer, contrastive_loss
from helpers.config import autocast, pick_device
from helpers.data import flatten
from helpers.poems import read_ccpc
from recipes.backbones.bridge import sample_captions, sample_photos
from recipes.checkpoint import train
from recipes.clip_features import read_features
from recipes.image_text.teacher import about_mean
from recipes.image_text.texts import MatchedLine, half_lines, matched_lines, photo_captions, training_texts

VOCABULARY = 14_000
MAX_TOKENS = 48
PAIRED = ("captions_en", "captions_zh")
BANK = ("keywords", "keywords", "keywords", "glosses", "tags_en", "tags_zh", "known_en", "known_zh")  # the odds


def with_vocabulary(bert: BertModel, old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast) -> BertModel:
    """The BERT with the new tokenizer's tokens: as they were where it knew them, else the mean of their old pieces."""
    vectors, known = bert.get_input_embeddings().weight.detach(), old.get_vocab()
    rows = []
    for token in new.convert_ids_to_tokens(range(len(new))):
        pieces = [token] if token in known else old.tokenize(token.removeprefix("##")) or [old.unk_token]
        rows.append(vectors[[known[piece] for piece in pieces]].mean(0))
    bert.set_input_embeddings(nn.Embedding.from_pretrained(torch.stack(rows), False, new.pad_token_id))
    bert.config.vocab_size = len(new)
    return bert


def token_rows(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """The token ids of each text, without padding."""
    return tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]


def encode(tower: TextTower, rows: Sequence[list[int]], pad: int, at_once: int = 64) -> torch.Tensor:
    """Token ids of B texts -> unit embeddings (B, 512). Texts of like length go together: half as many tokens."""
    device = next(tower.parameters()).device
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    blocks = []
    for i in range(0, len(order), at_once):
        block = [torch.tensor(rows[j]) for j in order[i : i + at_once]]
        ids = nn.utils.rnn.pad_sequence(block, batch_first=True, padding_value=pad)  # (at_once, T)
        with autocast(device.type):
            blocks.append(tower(ids.to(device), (ids != pad).long().to(device)).float())
    return torch.cat(blocks)[torch.tensor(order).argsort().to(device)]


def distance(embeds: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """The mean of 1 - cosine: unit vectors (B, D) twice -> a scalar."""
    return 1 - (embeds * places).sum(1).mean()


def verse_loss(
    descriptions: torch.Tensor, lines: torch.Tensor, answers: torch.Tensor, logit_scale: torch.Tensor
) -> torch.Tensor:
    """A description (B, D) is to find its line among its own four (B·4, D), and among all of the batch's."""
    logits = descriptions @ lines.T * logit_scale.exp()  # (B, B·4)
    size = len(descriptions)
    own = logits.view(size, size, -1)[torch.arange(size), torch.arange(size)]  # (B, 4)
    right = torch.arange(size, device=answers.device) * own.shape[1] + answers
    return 0.5 * F.cross_entropy(own, answers) + 0.3 * F.cross_entropy(logits, right)


def verse_texts(rows: Sequence[MatchedLine]) -> tuple[list[str], list[str], torch.Tensor]:
    """Descriptions (V), their lines (V·4) and the index of the right one (V,)."""
    lines = [line for row in rows for line in row.lines]
    return [row.description for row in rows], lines, torch.tensor([row.answer for row in rows])


def held_out(data: Path) -> list[str]:
    """The lines by which poems and the text tower are judged: those of CCPC valid, and all of CCPM valid's."""
    poems = read_ccpc(data / "poems" / "ccpc_valid_v1.0.json")
    rows = matched_lines(data / "ccpm" / "valid.jsonl")
    return [line for poem in poems for line in poem.lines] + [
        half for row in rows for line in row.lines for half in half_lines(line)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, nargs=2, required=True, help="of Flickr8k, of the wallpapers")
    parser.add_argument("--bert", required=True, help="bge-small-zh by hub id or folder")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="a finished tower of this recipe, to go on with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1100)
    parser.add_argument("--batch-size", type=int, default=192)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--head-lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(0)
    device = pick_device()

    captions, n_flickr = photo_captions(args.data)
    image_embeds = torch.cat(about_mean(read_features(args.features))).to(device)
    owners = [torch.from_numpy(flatten(groups)[1]) for groups in (captions.english, captions.chinese)]
    texts = training_texts(args.data)
    places = {name: vectors.float().to(device) for name, vectors in load_file(args.teacher).items()}
    if {name: len(group) for name, group in texts.items()} != {name: len(group) for name, group in places.items()}:
        raise ValueError(f"{args.teacher}: made of other texts, as of an older keyword.txt; make it again")
    descriptions, lines, answers = verse_texts(matched_lines(args.data / "ccpm" / "train.jsonl", held_out(args.data)))

    if args.init:
        tower, tokenizer = finished_tower(args.init)
        tokenizer.save_pretrained(args.out)
    else:
        everything = [*(text for group in texts.values() for text in group), *descriptions, *lines]
        tokenizer = tokenizer_of(args.out, everything)
        tower = new_tower(args.bert, tokenizer)
    tower.to(device).train()
    tower.verse_scale = nn.Parameter(torch.tensor(3.0, device=device))  # of the training alone
    rows = {name: token_rows(tokenizer, group) for name, group in texts.items()}
    rows |= {"descriptions": token_rows(tokenizer, descriptions), "lines": token_rows(tokenizer, lines)}
    print(f"{len(captions):,} photos, {sum(map(len, texts.values())):,} texts, {len(answers):,} lines with description")

    vectors = tower.backbone.get_input_embeddings().weight
    body = [weight for weight in tower.backbone.parameters() if weight is not vectors]
    head = [*tower.head.parameters(), tower.verse_scale]
    if not args.init:  # the temperature stays as the first run left it
        head.append(tower.logit_scale)
    rates = [args.lr, 3 * args.lr, args.head_lr]  # half of the vocabulary is new
    optimizer = torch.optim.AdamW([{"params": group} for group in (body, [vectors], head)], weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=args.steps, pct_start=0.1)

    def loss_at(step: int) -> torch.Tensor:
        photos = sample_photos(n_flickr, len(captions), args.batch_size, share=0.25)
        size = args.batch_size
        matched = torch.randint(len(answers), (size // 6,))
        chosen = [(name, sample_captions(photo_of, photos)) for name, photo_of in zip(PAIRED, owners, strict=True)]
        chosen += [(name, torch.randint(len(texts[name]), (size // len(BANK),))) for name in BANK]
        chosen += [("other_zh", torch.randint(len(texts["other_zh"]), (size // 5,)))]
        chosen += [("descriptions", matched), ("lines", (4 * matched[:, None] + torch.arange(4)).flatten())]
        batch = [rows[name][i] for name, indices in chosen for i in indices.tolist()]
        embeds = encode(tower, batch, tokenizer.pad_token_id).split([len(indices) for _, indices in chosen])

        # The pictures know captions better than the teacher does, but not from the first step.
        by_teacher = 0.1 if args.init else 1 - 0.8 * step / args.steps
        weights = dict.fromkeys(PAIRED, by_teacher) | {"other_zh": 0.3}
        loss = verse_loss(*embeds[-2:], answers[matched].to(device), tower.verse_scale)
        for (name, indices), placed in zip(chosen[:-2], embeds, strict=False):
            loss = loss + weights.get(name, 2 / len(BANK)) * distance(placed, places[name][indices])
            if name in PAIRED:
                by_pictures = contrastive_loss(image_embeds[photos], placed, tower.logit_scale)
                loss = loss + (1 if args.init else 0.5) * by_pictures
        if args.init:
            loss = loss + 0.3 * contrastive_loss(embeds[0], embeds[1], tower.logit_scale)
        return loss

    scales = (tower.logit_scale, tower.verse_scale)
    train(args.out, tower, optimizer, schedule, args.steps, loss_at, scales, say_every=10, keep_every=50)
    del tower.verse_scale
    tower.backbone.config.save_pretrained(args.out)
    save_file(tower.state_dict(), args.out / "text_tower.safetensors")  # with its logit_scale


def new_tower(bert: str, tokenizer: PreTrainedTokenizerFast) -> TextTower:
    """An untrained head on the BERT of that name, which has this tokenizer's vocabulary; and a temperature."""
    backbone = with_vocabulary(load_bert(bert), AutoTokenizer.from_pretrained(bert), tokenizer)
    return tower_around(backbone)


def finished_tower(folder: Path) -> tuple[TextTower, PreTrainedTokenizerFast]:
    """The tower, with its temperature, and the tokenizer that a run of this recipe left in the folder."""
    tower = tower_around(BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False))
    tower.load_state_dict(load_file(folder / "text_tower.safetensors"))
    return tower, PreTrainedTokenizerFast.from_pretrained(folder)


def tower_around(backbone: BertModel) -> TextTower:
    backbone.set_attn_implementation("eager")  # for sequences this short faster than sdpa, on a CPU
    tower = TextTower(backbone, pooling="cls")
    tower.logit_scale = nn.Parameter(torch.tensor(3.5))
    return tower


def tokenizer_of(folder: Path, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """The tokenizer in the folder of a run that goes on; else one is learnt and put there."""
    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer = with_bert_frame(bilingual_tokenizer(texts, VOCABULARY))
    tokenizer.save_pretrained(folder)
    return tokenizer


def with_bert_frame(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer with [CLS] before a text and [SEP] behind it: bge puts a text's meaning into the first token."""
    frame = [(token, tokenizer.convert_tokens_to_ids(token)) for token in (tokenizer.cls_token, tokenizer.sep_token)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", frame)
    return tokenizer


if __name__ == "__main__":
    main()
