"""recipes.clip_chinese: what the text tower learns from, and by which losses."""

import json

import torch
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from helpers.clip import bilingual_tokenizer
from recipes.clip_chinese.teacher import centred, ridge
from recipes.clip_chinese.texts import half_lines, matched_lines, other_captions, tags
from recipes.clip_chinese.train_text_tower import TokenRows, distance, verse_loss, with_bert_frame, with_vocabulary


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
    (tmp_path / "captions.tsv").write_text('source\tcaption\nx\t一个"人\nx\t海边\n', encoding="utf-8")
    assert other_captions(tmp_path / "captions.tsv") == ['一个"人', "海边"]


def test_ridge_finds_a_linear_map_and_its_offset() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(500, 6, generator=generator)
    targets = inputs @ torch.randn(6, 3, generator=generator) + torch.tensor([1.0, -2.0, 3.0])
    weights = torch.ones(500)
    targets[:100], weights[:100] = 50, 0  # what weighs nothing changes nothing
    matrix, offset = ridge(inputs, targets, weights)
    assert (inputs @ matrix + offset - targets)[100:].abs().max() < 0.1


def test_features_are_centred_about_those_of_flickr() -> None:
    features = torch.randn(40, 8, generator=torch.Generator().manual_seed(0)) + 3
    found = centred(features, n_flickr=30)
    assert torch.allclose(found.norm(dim=1), torch.ones(40))
    assert found[:30].mean(0).norm() < 0.5 < 0.9 < F.normalize(features[:30], dim=1).mean(0).norm()


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


def test_rows_are_padded_to_the_longest_of_the_batch() -> None:
    tokenizer = with_bert_frame(bilingual_tokenizer(["山海月雪"], 100, 1))
    rows = TokenRows(tokenizer, ["山", "山海月雪", "海"])
    seen = []

    class Tower(torch.nn.Linear):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            seen.append((tuple(ids.shape), mask.sum(1).tolist()))
            return torch.zeros(len(ids), 2)

    rows.encode(Tower(1, 1), torch.tensor([0, 2]))
    rows.encode(Tower(1, 1), torch.tensor([0, 1]))
    assert seen == [((2, 3), [3, 3]), ((2, 6), [3, 6])]
    assert rows.rows[0] == tokenizer.convert_tokens_to_ids(["[CLS]", "山", "[SEP]"])
