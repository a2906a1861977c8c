"""Poems, tiny models and files that several tests share; no test imports another one.

torch and what needs it are imported where they are used: many tests do without.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from helpers.poems import Quatrain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

    from helpers.pipeline import PicturePoem

ROOT = Path(__file__).parents[1]

# --- poems ---

HERON_TOWER = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")  # 王之涣《登鹳雀楼》
NIGHT_THOUGHTS = ("床前明月光", "疑是地上霜", "举头望明月", "低头思故乡")  # 李白《静夜思》
BAIDI = ("朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山")  # 李白《早发白帝城》
AUTUMN = ("空山新雨后", "天气晚来秋", "明月松间照", "清泉石上流")  # 王维《山居秋暝》
RIVER_SNOW = ("千山鸟飞绝", "万径人踪灭", "孤舟蓑笠翁", "独钓寒江雪")  # 柳宗元《江雪》
MAPLE_BRIDGE = ("月落乌啼霜满天", "江枫渔火对愁眠", "姑苏城外寒山寺", "夜半钟声到客船")  # 张继《枫桥夜泊》

# Ten poems of the Tang, with the half-width punctuation that Mengzi's vocabulary has.
VERSE = """\
白日依山尽,黄河入海流.欲穷千里目,更上一层楼.
床前明月光,疑是地上霜.举头望明月,低头思故乡.
朝辞白帝彩云间,千里江陵一日还.两岸猿声啼不住,轻舟已过万重山.
千山鸟飞绝,万径人踪灭.孤舟蓑笠翁,独钓寒江雪.
月落乌啼霜满天,江枫渔火对愁眠.姑苏城外寒山寺,夜半钟声到客船.
远上寒山石径斜,白云生处有人家.停车坐爱枫林晚,霜叶红于二月花.
春眠不觉晓,处处闻啼鸟.夜来风雨声,花落知多少.
空山不见人,但闻人语响.返景入深林,复照青苔上.
向晚意不适,驱车登古原.夕阳无限好,只是近黄昏.
绿蚁新醅酒,红泥小火炉.晚来天欲雪,能饮一杯无?
""".splitlines()
CHARACTERS = [char for char in "".join(VERSE) if char not in ",.?"]

# Groups written from memory, not from the table: rhymes are judged by these.
RHYMES = {
    "一东": "东同中风空红翁宫穷丛篷桐",
    "十一尤": "流楼秋舟愁洲州头游收忧悠",
    "七阳": "光霜乡香阳长凉黄裳肠床妆",
    "三江": "江窗双",
}
LEVEL = "".join(RHYMES.values())
OBLIQUE = "月日雪落叶木石白一入不夜雨水鸟火老草晓影柳酒手树路处暮露去地翠意事寺泪醉"
CHARS = LEVEL + OBLIQUE
# Tokens of several characters, and tokens of which no line is made.
PAIRS = "明月 ▁悠悠 春秋 江流 夜雨 空山 白雪 东风 翠柳 老树 风雨 ▁不 ▁ 山水山 夕阳红".split()
NO_VERSE = ["a", "，", "。", "1", "月,", "▁the", "[UNK]"]


def some_poems(start: int, count: int) -> list[Quatrain]:
    """Lines of five characters in the order of the vocabulary; with keywords of their own."""
    text = CHARACTERS * 3
    rows = [["".join(text[5 * (4 * n + i) :][:5]) for i in range(4)] for n in range(start, start + count)]
    return [Quatrain(tuple(lines), keywords=(lines[0][:2], lines[2][3:])) for lines in rows]


TRAIN, VALID = some_poems(0, 12), some_poems(3, 4)


# --- tiny models ---


def make_tokenizer(tokens: list[str]) -> PreTrainedTokenizerFast:
    """Whole words, with the special tokens of a T5."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(["<pad>", "</s>", "<unk>", *tokens]))}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>")),
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def tiny_t5(vocab_size: int, **changes: object) -> T5ForConditionalGeneration:
    """Always the same random weights."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    torch.manual_seed(0)
    return T5ForConditionalGeneration(T5Config(vocab_size=vocab_size, **{**sizes, **changes})).eval()


def write_mengzi(folder: Path) -> Path:
    """config.json, weights and spiece.model, as Langboat/mengzi-t5-base lies on the hub: T5 v1.1, untied."""
    import sentencepiece
    import torch
    from safetensors.torch import save_file
    from transformers import AutoTokenizer, T5Config

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["五绝1:明月 春风", "七律234:明月 春风", *VERSE]),
        model_prefix=str(folder / "spiece"), vocab_size=220,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=1.0, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    size = len(AutoTokenizer.from_pretrained(folder, config=T5Config())) + 28  # the hub's too has more rows than tokens
    model = tiny_t5(size, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["lm_head.weight"] = torch.randn_like(state["lm_head.weight"])
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(model.config.to_dict() | {"tie_word_embeddings": False}))
    return folder


class FakePipeline:
    """One poem for all, its keyword the width of the picture; wide pictures, or many, are too much for it."""

    def __init__(self, widest: int = 10_000, most: int = 10_000) -> None:
        self.widest, self.most = widest, most
        self.calls: list[list[int]] = []

    def __call__(self, images, *, keywords=None, options=None) -> list[PicturePoem]:
        from helpers.keywords import ScoredWord
        from helpers.pipeline import PicturePoem
        from helpers.poems import Poem

        widths = [image.width for image in images]
        self.calls.append(widths)
        self.keywords, self.options = keywords, options
        if keywords == ("?",):
            raise ValueError("cannot spell ?")
        if len(images) > self.most or max(widths) > self.widest:
            raise RuntimeError("out of\nmemory")
        words = [[ScoredWord(keywords[0] if keywords else str(width), 1.0)] for width in widths]
        return [PicturePoem(row, [row[0].word], [Poem(HERON_TOWER, (row[0].word,), -1.0)]) for row in words]


# --- files ---


def save_photo(path: Path, width: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(width).integers(0, 256, (24, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def ten_photos(folder: Path) -> list[str]:
    """In the order of their names, each a pixel wider than the one before."""
    return [str(save_photo(folder / f"{i}.png", 30 + i)) for i in range(10)]


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that states a size and has next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")))
    return path


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file was written, and its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


# --- processes ---

# `python -m helpers`, as a process that kills itself in the middle of a training on the loop of ours.
KILLED = """
import os, signal, sys
from accelerate import Accelerator
from helpers import captioning, clip, coca, reward
from helpers.__main__ import main

