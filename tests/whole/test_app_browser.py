"""python -m helpers.app with the embedded models, as a reader uses it: in a real browser, and in a crowd.

Needs Chromium or Chrome; `tests/whole/install_browser.sh` installs one. One server and one browser serve all tests.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from helpers.config import ASSETS

ROOT = Path(__file__).parents[2]
LOTUS, LAKE = (ASSETS / "photos" / f"{name}.jpg" for name in ("lotus", "snow_lake"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update"
PATIENCE = 240_000  # milliseconds; four workers and a browser may share two cores
WISHES = {
    "keywords": "", "form": "5x4", "n": 2, "seed": 1, "rhyme": True, "tone": True, "keyword_per_line": False,
    "acrostic": "", "way": "keywords",
}  # fmt: skip


def test_the_installer_looks_for_the_same_ones() -> None:
    assert f" in {' '.join(BROWSERS)}; do" in (ROOT / "tests" / "whole" / "install_browser.sh").read_text(
        encoding="utf-8"
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium's sandbox does not run as root, as in a container; the only pages here are our own
        arguments = [*QUIET.split(), *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]
        of_system = next(filter(None, map(shutil.which, BROWSERS)), None)  # None: Playwright's own
        try:
            browser = playwright.chromium.launch(executable_path=of_system, args=arguments)
        except Error as error:
            problem, cure = error.message.splitlines()[0], "run `sh tests/whole/install_browser.sh python`"
            pytest.fail(f"no browser to test the app with, {cure} ({problem})", pytrace=False)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The app in a process of its own, which must still be alive at the end."""
    folder = tmp_path_factory.mktemp("app")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folders = {"GRADIO_TEMP_DIR": str(folder / "uploads"), "IMAGE_TO_POEM_CACHE": str(folder / "cache")}
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "helpers.app.server", "--port", port]
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | folders, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}/"
    while not answers(address):
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.2)
    yield address
    alive = server.poll() is None and answers(address)
    server.terminate()
    server.wait(30)
    assert alive, (folder / "log").read_text()


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=20).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def page(browser, url) -> Iterator[Page]:
    yield from opened(browser, url, width=1280, height=900)


@pytest.fixture
def phone(browser, url) -> Iterator[Page]:
    yield from opened(browser, url, width=375, height=812)


