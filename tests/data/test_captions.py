"""data.captions: the same few pictures from a table, a folder, the hub and our own brush."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.data import CaptionData, LazyPictures, alternate, drawn_landscapes, flatten, load_captions

EN = [["a boat", "a small boat"], ["a bridge"], ["rain"], ["the moon", "moon", "a round moon"], ["snow"]]
ZH = [["小舟"], ["桥", "小桥"], ["雨"], ["月"], ["雪"]]
NAMES = [f"{i}.png" for i in range(5)]


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()


@pytest.fixture
def rows(pictures) -> dict[str, list]:
    """Columns of a table of five pictures."""
    images = [{"bytes": png(picture), "path": name} for picture, name in zip(pictures, NAMES, strict=True)]
    return {"image": images, "caption": EN, "filename": NAMES, "caption_zh": ZH, "img_id": ["0", "1", "2", "3", "4"]}


def write_parquet(rows: dict[str, list], path, chosen=slice(None)):
    pd.DataFrame({name: column[chosen] for name, column in rows.items()}).to_parquet(path)
    return path


def same_pictures(data: CaptionData, expected) -> bool:
    pairs = zip(data.pictures, expected, strict=True)
    return all(a.mode == "RGB" and np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def small(captions=EN, captions_zh=ZH) -> CaptionData:
    pictures = LazyPictures(5, lambda i: Image.new("RGB", (2, 2), (i, i, i)))
    return CaptionData(pictures, captions, captions_zh, NAMES, "small")


# --- what every set can do ---


def test_lazy_pictures_are_made_when_asked_for() -> None:
    asked = []
    pictures = LazyPictures(3, lambda i: asked.append(i) or Image.new("RGB", (1, 1)))
    assert len(pictures) == 3 and asked == []
    assert len(list(pictures)) == 3 and asked == [0, 1, 2]
    with pytest.raises(IndexError):
        pictures[3]


def test_languages() -> None:
    data = small()
    assert data.in_language("en") == EN and data.in_language("zh") == ZH
    both = data.in_language("both")
    assert both[:2] == [["a boat", "小舟", "a small boat"], ["a bridge", "桥", "小桥"]]
    assert both[3] == ["the moon", "月", "moon", "a round moon"]
    assert alternate([], ["一"]) == ["一"] and alternate(["a"], []) == ["a"]


def test_a_language_without_captions() -> None:
    data = small(captions_zh=[["小舟"], [], ["雨"], ["月"], ["雪"]])
    with pytest.raises(ValueError, match="zh"):
        data.in_language("zh")
    assert data.in_language("both")[1] == ["a bridge"]
    with pytest.raises(ValueError, match="both"):
        small(captions=[[]] * 5, captions_zh=[[]] * 5).in_language("both")


def test_flatten() -> None:
    texts, owners = flatten(EN)
    assert texts == ["a boat", "a small boat", "a bridge", "rain", "the moon", "moon", "a round moon", "snow"]
    assert owners.tolist() == [0, 0, 1, 2, 3, 3, 3, 4]


def test_first() -> None:
    data = small()
    two = data.first(2)
    assert len(two) == len(two.pictures) == 2 and two.captions == EN[:2] and two.captions_zh == ZH[:2]
    assert two.pictures[1].getpixel((0, 0)) == (1, 1, 1) and two.source != data.source
    with pytest.raises(IndexError):
        two.pictures[2]
    assert len(data.first(99)) == len(data.first(99).pictures) == 5


# --- the drawn set ---


def test_drawn_set() -> None:
    sets = {split: drawn_landscapes(split, 12, size=32) for split in ("train", "val", "test")}
    told = {split: {tuple(captions) for captions in data.captions} for split, data in sets.items()}
    for data in sets.values():
        assert len(data) == len(data.pictures) == 12 and len(set(data.names)) == 12
        assert all(data.captions) and all(data.captions_zh)
        assert all(text.isascii() for group in data.captions for text in group)
        assert not any(text.isascii() for group in data.captions_zh for text in group)
        assert data.pictures[3].size == (32, 32)
    assert not told["train"] & told["val"] and not told["train"] & told["test"] and not told["val"] & told["test"]
    assert np.array_equal(*(np.asarray(drawn_landscapes("val", 2, size=32).pictures[1]) for _ in range(2)))


def test_source_of_the_drawn_set() -> None:
    variants = [{}, {"split": "val"}, {"count": 13}, {"size": 48}, {"seed": 1}]
    sources = [drawn_landscapes(**{"split": "train", "count": 12, "size": 32} | change).source for change in variants]
    assert len(set(sources)) == len(sources)
    assert sources[0] == drawn_landscapes("train", 12, 32).source


def test_drawn_set_by_name() -> None:
    counts = {split: len(load_captions("drawn", split)) for split in ("train", "val", "test")}
    assert counts == {"train": 1600, "val": 200, "test": 200}


# --- parquet ---


def test_parquet(rows, pictures, tmp_path) -> None:
    path = write_parquet(rows, tmp_path / "few.parquet")
    data = load_captions(path, "train")
    assert data.captions == EN and data.captions_zh == ZH and data.names == NAMES
    assert len(data) == 5 and same_pictures(data, pictures)
    del rows["caption_zh"]
    english = load_captions(write_parquet(rows, tmp_path / "english.parquet"), "val")
    assert english.captions == EN and not any(english.captions_zh) and english.source != data.source
    with pytest.raises(ValueError, match="zh"):
        english.in_language("zh")


def test_a_folder_of_parquet_files(rows, pictures, tmp_path) -> None:
    parts = {"train": slice(0, 3), "val": slice(3, 4), "test": slice(4, 5)}
    for split, part in parts.items():
        write_parquet(rows, tmp_path / f"{split}.parquet", part)
    for split, part in parts.items():
        data = load_captions(str(tmp_path), split)
        assert data.names == NAMES[part] and data.captions == EN[part] and same_pictures(data, pictures[part])


@pytest.mark.parametrize("column", ["image", "caption", "filename"])
def test_a_table_without_a_column(column: str, rows, tmp_path) -> None:
    del rows[column]
    with pytest.raises(ValueError, match=f"no column {column}") as error:
        load_captions(write_parquet(rows, tmp_path / "few.parquet"), "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not a table", b"PAR1 but no more"])
def test_not_a_parquet_file(content: bytes, tmp_path) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(ValueError):
        load_captions(tmp_path / "a.parquet", "train")


# --- a folder ---


@pytest.mark.parametrize("place", [".", "images"])
def test_folder(place: str, pictures, tmp_path) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    for name, picture in zip(NAMES[:4], pictures[:4], strict=True):
        picture.save(tmp_path / place / name)
    lines = [f"{name}#{i}\t{text}" for name, group in zip(NAMES, EN, strict=True) for i, text in enumerate(group)]
    (tmp_path / "results_20130124.token").write_text("\n".join(lines), encoding="utf-8")
    splits = zip(NAMES, ["train", "test", "train", "val", "train"], strict=True)
    split_list = tmp_path / "splits.csv"
    split_list.write_text("filename,split\n" + "\n".join(",".join(row) for row in splits), encoding="utf-8")
    train, val, test = (load_captions(tmp_path, split, split_list) for split in ("train", "val", "test"))
    assert (train.names, val.names, test.names) == (["0.png", "2.png"], ["3.png"], ["1.png"])  # 4.png is not there
    assert train.captions == [EN[0], EN[2]] and val.captions == [EN[3]]
    assert same_pictures(train, [pictures[0], pictures[2]])
    assert len({train.source, val.source, test.source}) == 3


def test_captions_with_chinese_characters_are_the_chinese_ones(pictures, tmp_path) -> None:
    rows = [("a.png", "a boat"), ("a.png", "小舟"), ("a.png", "a 小 boat"), ("b.png", "雨"), ("b.png", "café, déjà vu")]
    for name in ("a.png", "b.png"):
        pictures[0].save(tmp_path / name)
    lines = [f'"{text}",https://example.org,{name}' for name, text in rows]
    (tmp_path / "captions.csv").write_text("text,url,filename\n" + "\n".join(lines), encoding="utf-8")
    splits = tmp_path / "splits.csv"
    splits.write_text("filename,split\na.png,train\nb.png,train\n", encoding="utf-8")
    data = load_captions(tmp_path, "train", splits)
    assert data.captions == data.in_language("en") == [["a boat", "a 小 boat"], ["café, déjà vu"]]
    assert data.captions_zh == data.in_language("zh") == [["小舟"], ["雨"]]
    assert data.in_language("both") == [["a boat", "小舟", "a 小 boat"], ["café, déjà vu", "雨"]]


def test_a_folder_in_chinese_alone(pictures, tmp_path) -> None:
    pictures[0].save(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_text("image,caption\na.png,小舟\n", encoding="utf-8")
    splits = tmp_path / "splits.csv"
    splits.write_text("filename,split\na.png,val\n", encoding="utf-8")
    data = load_captions(tmp_path, "val", splits)
    assert data.in_language("zh") == data.in_language("both") == [["小舟"]] and data.captions == [[]]
    with pytest.raises(ValueError, match="'en'"):
        data.in_language("en")


def test_folder_without_a_list_is_split_by_picture(tmp_path) -> None:
    names = [f"{i}.png" for i in range(200)]
    for name in names:
        Image.new("RGB", (2, 2)).save(tmp_path / name)
    rows = [f"{name},caption {i}" for name in names for i in range(2)]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "\n".join(rows), encoding="utf-8")
    parts = [load_captions(tmp_path, split) for split in ("train", "val", "test")]
    assert sorted(name for part in parts for name in part.names) == sorted(names)
    assert all(len(part) and all(len(group) == 2 for group in part.captions) for part in parts)


def test_the_source_follows_the_files(pictures, tmp_path) -> None:
    pictures[0].save(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_text("image,caption\na.png,one\n", encoding="utf-8")
    splits = tmp_path / "splits.csv"
    splits.write_text("filename,split\na.png,train\n", encoding="utf-8")
    before, again = (load_captions(tmp_path, "train", splits).source for _ in range(2))
    pictures[1].save(tmp_path / "a.png")
    assert before == again != load_captions(tmp_path, "train", splits).source


# --- the hub, without it ---


@pytest.fixture
def hub(rows, monkeypatch, tmp_path):
    """A set of one split, as lmms-lab/flickr30k is, and the list of splits of another repository."""
    import datasets
    import huggingface_hub

    table = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    karpathy = tmp_path / "flickr_annotations_30k.csv"
    splits = zip(NAMES, ["train", "val", "test", "train", "train"], strict=True)
    karpathy.write_text("filename,split\n" + "\n".join(",".join(row) for row in splits), encoding="utf-8")
    asked = []

    def load_dataset(name: str, *args, **kwargs):
        asked.append(name)
        return datasets.DatasetDict({"test": table})

    def hf_hub_download(repo: str, file: str, *args, repo_type: str, **kwargs) -> str:
        asked.append((repo, file, repo_type))
        return str(karpathy)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hf_hub_download)
    return asked


def test_hub_by_karpathy_s_list(hub, pictures) -> None:
    train, val, test = (load_captions("lmms-lab/flickr30k", split) for split in ("train", "val", "test"))
    assert (train.names, val.names, test.names) == (["0.png", "3.png", "4.png"], ["1.png"], ["2.png"])
    assert train.captions == [EN[0], EN[3], EN[4]]  # a picture takes all its captions along
    assert same_pictures(train, [pictures[0], pictures[3], pictures[4]])
    assert len({train.source, val.source, test.source}) == 3
    assert set(hub) == {"lmms-lab/flickr30k", ("nlphuji/flickr30k", "flickr_annotations_30k.csv", "dataset")}


def test_hub_by_a_list_of_our_own(hub, tmp_path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("filename,split\n4.png,val\n0.png,val\n", encoding="utf-8")
    assert load_captions("some/set", "val", path).names == ["0.png", "4.png"]
    assert hub == ["some/set"]


# --- what is not there ---


def test_unknown_split() -> None:
    with pytest.raises(ValueError, match="unknown split 'dev': choose one of train, val, test"):
        load_captions("drawn", "dev")


@pytest.mark.parametrize(
    "source", ["nothing", "./no/such/folder", "/no/such/file.parquet", "~/no such folder", "a/b/c"]
)
def test_no_such_set(source: str, hub) -> None:
    with pytest.raises(ValueError) as error:
        load_captions(source, "train")
    assert source in str(error.value) and "\n" not in str(error.value) and hub == []


def test_a_folder_with_nothing_in_it(tmp_path) -> None:
    with pytest.raises(ValueError, match="no captions"):
        load_captions(tmp_path, "train")
    (tmp_path / "captions.csv").write_text("image,caption\nmissing.png,a dog\n", encoding="utf-8")
    with pytest.raises(ValueError, match="'train'"):
        load_captions(tmp_path, "train")


def test_a_split_without_pictures(hub, tmp_path) -> None:
    """As a folder does, and not a set of length 0 that fails later in some other way."""
    path = tmp_path / "own.csv"
    path.write_text("filename,split\n4.png,val\n", encoding="utf-8")
    with pytest.raises(ValueError):
        load_captions("some/set", "test", path)
