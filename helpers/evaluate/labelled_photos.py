"""Photographs whose contents people have labelled, and which of these labels a poetic word names.

A folder holds labels.json, a list of {"file": NAME, "labels": [LABEL, ...]}, and the pictures in images/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.data import load_image

# every label of the set, also those that no photo of a folder carries, and what in a word names it
NAMES = {
    "海": "海 沧溟 沧浪 潮 涛 浪",
    "山": "山 峰 岭 峦 嶂 岫",
    "湖": "湖",
    "雪": "雪",
    "花": "花 梅 桃 杏 桂 兰 菊 牡丹 芍药 蔷薇 荼蘼 丁香 芙蓉 荷 莲 菡萏 芳菲 蕊 红英",
    "荷花": "荷 莲 菡萏 芙蕖",
    "草原": "草 原 牧",
    "沙漠": "漠 沙丘 沙碛",
    "夕阳": "夕 落日 斜阳 残阳 斜日 晚霞 落霞 斜照 晚照 残照 余晖 暮",
    "夜": "夜 月 星 灯",
    "城市": "城 市 都",
    "鸟": "鸟 雁 鹤 鹭 鸥 莺 燕 鸦 鹊 雀 鸿 鹰 鹃 禽 凫 鸳鸯 鹧鸪 黄鹂",
    "秋叶": "红叶 黄叶 秋叶 霜叶 落叶 枫",
    "树林": "林 树 木叶",
    "楼阁": "楼 阁 亭 塔 殿 宫",
    "桥": "桥",
    "船": "船 舟 帆 舫 艇 舸 棹 槎 樯",
    "猫": "猫 狸奴",
    "狗": "狗 犬",
    "马": "马 骏 骥 骑",
    "云": "云",
    "道路": "路 道 径 陌",
    "石": "石 岩 磐",
    "人": "人 客 渔翁 牧童 樵 行旅",
}
LABELS = list(NAMES)
# words in which a name means another thing, or none of these
OTHERWISE = {
    "海棠": "花", "瀚海": "沙漠", "雪花": "雪", "浪花": "海", "灯花": "夜", "杜鹃花": "花", "山茶": "花", "月季": "花",
    "马路": "道路", "马蹄莲": "花", "石榴": "", "云母": "", "梅雨": "", "仙人掌": "", "人家": "", "草书": "",
    "草堂": "", "草屋": "", "草庐": "", "草亭": "楼阁", "草鞋": "", "江湖": "",
}  # fmt: skip


@dataclass(frozen=True)
class LabelledPhotos:
    """`truth` (N, 24) says which of `LABELS` each picture carries."""

    names: list[str]
    images: list[Image.Image]
    truth: np.ndarray


def read_labelled_photos(folder: str | Path) -> LabelledPhotos:
    """All pictures of labels.json. Raises ValueError for a file that is none, ImageError for a picture."""
    folder = Path(folder)
    try:
        photos = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        names, labels = [photo["file"] for photo in photos], [label_set(photo["labels"]) for photo in photos]
    except FileNotFoundError as error:
        raise ValueError(f"{folder}: no labels.json in this folder") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder}/labels.json: not a list of files with labels") from error
    if unknown := set().union(*labels) - set(LABELS):
        raise ValueError(f"{folder}/labels.json: not one of the labels {' '.join(LABELS)}: {' '.join(sorted(unknown))}")
    if not names:
        raise ValueError(f"{folder}/labels.json: no photographs in this list")
    images = [load_image(folder / "images" / name) for name in names]
    return LabelledPhotos(names, images, np.array([[label in own for label in LABELS] for own in labels]))


def label_set(labels: object) -> set[str]:
    """The labels of one photograph; TypeError for anything but a list."""
    if not isinstance(labels, list):
        raise TypeError(f"not a list: {labels!r}")
    return set(labels)


@cache
def named_labels(word: str) -> frozenset[str]:
    """The labels whose things a word names: {"夜", "雪"} for 夜雪, none for 春风."""
    for other, label in OTHERWISE.items():
        if other in word:
            return frozenset(label.split()) | named_labels(word.replace(other, " "))
    return frozenset(label for label, names in NAMES.items() if any(name in word for name in names.split()))
