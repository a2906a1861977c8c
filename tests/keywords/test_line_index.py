"""keywords.lines, keywords.line_index, `python -m helpers lines`: the sample, three kinds of index, files."""

import json
from collections import Counter

import numpy as np
import pytest

from helpers import __main__ as cli
from helpers.characters import is_han
from helpers.config import ASSETS
from helpers.keywords import (
    BLOCK,
    CENTRE,
    CONFIG,
    INDEX,
    KINDS,
    LINES,
    Line,
    LineIndex,
    calibrated_queries,
    calibrated_scores,
    encode_lines,
    load_lines,
    load_vocabulary,
)
from helpers.pipeline import load_pipeline

LOTUS, LAKE = (str(ASSETS / "photos" / f"{name}.jpg") for name in ("lotus", "snow_lake"))


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def numbered(count: int) -> list[Line]:
    return [Line(f"第{i}句", f"诗人{i % 3}", f"其{i}") for i in range(count)]


@pytest.fixture(scope="module")
def cone() -> tuple[np.ndarray, np.ndarray]:
    """Texts (3000, 32) in clusters within a narrow cone and queries (20, 32) off it, as a CLIP has them."""
    rng = np.random.default_rng(0)
    axis, clusters = 8 * np.eye(32)[0], rng.standard_normal((60, 32))
    texts = unit(axis + clusters[rng.integers(0, 60, 3000)] + 0.3 * rng.standard_normal((3000, 32)))
    return texts, unit(clusters[:20] + 0.3 * rng.standard_normal((20, 32))) * 0.5


# --- the shipped sample ---


def test_the_sample() -> None:
    rows = (ASSETS / "lines" / "lines.tsv").read_text(encoding="utf-8").splitlines()
    lines = load_lines()
    assert len(rows) == len(lines) == len({line.text for line in lines}) == 10_000
    assert [row for row in rows if row.count("\t") != 2] == []
    assert {len(line.text) for line in lines} == {5, 7}
    assert [line for line in lines if not all(map(is_han, line.text)) or not line.author or not line.title] == []
    assert [line for line in lines if line != Line(*(field.strip() for field in line))] == []
    assert lines == sorted(lines, key=lambda line: (line.author, line.title, line.text))


def test_the_sample_is_simplified_and_shows_something() -> None:
    lines = load_lines()
    "".join(line.text for line in lines).encode("gb2312")  # has no traditional and no rare characters
    famous = {"春风桃李花开日", "一夜征人尽望乡"}  # the source has 徵 for 征
    assert famous <= {line.text for line in lines}
    words = [keyword.word for keyword in load_vocabulary()]
    assert [line for line in lines[::50] if sum(word in line.text for word in words) < 2] == []
    authors = Counter(line.author for line in lines)
    assert len(authors) > 100 and max(authors.values()) < 300


# --- reading lines ---


