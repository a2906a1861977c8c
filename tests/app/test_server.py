"""app.server without a browser: the three steps, the page's limits, and a server that has too much to do.

A pretended pipeline stands in for the models; tests/test_app_browser.py has the real ones.
"""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError
from PIL import Image

from helpers.app import (
    CSS,
    MAX_CANDIDATES,
    THEME,
    Picture,
    answer_html,
    ask_picture,
    build_page,
    candidate_text,
    draw_card,
    launch,
    load_models,
    main,
    open_photo,
    read_picture,
    verdict,
    write_poems,
)
from helpers.captioning import Interrogation, ScoredPhrase
from helpers.config import ASSETS
from helpers.data import ImageError
from helpers.keywords import ScoredWord
from helpers.options import DEFAULT_CARD, LAYOUT_NAMES, THEME_NAMES, CardOptions, PoemOptions
from helpers.pipeline import PicturePoem
from helpers.poems import Poem
from helpers.verse import Line
from tests.samples import png_header

LOTUS = str(ASSETS / "photos" / "lotus.jpg")
TOWER = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")  # 王之涣《登鹳雀楼》
OWN = [ScoredWord("荷花", 3.0, 0.9), ScoredWord("夏", 2.0, 0.1, False)]


class PretendedPipeline:
    """Writes 登鹳雀楼 over and over; waits before it reads a picture until it may."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(keywords=2)
        self.can_caption = True
        self.encoder = self.writer = self
        self.encoded, self.written, self.asked = [], [], []
        self.reading, self.may_read = threading.Event(), threading.Event()
        self.may_read.set()

    def encode_images(self, images: list[Image.Image]) -> np.ndarray:
        self.encoded += images
        self.reading.set()
        assert self.may_read.wait(60)
        return np.ones((len(images), 4), np.float32)

    def unknown_characters(self, text: str) -> set[str]:
        return {char for char in text if char < "一"}

    def keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        return [OWN[:k] for _ in image_embeds]

    def captions(self, image_embeds: np.ndarray) -> list[str]:
        return ["池塘里的一朵荷花。"] * len(image_embeds)

    def caption_keywords(self, image_embeds: np.ndarray, captions: list[str], k: int) -> list[list[ScoredWord]]:
        return [[ScoredWord(caption[:2], 1.0)] for caption in captions]

    def rank(self, image_embeds: np.ndarray, words: list[str]) -> list[list[ScoredWord]]:
        return [[ScoredWord(word, 0.5) for word in words] for _ in image_embeds]

    def interrogated_keywords(self, image_embeds: np.ndarray, k: int) -> list[list[ScoredWord]]:
        return [[ScoredWord("残霞", 3.0)] for _ in image_embeds]

    def interrogator(self, image_embeds: np.ndarray, captions: list[str], mode: str) -> list[Interrogation]:
        self.asked += [(caption, mode) for caption in captions]
        tables = {"place": [ScoredPhrase("海滩", 3.0)], "flaw": [ScoredPhrase("模糊", 1.0)]}
        return [Interrogation(caption, tables, "<b>海滩", []) for caption in captions]

    def poems(self, image_embeds: np.ndarray, words: list[list[ScoredWord]], options: PoemOptions) -> list[PicturePoem]:
        self.written.append((words[0], options))
        return [PicturePoem(row, [], [Poem(TOWER, (), -1.0)] * options.n) for row in words]


@pytest.fixture(autouse=True)
def uploads(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))


@pytest.fixture
def pipeline() -> PretendedPipeline:
    return PretendedPipeline()


@pytest.fixture
def picture() -> Picture:
    return Picture(LOTUS, np.ones((1, 4), np.float32), OWN)


# --- the steps ---


def test_a_photograph_is_encoded_once(pipeline) -> None:
    picture = read_picture(pipeline, LOTUS)
    assert picture.text == "荷花 夏"
    for typed in ("", "月"):
        writing = write_poems(pipeline, picture, typed, PoemOptions(n=2))
        draw_card(writing, 1, DEFAULT_CARD)
    assert len(pipeline.encoded) == 1 and pipeline.encoded[0].mode == "RGB"


def test_the_way_of_the_caption_takes_its_words(pipeline) -> None:
    picture = read_picture(pipeline, LOTUS)
    assert picture.caption == "池塘里的一朵荷花。"
    for typed in ("", picture.text):
        write_poems(pipeline, picture, typed, PoemOptions(way="caption"))
        assert [scored.word for scored in pipeline.written.pop()[0]] == ["池塘"]
    with pytest.raises(ValueError, match="give no keywords"):
        write_poems(pipeline, picture, "月", PoemOptions(way="caption"))
    pipeline.can_caption = False
    assert read_picture(pipeline, LOTUS).caption == ""


def test_the_way_of_the_tables_takes_their_words(pipeline, picture) -> None:
    write_poems(pipeline, picture, "", PoemOptions(way="interrogate"))
    assert [scored.word for scored in pipeline.written.pop()[0]] == ["残霞"]
    with pytest.raises(ValueError, match="those of the tables: give no keywords"):
        write_poems(pipeline, picture, "月", PoemOptions(way="interrogate"))


def test_a_picture_answers(pipeline, picture) -> None:
    found = ask_picture(pipeline, picture, "fast")
    page = answer_html(found)
    assert pipeline.asked == [("", "fast")] and "地方 place" in page and "瑕疵" not in page
    assert "width:50%" in page and ">3.0<" in page and "<b>" not in page  # no phrase of a model is markup
    with pytest.raises(ValueError, match="choose a photograph first"):
        ask_picture(pipeline, None, "fast")


@pytest.mark.parametrize("typed", ["", "  \n", "，、,", "荷花 夏", " 荷花，夏 "])
def test_untouched_or_empty_keywords_are_the_picture_s_own(pipeline, picture, typed: str) -> None:
    write_poems(pipeline, picture, typed, PoemOptions())
    assert pipeline.written[0][0] is OWN


@pytest.mark.parametrize("typed", ["春 雨", "春,雨", "春，雨", "春、雨", "春；雨\n春", "春\u3000雨"])
def test_typed_keywords_are_used(pipeline, picture, typed: str) -> None:
    writing = write_poems(pipeline, picture, typed, PoemOptions())
    assert [scored.word for scored in pipeline.written[0][0]] == ["春", "雨"] and writing.title == "题春图"


@pytest.mark.parametrize(
    "typed, mention",
    [
        ("spring", "simplified Chinese"),
        ("春 <b>", "<、>、b"),
        ("春" * 61, "60"),
        (" ".join("一二三四五六七八九"), "at most 8 keywords, not 9"),
    ],
)
def test_keywords_that_cannot_be_used(pipeline, picture, typed: str, mention: str) -> None:
    with pytest.raises(ValueError, match=mention):
        write_poems(pipeline, picture, typed, PoemOptions())
    assert pipeline.written == []


def test_steps_out_of_order(pipeline, picture) -> None:
    with pytest.raises(ValueError, match="choose a photograph first"):
        write_poems(pipeline, None, "", PoemOptions())
    with pytest.raises(ValueError, match="write a poem first"):
        draw_card(None, 0, DEFAULT_CARD)
    with pytest.raises(ValueError, match="at most 48 candidates, not 10000"):
        write_poems(pipeline, picture, "", PoemOptions(n=10_000))
    writing = write_poems(pipeline, picture, "", PoemOptions(n=2))
    for number in (2, -1, None, 0.0):
        with pytest.raises(ValueError, match=f"no poem number {number}"):
            draw_card(writing, number, DEFAULT_CARD)


def test_the_chosen_poem_is_on_the_card(pipeline, picture) -> None:
    writing = write_poems(pipeline, picture, "", PoemOptions(n=2))
    other = replace(writing, poems=[writing.poems[0], Poem(TOWER[::-1], (), -1.0)])
    options = CardOptions("album", "light")
    first, second = (np.asarray(draw_card(other, number, options)) for number in (0, 1))
    assert first.shape == second.shape and (first != second).any()
    assert (first == np.asarray(draw_card(writing, 1, options))).all()


@pytest.mark.parametrize("kind", ["text", "missing", "bomb"])
def test_complaints_name_the_file_but_not_our_folders(tmp_path, kind: str) -> None:
    path = tmp_path / f"{kind}.jpg"
    if kind == "text":
        path.write_text("not a picture")
    elif kind == "bomb":
        png_header(path, 40_000, 40_000)
    with pytest.raises(ImageError, match=rf"^{kind}\.jpg: ") as error:
        open_photo(str(path))
    assert str(tmp_path) not in str(error.value) and "\n" not in str(error.value)


def test_verdict() -> None:
    assert verdict(TOWER) == "韵 rhyme 十一尤 · 平仄 tones ✓ · 重字 repeats 0"
    assert verdict(("黄河入海流",) * 4).endswith("rhyme none · 平仄 tones free · 重字 repeats 入河流海黄")


def test_candidate_text() -> None:
    poem = Poem(TOWER, (), -1.0)
    assert candidate_text(poem).splitlines()[1:] == ["白日依山尽，黄河入海流。", "欲穷千里目，更上一层楼。"]
    found = replace(poem, opening=Line(TOWER[0], "王之涣", "登鹳雀楼"))
    assert "王之涣《登鹳雀楼》" in candidate_text(found).splitlines()[-1]


# --- the page and its server ---


@pytest.fixture
def served():
    """The page on a port of its own, with room for one request at work and two in the queue."""
    models = Future()
    page = build_page(models)
    launch(page, waiting=2, max_file_size=200_000, server_name="127.0.0.1", quiet=True)
    yield SimpleNamespace(url=page.local_url, models=models, page=page)
    page.close()


def test_the_page_offers_every_layout_and_four_requests(served) -> None:
    config = served.page.get_config_file()
    choices = [[value for _, value in c["props"]["choices"]] for c in config["components"] if c["type"] == "radio"]
    assert list(LAYOUT_NAMES) in choices and list(THEME_NAMES) in choices
    named = httpx.get(f"{served.url}gradio_api/info").json()["named_endpoints"]
    assert list(named) == ["/keywords", "/poems", "/ask", "/card"]
    assert [p["parameter_name"] for p in named["/poems"]["parameters"]] == [
        "keywords", "form", "n", "seed", "rhyme", "tone", "keyword_per_line", "acrostic", "way",
    ]  # fmt: skip


def test_a_full_queue_is_said_and_the_others_are_served(served, pipeline) -> None:
    served.models.set_result(pipeline)
    pipeline.may_read.clear()
    clients = [Client(served.url, verbose=False) for _ in range(4)]
    first = clients[0].submit(handle_file(LOTUS), api_name="/keywords")
    assert pipeline.reading.wait(30)
    with ThreadPoolExecutor() as pool:
        later = [pool.submit(client.predict, handle_file(LOTUS), api_name="/keywords") for client in clients[1:3]]
        wait_until(lambda: len(served.page._queue) == 2)
        with pytest.raises(QueueError, match="Queue is full"):
            clients[3].predict(handle_file(LOTUS), api_name="/keywords")
        pipeline.may_read.set()
        answers = [first.result(30), *(job.result(30) for job in later)]
        assert [answer[0] for answer in answers] == ["荷花 夏"] * 3
        assert answers[0][1:] == ("Seen 所见: 荷花 90% · Associated 联想: 夏", "池塘里的一朵荷花。")


def test_a_request_waits_for_the_models_and_hears_if_there_are_none(served) -> None:
    job = Client(served.url, verbose=False).submit(handle_file(LOTUS), api_name="/keywords")
    served.models.set_exception(ValueError("there is no poem model"))
    with pytest.raises(AppError, match="there is no poem model"):
        job.result(30)


def test_a_path_that_was_not_uploaded_is_refused(served, pipeline) -> None:
    """Also one that does not call itself a file, which gradio would pass on."""
    served.models.set_result(pipeline)
    for payload in ({"path": LOTUS}, {"path": LOTUS, "meta": {"_type": "gradio.FileData"}}, {"url": "data:,x"}):
        event = httpx.post(f"{served.url}gradio_api/call/keywords", json={"data": [payload]}).json()["event_id"]
        answer = httpx.get(f"{served.url}gradio_api/call/keywords/{event}", timeout=30).text
        assert answer.startswith("event: error") and "upload" in answer
    assert pipeline.encoded == []


def test_an_empty_seed_and_the_files_of_a_card(served, pipeline, tmp_path) -> None:
    """An emptied field sends None. What gradio does not know of it would never delete."""
    served.models.set_result(pipeline)
    client = Client(served.url, verbose=False, download_files=False)  # it would download to the uploads, too
    client.predict(handle_file(LOTUS), api_name="/keywords")
    client.predict(keywords="", acrostic="", seed=None, n=2, api_name="/poems")
    assert pipeline.written[0][1].seed == 0
    client.predict(poem=1, layout="auto", theme="auto", api_name="/card")
    assert list(tmp_path.rglob("lotus_poem.png"))
    delete_files_created_by_app(served.page, age=None)  # what `delete_cache` does, without the wait
    assert not list(tmp_path.rglob("lotus_poem.png"))


def test_an_upload_that_is_too_large_is_refused(served) -> None:
    answer = httpx.post(f"{served.url}gradio_api/upload", files={"files": ("x.jpg", bytes(300_000))})
    assert answer.status_code == 413 and "maximum allowed size" in answer.text


def test_the_queue_cannot_be_skipped(served) -> None:
    answer = httpx.post(f"{served.url}gradio_api/run/keywords", json={"data": [None]})
    assert answer.status_code == 404 and "join the queue" in answer.text


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("waited in vain")


# --- the start ---


def no_model(profile: str = "full") -> PretendedPipeline:
    raise ValueError(f"no {profile}")


def test_models_that_do_not_load_are_told_on_the_console_too(capsys) -> None:
    models = Future()
    load_models(models, no_model)
    assert str(models.exception(0)) == "no full" and capsys.readouterr().err == "error: no full\n"


def test_in_colab_the_page_is_shared_and_the_cell_ends(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", object())
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    launched = []
    monkeypatch.setattr(gr.Blocks, "launch", lambda page, **options: launched.append(options))
    assert main([], load=no_model) == 0 and [options["share"] for options in launched] == [True]


def test_a_port_that_is_taken(served, capsys) -> None:
    port = served.url.rstrip("/").rsplit(":", 1)[1]
    assert main(["--port", port]) == 2
    assert port in capsys.readouterr().err


def test_nothing_of_the_looks_comes_from_the_network() -> None:
    assert THEME._stylesheets == [] and "http" not in CSS
    assert not gr.analytics.analytics_enabled()


def test_max_candidates_is_what_the_slider_offers(served) -> None:
    sliders = [c["props"] for c in served.page.get_config_file()["components"] if c["type"] == "slider"]
    assert [(s["minimum"], s["maximum"]) for s in sliders] == [(1, MAX_CANDIDATES)]
