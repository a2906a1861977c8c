"""helpers/assets/judge: another model than the one that chooses, and one that can tell the sample photos apart."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS
from helpers.data import load_image
from helpers.keywords import calibrated_scores
from helpers.pipeline import REFERENCE

JUDGE = ASSETS / "judge"
SENTENCES = {  # written by the photos' names, before the judge had seen any
    "autumn_leaves": "秋天的枝头挂满红叶",
    "crane_tower": "江边矗立着一座古老的楼阁",
    "grassland": "辽阔的草原一直伸向天边",
    "lotus": "池塘里盛开着一朵荷花",
    "night_city": "夜晚的城市灯火辉煌",
    "sea_sunrise": "太阳从海面上升起",
    "snow_lake": "湖边的山上覆盖着白雪",
    "spring_bird": "一只小鸟停在开花的枝头",
}


@pytest.fixture(scope="module")
def judge() -> ImageTextEncoder:
    return ImageTextEncoder.from_pretrained(JUDGE, "cpu")


def test_it_is_another_model_than_the_one_that_chooses(judge) -> None:
    chooser = ImageTextEncoder.from_pretrained(ASSETS / "image_text", "cpu")
    assert judge.fingerprint != chooser.fingerprint
    kinds = [encoder.model.config.vision_config.model_type for encoder in (judge, chooser)]
    assert kinds == ["torchvision_network", "clip_vision_model"]
    assert judge.model.config.vision_config.architecture == "places365_wideresnet18"
    assert judge.model.text.backbone.config.model_type == "bert"
    widths = [encoder.model.text.backbone.config.hidden_size for encoder in (judge, chooser)]
    assert widths == [768, 512]  # a BERT-base, and a bge-small


def test_the_folder_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in JUDGE.rglob("*")) < 46e6


def test_it_finds_the_photo_of_a_sentence(judge) -> None:
    photos = judge.encode_images([load_image(ASSETS / "photos" / f"{name}.jpg") for name in SENTENCES])
    reference = load_file(JUDGE / REFERENCE)["image_embeds"].astype(np.float32)
    scores = calibrated_scores(photos, judge.encode_texts(list(SENTENCES.values())), reference)  # (photos, sentences)
    assert (scores.argmax(0) == np.arange(8)).sum() >= 4  # chance: one; four or more by chance: one time in fifty


def test_it_can_read_the_words_that_poems_are_made_of(judge) -> None:
    tokenizer = judge.processor.tokenizer
    assert tokenizer.unk_token not in tokenizer.tokenize("疏柳几枝烟，高楼过雁声。残阳照寒塘，孤舟泊浅滩。")
