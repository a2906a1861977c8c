"""data.caption_files: captions and lists of splits in every form in which they are handed around."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from helpers.data import in_split, read_caption_file, read_split_list


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def one_line(error: pytest.ExceptionInfo, *mentions: object) -> bool:
    message = str(error.value)
    return "\n" not in message and all(str(mention) in message for mention in mentions)


# --- captions ---


def test_token_file(tmp_path) -> None:
    write(
        tmp_path, "results_20130124.token", "1.jpg#0\tTwo dogs .\n1.jpg#1\tDogs , two\n2.jpg#0\t一叶小舟\n\n3.jpg#0\n"
    )
    assert read_caption_file(tmp_path) == {"1.jpg": ["Two dogs .", "Dogs , two"], "2.jpg": ["一叶小舟"]}


def test_csv_with_commas_quotes_and_a_byte_order_mark(tmp_path) -> None:
    text = 'image,caption\n1.jpg,a dog\n1.jpg,"a dog, a ""good"" one"\n2.jpg, a cat \n'
    write(tmp_path, "captions.csv", text, "utf-8-sig")
    assert read_caption_file(tmp_path) == {"1.jpg": ["a dog", 'a dog, a "good" one'], "2.jpg": ["a cat"]}


def test_csv_with_numbers(tmp_path) -> None:
    write(tmp_path, "captions.csv", "image,comment_number,comment\r\n1.jpg,0,a dog\r\n1.jpg,1,two dogs\r\n")
    assert read_caption_file(tmp_path) == {"1.jpg": ["a dog", "two dogs"]}


def test_csv_with_bars_and_the_defective_row(tmp_path) -> None:
    """results.csv of Flickr30k: in one row the bar between the number and the comment is missing."""
    text = "image_name| comment_number| comment\n1.jpg| 0| A dog , wet .\n1.jpg| 4   A dog runs .\n2.jpg| 0| A cat .\n"
    write(tmp_path, "results.csv", text)
    captions = read_caption_file(tmp_path)
    assert captions["2.jpg"] == ["A cat ."]
    # without its number, or not at all
    assert captions["1.jpg"] in (["A dog , wet ."], ["A dog , wet .", "A dog runs ."])


@pytest.mark.parametrize("header", ["text,url,filename", "url, filename, text", "filename,width,text"])
def test_csv_with_named_columns(header: str, tmp_path) -> None:
    """As `download-images` and `filter-pairs` write it, in whichever order; the first column is no picture's name."""
    rows = [("落日，余晖", "https://a.org/1", "1.jpg"), ('一叶"小舟", 晚', "https://a.org/2", "2.jpg")]
    rows.append(("晚霞", "https://a.org/1", "1.jpg"))
    names = [name.strip() for name in header.split(",")]
    with open(tmp_path / "captions.csv", "w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        for text, url, filename in rows:
            fields = {"text": text, "url": url, "filename": filename, "width": "64"}
            csv.writer(file).writerow([fields[name] for name in names])
    assert read_caption_file(tmp_path) == {"1.jpg": ["落日，余晖", "晚霞"], "2.jpg": ['一叶"小舟", 晚']}


def test_one_of_the_names_alone_means_nothing(tmp_path) -> None:
    """Then the picture stands first and the caption last, as ever."""
    write(tmp_path, "captions.csv", "filename,caption\n1.jpg,a dog\n")
    assert read_caption_file(tmp_path) == {"1.jpg": ["a dog"]}


def test_the_token_file_comes_first(tmp_path) -> None:
    write(tmp_path, "captions.csv", "image,caption\n1.jpg,from the csv")
    write(tmp_path, "a.token", "1.jpg#0\tfrom the token file")
    assert read_caption_file(tmp_path) == {"1.jpg": ["from the token file"]}


def test_a_folder_without_captions(tmp_path) -> None:
    with pytest.raises(ValueError) as error:
        read_caption_file(tmp_path)
    assert one_line(error, tmp_path, "captions.csv")


@pytest.mark.parametrize("text", ["", "\n", "image\n1.jpg\n"])
def test_a_captions_file_without_captions(text: str, tmp_path) -> None:
    write(tmp_path, "captions.csv", text)
    try:
        assert read_caption_file(tmp_path) == {}
    except ValueError as error:
        assert "captions.csv" in str(error)


# --- splits ---


def test_karpathy_s_json(tmp_path) -> None:
    images = [{"filename": f"{split}.jpg", "split": split, "sentences": []} for split in ("train", "val", "test")]
    images.append({"filename": "more.jpg", "split": "restval", "sentences": []})
    path = write(tmp_path, "dataset_flickr8k.json", json.dumps({"images": images, "dataset": "flickr8k"}))
    expected = {"train.jpg": "train", "val.jpg": "val", "test.jpg": "test", "more.jpg": "train"}
    assert read_split_list(path) == expected


def test_csv_of_splits(tmp_path) -> None:
    """As nlphuji/flickr30k has it: other columns around, some of them with commas and quotes."""
    text = 'raw,split,filename,img_id\n"[""a dog, wet""]",train,1.jpg,0\n"[""c""]",restval,2.jpg,1\n[],val,3.jpg,2\n'
    assert read_split_list(write(tmp_path, "splits.csv", text, "utf-8-sig")) == {
        "1.jpg": "train", "2.jpg": "train", "3.jpg": "val",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name, text",
    [
        ("a.csv", ""),
        ("a.csv", "filename,split\n"),
        ("a.csv", "filename,part\n1.jpg,train\n"),
        ("a.json", '{"images": []}'),
        ("a.json", '{"images": [{"filename": "1.jpg"}]}'),
        ("a.json", '{"pictures": []}'),
        ("a.json", '["1.jpg"]'),
        ("a.json", "{"),
    ],
)
def test_not_a_split_list(name: str, text: str, tmp_path) -> None:
    with pytest.raises(ValueError) as error:
        read_split_list(write(tmp_path, name, text))
    assert one_line(error)


def test_in_split_by_a_list() -> None:
    splits = {"a": "train", "b": "val", "c": "train"}
    names = ["c", "unknown", "b", "a"]
    assert [in_split(names, split, splits) for split in ("train", "val", "test")] == [[0, 3], [2], []]


def test_in_split_by_a_hash() -> None:
    names = [f"{number}.jpg" for number in range(4000)]
    parts = {split: in_split(names, split, None) for split in ("train", "val", "test")}
    assert Counter(i for part in parts.values() for i in part) == Counter(range(4000))  # each in one of them
    assert all(80 < len(parts[split]) < 160 for split in ("val", "test"))  # 3%: 120
    backwards = {split: in_split(names[::-1], split, None) for split in parts}
    assert all({names[i] for i in parts[s]} == {names[::-1][i] for i in backwards[s]} for s in parts)
    few = in_split(names[:50], "val", None)
    assert few == [i for i in parts["val"] if i < 50]  # a picture's split does not depend on its company
