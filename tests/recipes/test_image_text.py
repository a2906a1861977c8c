"""recipes.image_text: what the text tower learns from, and by which losses."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from helpers.clip import bilingual_tokenizer
from helpers.keywords import load_vocabulary
from recipes.image_text.keyword_table import fit_logistic, folds, prototypes, whitening
from recipes.image_text.labels import counted, held_back, named, read_scenes, scene_labels, wallpaper_labels
from recipes.image_text.teacher import CENTRES, about_centres, about_mean, combined, offset, ridge
from recipes.image_text.texts import half_lines, matched_lines, other_captions, tags
from recipes.image_text.train_text_tower import (
    distance,
    encode,
    token_rows,
    verse_loss,
    with_bert_frame,
    with_vocabulary,
)
from recipes.texts import DATA, rows_of


def test_half_lines() -> None:
    assert half_lines("床前明月光，疑是地上霜。") == ["床前明月光", "疑是地上霜"]
    assert half_lines("独钓寒江雪") == ["独钓寒江雪"]


def test_matched_lines_leave_out_what_is_held_out(tmp_path) -> None:
    rows = [
        {"translation": "雪", "choices": ["独钓寒江雪", "低头思故乡", "更上一层楼", "花落知多少"], "answer": 0},
        {"translation": "月", "choices": ["床前明月光，疑是地上霜。", "a", "b", "c"], "answer": 0},
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert [row.description for row in matched_lines(path)] == ["雪", "月"]
    assert [row.description for row in matched_lines(path, ["疑是地上霜"])] == ["雪"]
    assert [row.description for row in matched_lines(path, ["花落知多少"])] == ["月"]  # a wrong line counts as well


def test_tables(tmp_path) -> None:
    (tmp_path / "tags.tsv").write_text("sea\t海\ncrane \t 鹤\n", encoding="utf-8")
    assert tags(tmp_path / "tags.tsv") == (["sea", "crane"], ["海", "鹤"])
    rows = ["source\tcaption", 'x\t一个"人', "xFlickrCO zh (MIT)\t狗", "x\t海边"]
    (tmp_path / "captions.tsv").write_text("\n".join(rows), encoding="utf-8")
    assert other_captions(tmp_path / "captions.tsv") == ['一个"人', "海边"]


def test_ridge_finds_a_linear_map_and_its_offset() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 6, generator=generator)
    targets = inputs @ torch.randn(6, 3, generator=generator) + torch.tensor([1.0, -2.0, 3.0])
    weights = torch.ones(500)
    targets[:100], weights[:100] = 50, 0  # what weighs nothing changes nothing
    matrix, offset = ridge(inputs, targets, weights)
    assert (inputs @ matrix + offset - targets)[100:].abs().max() < 0.1


def test_features_lose_most_of_their_mean() -> None:
    """Unit features that lean as CLIP's do, about a mean that is as long as nine tenths of the offset are."""
    mean = -offset() / 0.9
    noise = torch.randn(400, 512, generator=torch.Generator().manual_seed(0)) * (1 - mean.norm() ** 2) ** 0.5 / 512**0.5
    features = F.normalize(mean + noise, dim=1)
    found = torch.cat(about_mean([features[:300], features[300:]]))
    assert torch.allclose(found.norm(dim=1), torch.ones(400))
    assert found.mean(0).norm() < 0.2 < 0.7 < features.mean(0).norm()


def test_a_new_vocabulary_keeps_the_old_vectors() -> None:
    old, new = bilingual_tokenizer(["山 海 s now"], 100, 1), bilingual_tokenizer(["海 月 山 snow snow"], 100, 1)
    bert = BertModel(BertConfig(vocab_size=len(old), hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                                intermediate_size=8), add_pooling_layer=False)  # fmt: skip
    before = bert.get_input_embeddings().weight.detach().clone()
    after = with_vocabulary(bert, old, new).get_input_embeddings().weight.detach()
    ids, known = new.get_vocab(), old.get_vocab()
    assert bert.config.vocab_size == len(after) == len(new)
    assert torch.equal(after[ids["海"]], before[known["海"]])
    pieces = old.convert_tokens_to_ids(old.tokenize("snow"))
    assert torch.allclose(after[ids["snow"]], before[pieces].mean(0))
    assert torch.equal(after[ids["月"]], before[old.unk_token_id])


