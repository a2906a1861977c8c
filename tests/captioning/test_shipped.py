"""helpers/assets/captioner: small, it reads what the default encoder sees, and says it in sentences."""

import pytest

from helpers.captioning import Captioner
from helpers.config import ASSETS, load_config
from helpers.data import load_image
from helpers.pipeline import load_pipeline

FOLDER = ASSETS / "captioner"
# characters of which a true caption is likely to have one
NAMED = {
    "autumn_leaves": "叶枫秋红",
    "crane_tower": "楼塔阁亭殿",
    "grassland": "草田野原",
    "lotus": "花荷莲",
    "night_city": "夜灯城楼",
    "sea_sunrise": "海日阳",
    "snow_lake": "雪湖",
    "spring_bird": "鸟花",
}


@pytest.fixture(scope="module")
def captions() -> dict[str, str]:
    pipeline = load_pipeline("mini")
    photos = {name: load_image(ASSETS / "photos" / f"{name}.jpg") for name in NAMED}
    image_embeds = pipeline.encoder.encode_images(list(photos.values()))
    return dict(zip(photos, pipeline.captions(image_embeds), strict=True))


def test_it_is_small_and_has_a_card() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3e6
    assert (FOLDER / "README.md").is_file()


def test_it_reads_the_default_encoder_alone(captions) -> None:
    encoder = load_pipeline("mini").encoder
    captioner = Captioner.from_pretrained(load_config("mini").captioner)
    assert captioner.model.config.image_dim == encoder.dim and captioner.encoder is None


def test_it_names_what_the_sample_photos_show(captions) -> None:
    named = [name for name, characters in NAMED.items() if set(characters) & set(captions[name])]
    assert len(named) >= 6, captions  # of 8


def test_it_speaks_in_different_sentences(captions) -> None:
    assert len(set(captions.values())) >= 7
    assert all(3 <= len(text) <= 30 and text.endswith("。") for text in captions.values())