def test_load_lines(tmp_path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(
        "\ufeff明月出天山\t李白\t关山月\r\n\r\n 白日依山尽 \n\t没有句\n明月出天山\t李白\t关山月\t多\n".encode()
    )
    assert load_lines(path) == [Line("明月出天山", "李白", "关山月"), Line("白日依山尽")]
    path.write_text(" \n\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lines.txt: no lines"):
        load_lines(path)
    path.write_bytes("明月".encode("gbk"))
    with pytest.raises(ValueError, match="lines.txt: not a text file in UTF-8"):
        load_lines(path)
    with pytest.raises(OSError):
        load_lines(tmp_path / "missing.txt")


class CountingEncoder:
    """Encodes a line as a one-hot vector; remembers what it was asked."""

    dim = 4
    fingerprint = "counting"

    def __init__(self) -> None:
        self.blocks: list[tuple[int, bool]] = []

    def encode_texts(self, texts, cache: bool = False) -> np.ndarray:
        self.blocks.append((len(texts), cache))
        return np.eye(4, dtype=np.float32)[[int(text[1:-1]) % 4 for text in texts]]


def test_lines_are_encoded_in_blocks_that_are_kept() -> None:
    encoder, lines = CountingEncoder(), numbered(2 * BLOCK + 1)
    embeds = encode_lines(encoder, lines)
    assert encoder.blocks == [(BLOCK, True), (BLOCK, True), (1, True)]
    assert embeds.dtype == np.float32 and (embeds.argmax(1) == np.arange(len(lines)) % 4).all()
    index = LineIndex.build_from(encoder, lines[:6])
    assert index.fingerprint == "counting" and index.kind == "flat"
    assert {found.line for found in index.search(np.eye(4)[1:2], 2)[0]} == {lines[1], lines[5]}


# --- searching ---


def test_flat_is_exact(cone) -> None:
    texts, queries = cone
    lines = numbered(len(texts))
    found = LineIndex.build(lines, texts).search(queries, 7)
    scores = queries @ texts.T
    assert len(found) == 20 and {len(row) for row in found} == {7}
    for row, expected in zip(found, scores, strict=True):
        best = np.argsort(-expected)[:7]
        assert [line for line, _ in row] == [lines[i] for i in best]
        assert [score for _, score in row] == pytest.approx(expected[best], abs=1e-5)


@pytest.mark.parametrize("kind, share", [("ivf", 0.9), ("hnsw", 0.95)])
def test_the_others_find_nearly_all_with_the_same_scores(cone, kind: str, share: float) -> None:
    texts, queries = cone
    lines = numbered(len(texts))
    index = LineIndex.build(lines, texts, kind)
    assert index.kind == kind
    exact, found = LineIndex.build(lines, texts).search(queries, 10), index.search(queries, 10)
    hits = [len({line for line, _ in a} & {line for line, _ in b}) for a, b in zip(exact, found, strict=True)]
    assert np.mean(hits) >= 10 * share
    numbers = {line: i for i, line in enumerate(lines)}
    for query, row in zip(queries, found, strict=True):
        expected = [query @ texts[numbers[line]] for line, _ in row]
        assert [score for _, score in row] == pytest.approx(expected, abs=1e-5)
        assert expected == sorted(expected, reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_shifted_query_gives_calibrated_scores(kind: str) -> None:
    rng = np.random.default_rng(1)
    images, texts, references = (unit(rng.standard_normal((n, 16))) for n in (3, 40, 9))
    expected = calibrated_scores(images, texts, references)
    lines = numbered(40)
    for row, scores in zip(
        LineIndex.build(lines, texts, kind).search(calibrated_queries(images, references), 5), expected, strict=True
    ):
        assert [score for _, score in row] == pytest.approx([scores[lines.index(line)] for line, _ in row], abs=1e-6)
        if kind == "flat":
            assert [line for line, _ in row] == [lines[i] for i in np.argsort(-scores)[:5]]


@pytest.mark.parametrize("kind", KINDS)
def test_few_lines_and_no_queries(kind: str) -> None:
    texts = np.eye(3, 8, dtype=np.float32)
    index = LineIndex.build(numbered(3), texts, kind)
    assert index.search(texts[:0], 5) == []
    (found,) = index.search(texts[1:2], 100)
    assert found[0].line == Line("第1句", "诗人1", "其1") and found[0].score == pytest.approx(1)
    assert 1 <= len(found) <= 3 and len(set(found)) == len(found)


def test_what_cannot_be_asked() -> None:
    texts = np.eye(3, 8, dtype=np.float32)
    index = LineIndex.build(numbered(3), texts)
    for call, message in (
        (lambda: LineIndex.build([], texts[:0]), "0 lines, 0 embeddings"),
        (lambda: LineIndex.build(numbered(2), texts), "2 lines, 3 embeddings"),
        (lambda: LineIndex.build(numbered(3), texts, "tree"), "no such kind of index: 'tree'; there are auto, flat"),
        (lambda: index.search(texts, 0), "k must be at least 1, not 0"),
        (lambda: index.search(texts[:, :4], 1), r"queries must be \(N, 8\)"),
        (lambda: index.search(texts[0], 1), r"queries must be \(N, 8\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# --- on disk ---


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded(cone, kind: str, tmp_path) -> None:
    texts, queries = cone
    lines = [*numbered(len(texts) - 1), Line("白日依山尽")]
    index = LineIndex.build(lines, texts, kind, "model 1")
    index.save(tmp_path / "new" / "index")
    again = LineIndex.load(tmp_path / "new" / "index", "model 1")
    assert (again.kind, again.fingerprint, again.lines) == (kind, "model 1", lines)
    assert again.search(queries, 5) == index.search(queries, 5)
    assert LineIndex.load(tmp_path / "new" / "index").lines == lines  # of whatever model
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["index"]
    with pytest.raises(OSError, match="exists already"):
        index.save(tmp_path / "new" / "index")


def test_nothing_half_written_is_left(tmp_path, monkeypatch) -> None:
    index = LineIndex.build([Line("一\t二"), Line("三")], np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="tab or a line break"):
        index.save(tmp_path / "index")
    index.lines[0] = Line("一")
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        index.save(tmp_path / "index")
    assert not (tmp_path / "index").exists() and list(tmp_path.iterdir()) == []


@pytest.fixture
def saved(tmp_path):
    LineIndex.build(numbered(3), np.eye(3, dtype=np.float32), "hnsw", "model 1").save(tmp_path / "index")
    return tmp_path / "index"


def assert_refused(folder, message: str, fingerprint: str | None = None) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        LineIndex.load(folder, fingerprint)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [INDEX, LINES, CENTRE])
def test_damage_is_noticed(saved, name: str) -> None:
    content = (saved / name).read_bytes()
    for damaged in (content[:-5], content[:-1] + b"x", b""):
        (saved / name).write_bytes(damaged)
        assert_refused(saved, f"{name}: damaged")
    (saved / name).unlink()
    assert_refused(saved, f"no index of lines in this folder \\({name} is missing")


def test_other_folders_and_models_are_refused(saved, tmp_path) -> None:
    assert_refused(saved, "made with another model", "model 2")
    assert_refused(tmp_path / "missing", "no index of lines in this folder")
    for text in ("{", "[]", "{}", json.dumps({"kind": "flat", "fingerprint": "", "sha256": 3})):
        (saved / CONFIG).write_text(text, encoding="utf-8")
        assert_refused(saved, "config.json: this describes no index of lines")


# --- the command ---


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline("mini")


@pytest.fixture
def run(pipeline, capsys):
    """`python -m helpers lines ...` in this process: status, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(["lines", *map(str, arguments)], load=lambda profile: pipeline)
        return status, *capsys.readouterr()

    return call


def test_lines_of_the_sample(run, tmp_path) -> None:
    rows = (ASSETS / "lines" / "lines.tsv").read_text(encoding="utf-8").splitlines()[::20]  # encoding all takes seconds
    (tmp_path / "sample.tsv").write_text("\n".join(rows), encoding="utf-8")
    status, out, err = run(LOTUS, LAKE, "--json", "--lines", tmp_path / "sample.tsv")
    assert (status, err) == (0, "")
    records, sample = [json.loads(row) for row in out.splitlines()], set(load_lines())
    assert [record["image"] for record in records] == [LOTUS, LAKE]
    for record in records:
        assert list(record) == ["image", "lines"] and len(record["lines"]) == 5
        assert all(list(row) == ["text", "author", "title", "score"] for row in record["lines"])
        scores = [row.pop("score") for row in record["lines"]]
        assert scores == sorted(scores, reverse=True) and {Line(**row) for row in record["lines"]} <= sample


@pytest.fixture
def few(tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("雪满天山\t某人\t雪\n荷花满池塘\n深夜城中灯火\n", encoding="utf-8")
    return path


def test_lines_of_a_file_and_an_unreadable_picture(run, few, tmp_path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    status, out, err = run(LOTUS, bad, LAKE, "--lines", few, "--k", 9)
    assert status == 2 and err.count("\n") == 1 and err.startswith("error: ") and "bad.jpg" in err
    rows = out.splitlines()
    assert rows[0] == LOTUS and rows[4] == LAKE and len(rows) == 8
    assert rows[1].endswith("荷花满池塘") and rows[5].endswith("雪满天山  某人《雪》")


def test_an_index_is_saved_and_used_again(run, few, tmp_path) -> None:
    folder = tmp_path / "index"
    first = run(LAKE, "--lines", few, "--index", folder, "--json")
    assert first[0] == 0 and first == run(LAKE, "--lines", few, "--index", folder, "--json")
    assert first == run(LAKE, "--index", folder, "--json")  # the lines of the sample would be others
    few.write_text("别的句子\n", encoding="utf-8")
    for arguments, mention in (
        (["--lines", few, "--index", folder], "other lines than"),
        (["--index", tmp_path], "no index of lines in this folder"),
        (["--index", few], "few.txt"),
    ):
        status, out, err = run(LAKE, *arguments)
        assert (status, out) == (2, "") and err.count("\n") == 1 and mention in err