def test_the_right_line_of_each_description_lowers_the_loss() -> None:
    lines = F.normalize(torch.randn(12, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    answers, scale = torch.tensor([2, 0, 3]), torch.tensor(3.0)
    right = lines[torch.arange(3) * 4 + answers]
    assert verse_loss(right, lines, answers, scale) < verse_loss(right, lines, (answers + 1) % 4, scale) - 1
    assert distance(right, right).abs() < 1e-6 and abs(distance(right, -right) - 2) < 1e-6


def test_texts_of_like_length_go_together_and_come_back_in_order() -> None:
    tokenizer = with_bert_frame(bilingual_tokenizer(["山海月雪"], 100, 1))
    rows = token_rows(tokenizer, ["山海", "山海月雪", "海", "月雪"])
    assert rows[2] == tokenizer.convert_tokens_to_ids(["[CLS]", "海", "[SEP]"])
    seen = []

    class Tower(torch.nn.Linear):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            seen.append((tuple(ids.shape), mask.sum(1).tolist()))
            return mask.sum(1, keepdim=True)

    lengths = encode(Tower(1, 1), rows, tokenizer.pad_token_id, at_once=2)
    assert seen == [((2, 4), [3, 4]), ((2, 6), [4, 6])]
    assert lengths.flatten().tolist() == [4, 6, 3, 4]


def test_sides_are_centred_and_added_and_known_words_pull() -> None:
    generator = torch.Generator().manual_seed(0)
    texts = {"keywords": ["山", "海", "月"], "captions_zh": ["一座山", "海边"]}
    sides = [about_centres({name: torch.randn(len(t), 4, generator=generator) + 5 for name, t in texts.items()})
             for _ in range(2)]  # fmt: skip
    known = {"海": F.normalize(torch.randn(4, generator=generator), dim=0).numpy()}
    places = combined(sides, known, texts)
    for name, words in texts.items():
        for i, word in enumerate(words):
            place = F.normalize(sides[0][name][i] + sides[1][name][i], dim=0)
            if word in known:
                place = F.normalize(place + 0.5 * torch.from_numpy(known[word]), dim=0)
            assert torch.allclose(places[name][i], place, atol=1e-6)
    assert sides[0]["captions_zh"].mean(0).norm() < 1e-6 and set(CENTRES) >= set(texts)


# --- labels and the table ---


def test_the_labels_are_whole() -> None:
    wallpapers, words = wallpaper_labels(), {keyword.word for keyword in load_vocabulary()}
    assert len(wallpapers) == 504 and len(read_scenes()) == 324
    dropped = {"绿色", "红色", "黑色", "白色", "蓝色", "黄色", "彩色", "紫色", "粉红", "橙黄", "金色", "银色"}
    assert set().union(*wallpapers.values()) <= words | dropped
    assert sum(not labels for labels in wallpapers.values()) <= 10  # pictures of nothing that has a word
    assert {row[1] for row in rows_of(DATA / "modern.tsv")} <= words


def test_what_the_third_look_refused_is_gone(tmp_path) -> None:
    path = tmp_path / "labels.tsv"
    path.write_text("# comment\na.jpg\ta\t山 海\t晴\na.jpg\tb\t山 云\t\na.jpg\tc\t云 晴\t\n", encoding="utf-8")
    assert wallpaper_labels(path) == {"a.jpg": {"山", "海"}}


def test_a_fifth_of_each_label_is_held_back(tmp_path) -> None:
    own = {f"{label}{i}.jpg": label for label in "山海" for i in range(10)}
    held = held_back(own)
    assert held == {"山4.jpg", "山9.jpg", "海4.jpg", "海9.jpg"}
    scenes, table = tmp_path / "labels.json", tmp_path / "words.tsv"
    scenes.write_text(json.dumps([{"file": file, "label": label} for file, label in own.items()]), encoding="utf-8")
    table.write_text("山0.jpg\t石 峰\t晴\n", encoding="utf-8")
    labels = scene_labels(scenes, table)
    assert labels["山0.jpg"] == {"山", "石", "峰", "晴"} and labels["海1.jpg"] == {"海"} and not held & labels.keys()
    assert named(labels, ["海1.jpg", "山0.jpg", "?"], ["山", "海", "晴"]).tolist() == [
        [False, True, False], [True, False, True], [False, False, False],
    ]  # fmt: skip


def test_counts_stand_in_their_rows() -> None:
    counts = Counter({"山": 7})
    assert counted("山\tmountain\ta mountain\t0", counts) == "山\tmountain\ta mountain\t7"
    assert counted("东风\tweather\teast wind\t-", counts) == "东风\tweather\teast wind\t-"
    assert counted("# 山", counts) == "# 山"


def test_a_prototype_points_to_its_pictures_and_grows_with_them() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(200, 6, generator=generator) * torch.tensor([3.0, 1, 1, 1, 1, 1])  # one direction is noisy
    shown = np.zeros((200, 3), dtype=bool)
    pictures[:12, 1] += 4
    shown[:12, 0], shown[:2, 1] = True, True
    found = prototypes(pictures, shown, pictures.mean(0), whitening(pictures))
    assert np.linalg.norm(found, axis=1) == pytest.approx([12 / 15, 2 / 5, 0], abs=1e-5)
    assert found[0].argmax() == 1 and abs(found[0, 0]) < 0.1


def test_copies_share_a_fold() -> None:
    pictures = F.normalize(torch.randn(50, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    fold = folds(torch.cat([pictures, pictures]))
    assert (fold[:50] == fold[50:]).all() and len(set(fold)) == 5


def test_the_logistic_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(1.5 * scores - 2)))
    assert fit_logistic(scores, truth) == pytest.approx((1.5, -2.0), abs=0.1)
