"""recipes.judge: the towers that the judge starts from."""

import torch
from transformers import BertConfig, BertModel

from recipes.judge.towers import lower_part


def test_the_lower_part_of_a_bert_is_what_its_first_layers_say() -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=3, num_attention_heads=2, intermediate_size=8)
    bert = BertModel(config, add_pooling_layer=False).eval()
    ids = torch.tensor([[1, 2, 3]])
    states = bert(ids, output_hidden_states=True).hidden_states
    part = lower_part(bert, 2)
    assert part.config.num_hidden_layers == 2
    assert torch.equal(part(ids).last_hidden_state, states[2])