def opened(browser: Browser, url: str, width: int, height: int) -> Iterator[Page]:
    """The page in a window of this size; it may ask no other server for anything."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    strangers: list[str] = []
    page.on("request", lambda request: strangers.append(request.url) if request.url.startswith("http") else None)
    page.goto(url)
    page.locator("#write").wait_for()
    yield page
    page.close()
    assert [address for address in strangers if not address.startswith(url)] == []


def upload(page: Page, path: Path) -> None:
    page.locator("#photo input[type=file]").set_input_files(path)


def keyword_field(page: Page):
    return page.locator("#keywords").get_by_role("textbox")


def read(page: Page, path: Path) -> str:
    """The keywords of a photograph."""
    upload(page, path)
    expect(keyword_field(page)).not_to_have_value("", timeout=PATIENCE)
    return keyword_field(page).input_value()


def write(page: Page) -> list[str]:
    """Press the button; the candidates as they are shown."""
    page.locator("#write").click()
    expect(page.locator("#card img")).to_be_visible(timeout=PATIENCE)
    return page.locator("#poems label").all_inner_texts()


def lines_of(candidate: str) -> list[str]:
    """The four lines of a candidate, which stand below its verdict."""
    return re.findall("[\u4e00-\u9fff]+(?=[，。])", "\n".join(candidate.splitlines()[1:3]))


def downloaded_card(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator("#download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


# --- a reader ---


def test_a_picture_is_asked(page) -> None:
    """Tables as bars and a prompt; another photograph takes the answer away."""
    read(page, LOTUS)
    page.get_by_role("tab", name="Ask the picture").click()
    page.locator("#ask").click()
    expect(page.locator("#answer .phrase").first).to_be_visible(timeout=PATIENCE)
    assert page.locator("#answer section").count() > 20 and "莲" in page.locator("#answer").inner_text()
    widths = page.locator("#answer .phrase b").evaluate_all("bars => bars.map(bar => bar.offsetWidth)")
    assert len(set(widths)) > 5
    read(page, LAKE)
    expect(page.locator("#answer .phrase")).to_have_count(0)


def test_from_a_photo_to_a_downloaded_card(page, tmp_path) -> None:
    words = read(page, LOTUS).split()
    assert len(words) == 4
    candidates = write(page)
    assert len(candidates) == 8 and len(set(candidates)) > 1
    for candidate in candidates:
        assert candidate.startswith("韵 rhyme ") and [len(line) for line in lines_of(candidate)] == [7] * 4
    assert any(word in candidates[0] for word in words)
    first = downloaded_card(page, tmp_path)
    assert first.name == "lotus_poem.png"
    with Image.open(first) as card:
        assert card.format == "PNG" and card.mode == "RGB" and 1200 in card.size
        before = np.asarray(card)
    shown = page.locator("#card img").get_attribute("src")
    page.locator("#poems label").nth(3).click()
    expect(page.locator("#card img")).not_to_have_attribute("src", shown, timeout=PATIENCE)
    with Image.open(downloaded_card(page, tmp_path)) as card:
        assert card.size != before.shape[1::-1] or (np.asarray(card) != before).any()


def test_the_reader_s_words_form_and_acrostic(page) -> None:
    read(page, LAKE)
    keyword_field(page).fill("明月")
    page.get_by_label("5x4").check()
    page.get_by_role("button", name="More wishes").click()
    page.get_by_label("Acrostic").fill("春")
    candidates = [lines_of(candidate) for candidate in write(page)]
    assert all([len(line) for line in lines] == [5] * 4 and lines[0][0] == "春" for lines in candidates)
    assert any("明月" in line for line in candidates[0])
    shown = page.locator("#card img").get_attribute("src")
    page.get_by_label("fan").check()
    expect(page.locator("#card img")).not_to_have_attribute("src", shown, timeout=PATIENCE)


def test_a_sample_photo_and_others(page) -> None:
    page.locator("#samples button").first.click()
    expect(keyword_field(page)).not_to_have_value("", timeout=PATIENCE)
    first = write(page)
    page.locator("#another").click()
    expect(page.locator("#poems label").first).not_to_have_text(first[0], timeout=PATIENCE)


def test_poems_asked_for_while_a_photo_is_read_are_not_for_the_last_one(page) -> None:
    words, queue = read(page, LOTUS), "**/queue/join*"
    page.route(queue, lambda request: None)  # the photo is never read
    with page.expect_request(queue):
        upload(page, LAKE)
    with page.expect_request(lambda request: "7x4" in (request.post_data or "")) as asked:
        page.locator("#write").click()
    assert words not in asked.value.post_data


def test_a_phone(phone) -> None:
    def width() -> int:
        return phone.evaluate("document.documentElement.scrollWidth")

    assert width() == 375
    read(phone, LOTUS)
    write(phone)
    assert width() == 375
    boxes = [phone.locator(name).bounding_box() for name in ("#photo", "#keywords", "#poems", "#card", "#download")]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 375 for box in boxes)
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in zip(boxes, boxes[1:], strict=False))
    for button in ("#write", "#another", "#download"):
        assert phone.locator(button).bounding_box()["height"] >= 44  # what a thumb needs


# --- requests that cannot be met ---


def test_a_text_file_called_jpg(page, tmp_path) -> None:
    words, candidates = read(page, LOTUS), write(page)
    (tmp_path / "letter.jpg").write_text("not a picture", encoding="utf-8")
    page.get_by_label("Remove Image").click()
    upload(page, tmp_path / "letter.jpg")
    expect(page.get_by_text("letter.jpg: not a picture in JPEG")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#photo input[type=file]")).to_be_attached(timeout=PATIENCE)  # the broken preview is gone
    assert page.locator("#poems label").all_inner_texts() == candidates  # nothing is lost
    assert read(page, LAKE) != words


def test_a_file_that_is_too_large(page, tmp_path) -> None:
    (tmp_path / "large.jpg").write_bytes(bytes(51 * 2**20))
    upload(page, tmp_path / "large.jpg")
    expect(page.get_by_text("exceed the maximum allowed size of 50")).to_be_visible(timeout=PATIENCE)


def test_no_photo_and_words_that_the_model_cannot_spell(page) -> None:
    page.locator("#write").click()
    expect(page.get_by_text("choose a photograph first")).to_be_visible(timeout=PATIENCE)
    read(page, LAKE)
    keyword_field(page).fill("春 snow")
    page.locator("#write").click()
    expect(page.get_by_text("cannot spell n、o、s、w")).to_be_visible(timeout=PATIENCE)
    assert keyword_field(page).input_value() == "春 snow"


def test_a_photo_of_40_megabytes(page, tmp_path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    path = tmp_path / "camera.jpg"
    Image.fromarray(np.tile(noise, (4, 4, 1))).save(path, quality=95, subsampling=0)
    assert 40e6 < path.stat().st_size < 50 * 2**20
    assert read(page, path)
    assert len(write(page)) == 8


@pytest.mark.parametrize(
    "change, mention",
    [
        ({"n": 10_000}, "10000 is greater than maximum value 48"),
        ({"n": 0}, "less than minimum value 1"),
        ({"n": "many"}, "Expected a `float`"),
        ({"form": "9x9"}, "not in the list of choices"),
        ({"form": None}, "unknown form None"),
        ({"way": "magic"}, "not in the list of choices"),
        ({"seed": -1}, "less than minimum value 0"),
        ({"keywords": "春" * 10_000}, "longer than 60"),
        ({"acrostic": "春夏秋冬春"}, "at most four characters"),
        ({"acrostic": "春", "way": "lines"}, "cannot be an acrostic"),
    ],
)
def test_requests_that_no_page_sends(visitor, change: dict, mention: str) -> None:
    with pytest.raises(AppError, match=mention):
        visitor.predict(**WISHES | change, api_name="/poems")


@pytest.fixture(scope="module")
def visitor(url) -> Client:
    client = Client(url, verbose=False)
    client.predict(handle_file(LOTUS), api_name="/keywords")
    return client


# --- a crowd ---


def test_twenty_at_once_get_their_own_poems(url) -> None:
    """Each is answered, for the photograph that it sent."""

    def visit(number: int) -> tuple[str, list]:
        client = Client(url, verbose=False)
        words, *_ = client.predict(handle_file((LOTUS, LAKE)[number % 2]), api_name="/keywords")
        return words, client.predict(**WISHES, api_name="/poems")["choices"]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(visit, range(20), timeout=240))
    lotus, lake = answers[:2]
    assert lotus[0] != lake[0]
    assert answers == [lotus, lake] * 10
    for words, choices in (lotus, lake):
        poems = [lines_of(text) for text, _ in choices]
        assert len(poems) == 2 and all([len(line) for line in lines] == [5] * 4 for lines in poems)
        assert any(word in "".join(poems[0]) for word in words.split())