def dying(function, call):
    calls = iter(range(call))
    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        if next(calls, None) == call - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

if sys.argv[1] == "step":  # in the fifth step, between its forward and its backward pass
    tasks = {"coca": "CoCaTask", "clipcap": "CaptionTask", "capdec": "CaptionTask", "reward": "RewardTask"}
    name = tasks.get(sys.argv[3], "ContrastiveTask")
    for task in [getattr(package, name) for package in (clip, captioning, coca, reward) if name in package.__all__]:
        task.loss = dying(task.loss, 5)
else:  # with the second checkpoint written, but not in its place
    Accelerator.save_state = dying(Accelerator.save_state, 2)
main(sys.argv[2:])
"""


def killed_and_resumed(arguments: Sequence[object], folder: Path, moment: str = "step") -> tuple[Path, Path]:
    """A training run to its end, and one that was killed in the middle (`KILLED`) and resumed: their folders.

    Both end with the same weights. They must save every third step, and make at least six.
    """
    import torch
    from safetensors.torch import load_file

    from helpers.__main__ import main

    whole, killed = folder / "whole", folder / "killed"
    assert main([*map(str, arguments), "--out", str(whole)]) == 0
    assert start("-c", KILLED, moment, *arguments, "--out", killed).returncode == -signal.SIGKILL
    left = sorted(path.name for path in (killed / "checkpoints").iterdir())
    assert left == {"save": ["step_0000003", "step_0000006.new"], "step": ["step_0000003"]}[moment]
    assert not (killed / "model.safetensors").exists()
    done = start("-m", "helpers", *arguments, "--out", killed, "--resume")
    assert done.returncode == 0, done.stderr
    expected, found = (load_file(run / "model.safetensors") for run in (whole, killed))
    assert expected.keys() == found.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    return whole, killed


def start(*command: object) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, with one thread."""
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, timeout=120, capture_output=True, encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
