"""data.download and data.fetch, against a server of our own that does what the web does."""

import csv
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from helpers.__main__ import main
from helpers.data import Counts, Limits, download_images, in_threads, is_plain

ROOT = Path(__file__).parents[2]
QUICK = Limits(timeout=0.5, deadline=2.5, retries=2, back_off=0.01)


def noise() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((120, 90), 60).save(file, "JPEG")
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """Answers with pictures; the first word of a path says what goes wrong."""

    daemon_threads = True
    request_queue_size = 128  # with fewer, a crowd of clients waits for a second to be let in

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hits: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.lock = threading.Lock()
        self.body = noise()
        self.stopped = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request, address) -> None:
        """The client hung up, as it should."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        server, name = self.server, self.path[1:]
        with server.lock:
            server.hits[name] += 1
            server.agents.add(self.headers["User-Agent"])
        getattr(self, name.split("-")[0].split(".")[0], self.good)(server.hits[name])

    def answer(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def good(self, hit: int) -> None:
        self.answer(self.server.body)

    def late(self, hit: int) -> None:  # slow, but not too slow
        self.server.stopped.wait(0.15)
        self.good(hit)

    def parts(self, hit: int) -> None:
        self.answer(self.server.body[:700], length=len(self.server.body))
        self.server.stopped.wait(0.15)
        self.wfile.write(self.server.body[700:])

    def slow(self, hit: int) -> None:
        self.server.stopped.wait(2)

    def stalls(self, hit: int) -> None:
        self.answer(self.server.body[:500], length=len(self.server.body))
        self.server.stopped.wait(2)

    def drips(self, hit: int) -> None:
        self.answer(b"", length=len(self.server.body))
        self.drip(self.server.body)

    def endless(self, hit: int) -> None:  # without a length, so that its end looks like the end of the file
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + self.server.body)
        self.drip(bytes(1000))

    def drip(self, data: bytes) -> None:
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.server.stopped.wait(0.1):
                return

    def gone(self, hit: int) -> None:
        self.answer(b"no such page", 404)

    def twice(self, hit: int) -> None:
        self.answer(b"busy", 500) if hit < 3 else self.good(hit)

    def broken(self, hit: int) -> None:
        self.answer(b"busy", 503)

    def limit(self, hit: int) -> None:
        self.answer(b"", 429, Retry_After="1") if hit < 2 else self.good(hit)

    def patience(self, hit: int) -> None:
        self.answer(b"", 429, Retry_After="3600")

    def cut(self, hit: int) -> None:
        self.answer(self.server.body[:700], length=len(self.server.body))

    def once(self, hit: int) -> None:
        self.cut(hit) if hit < 2 else self.good(hit)

    def silent(self, hit: int) -> None:
        self.connection.close()

    def html(self, hit: int) -> None:
        self.answer(b"<html>Picture not available</html>", Content_Type="image/jpeg")

    def empty(self, hit: int) -> None:
        self.answer(b"")

    def half(self, hit: int) -> None:  # half a picture, and the server thinks that it is whole
        self.answer(self.server.body[: len(self.server.body) // 2])

    def large(self, hit: int) -> None:
        self.answer(self.server.body + bytes(200_000))

    def moved(self, hit: int) -> None:
        self.answer(b"", 302, Location="/good-behind.jpg")

    def loop(self, hit: int) -> None:
        self.answer(b"", 302, Location="/loop.jpg")

    def file(self, hit: int) -> None:
        self.answer(b"", 302, Location="file:///etc/passwd")


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.stopped.set()
        server.shutdown()


def write_pairs(path: Path, rows: list[tuple[str, ...]], columns: str = "text,url,filename") -> Path:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])
    return path


def pairs_of(server: Server, folder: Path, *names: str) -> Path:
    return write_pairs(folder / "pairs.csv", [("一只狗，在跑", server.url(name), name) for name in names])


def failures(folder: Path) -> dict[str, str]:
    with open(folder / "failures.csv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        assert rows.fieldnames == ["filename", "url", "reason"]
        return {row["filename"]: row["reason"] for row in rows}


def files(folder: Path) -> set[str]:
    """What lies in the folder; nothing unfinished, and the pictures whole."""
    names = {path.name for path in folder.iterdir()}
    assert ".unfinished" not in names
    for name in names - {"failures.csv"}:
        with Image.open(folder / name) as image:
            image.load()
    return names


BAD = {
    "slow.jpg": "timed out after 0.5 s",
    "stalls.jpg": "timed out after 0.5 s",
    "drips.jpg": "not done after 2.5 s",
    "endless.jpg": "not done after 2.5 s",
    "gone.jpg": "404 Not Found",
    "broken.jpg": "503 Service Unavailable",
    "patience.jpg": "429 Too Many Requests",
    "cut.jpg": "cut off",
    "silent.jpg": "connection lost",
    "html.jpg": "not a picture in JPEG",
    "empty.jpg": "the file is empty",
    "half.jpg": "damaged (the lower ",
    "large.jpg": "larger than 0.1 MB",
    "loop.jpg": "too many redirects",
    "file.jpg": "not a valid address",
}
GOOD = {*(f"{i}.jpg" for i in range(30)), "twice.jpg", "limit.jpg", "once.jpg", "moved.jpg", "late.jpg"}


def test_the_good_arrive_and_the_bad_are_reported(server, tmp_path) -> None:
    limits = replace(QUICK, max_bytes=100_000)
    pairs, out = pairs_of(server, tmp_path, *sorted(GOOD), *BAD), tmp_path / "new" / "pictures"
    counts = download_images(pairs, out, limits, workers=24)
    assert counts == Counts(0, len(GOOD), len(BAD))
    assert files(out) == GOOD | {"failures.csv"}
    found = failures(out)
    assert set(found) == set(BAD)
    for name, reason in BAD.items():
        assert found[name].startswith(reason), name
        assert "\n" not in found[name] and str(tmp_path) not in found[name]
    hits = server.hits
    assert [hits[name] for name in ("twice.jpg", "once.jpg", "limit.jpg", "broken.jpg", "cut.jpg")] == [3, 2, 2, 3, 3]
    # what will not pass is asked for once, and a loop is left after five turns
    assert [hits[name] for name in ("gone.jpg", "html.jpg", "large.jpg", "patience.jpg", "loop.jpg")] == [1, 1, 1, 1, 6]
    assert all("image-to-poem" in agent for agent in server.agents)

    # a second run asks for nothing that is there
    server.hits.clear()
    assert download_images(pairs, out, limits, workers=24) == Counts(len(GOOD), 0, len(BAD))
    assert not GOOD & set(server.hits) and server.hits["gone.jpg"] == 1


def test_retry_after_is_heeded(server, tmp_path) -> None:
    start = time.monotonic()
    counts = download_images(pairs_of(server, tmp_path, "limit.jpg"), tmp_path / "out", Limits(1, 5, 1, back_off=0.01))
    assert counts == Counts(0, 1, 0) and time.monotonic() - start > 0.95


def test_a_dripping_server_does_not_hold_a_thread(server, tmp_path) -> None:
    start = time.monotonic()
    pairs = pairs_of(server, tmp_path, "drips.jpg", "endless.jpg")
    counts = download_images(pairs, tmp_path / "out", Limits(0.3, 0.6, 3, back_off=0.01), workers=2)
    assert counts.failed == 2 and time.monotonic() - start < 2


def test_an_address_where_nobody_answers(tmp_path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    addresses = [
        f"http://127.0.0.1:{port}/a",
        "ftp://a.org/b.jpg",
        "file:///etc/passwd",
        "a.jpg",
        "",
        "http://[::1",
        "http://",
    ]
    rows = [("字", url, f"{i}.jpg") for i, url in enumerate(addresses)]
    assert download_images(write_pairs(tmp_path / "p.csv", rows), tmp_path / "out", QUICK).failed == len(rows)
    reasons = failures(tmp_path / "out")
    assert reasons["0.jpg"] == "no connection"
    assert {reasons[f"{i}.jpg"] for i in range(1, 5)} == {"not an http or https address"}
    assert {reasons[f"{i}.jpg"] for i in range(5, 7)} == {"not a valid address or answer"}


# --- names ---


@pytest.mark.parametrize("name", ["a.jpg", "图 1.png", "a..b.jpg", "x" * 251 + ".jpg"])
def test_plain_names(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a.jpg", "/a.jpg", "a/b.jpg", "a\\b.jpg", "C:a.jpg", ".a.jpg", "a\n.jpg", "a\0.jpg",
             "failures.csv", ".unfinished", "图" * 86],
)  # fmt: skip
def test_names_that_are_not_plain(name: str, server, tmp_path) -> None:
    out = tmp_path / "a" / "out"
    pairs = write_pairs(tmp_path / "p.csv", [("字", server.url("1.jpg"), name), ("字", server.url("2.jpg"), "2.jpg")])
    assert download_images(pairs, out, QUICK) == Counts(0, 1, 1)
    assert files(out) == {"2.jpg", "failures.csv"} and {path.name for path in out.parent.iterdir()} == {"out"}
    assert set(failures(out).values()) == {"not a plain file name"} and server.hits == {"2.jpg": 1}


def test_one_name_in_several_rows(server, tmp_path) -> None:
    rows = [("狗", "1.jpg", "a.jpg"), ("跑", "1.jpg", "a.jpg"), ("猫", "2.jpg", "a.jpg"), ("山", "3.jpg", "b.jpg")]
    pairs = write_pairs(tmp_path / "p.csv", [(text, server.url(url), name) for text, url, name in rows])
    for expected in (Counts(0, 2, 1), Counts(2, 0, 1)):
        assert download_images(pairs, tmp_path / "out", QUICK) == expected
        assert failures(tmp_path / "out") == {"a.jpg": "an earlier row has this file name with another url"}
    assert server.hits == {"1.jpg": 1, "3.jpg": 1}


# --- the list ---


def test_sha256(server, tmp_path) -> None:
    right = hashlib.sha256(server.body).hexdigest()
    sums = {"none.jpg": "", "right.jpg": right.upper(), "wrong.jpg": hashlib.sha256(b"").hexdigest()}
    rows = [(total, name, "字", server.url(name)) for name, total in sums.items()]
    pairs = write_pairs(tmp_path / "p.csv", rows, "sha256,filename,text,url")  # in any order
    assert download_images(pairs, tmp_path / "out", QUICK) == Counts(0, 2, 1)
    assert failures(tmp_path / "out") == {"wrong.jpg": "sha256 is another one"}
    assert files(tmp_path / "out") == {"none.jpg", "right.jpg", "failures.csv"}


def test_failures_of_an_earlier_run_are_forgotten(server, tmp_path) -> None:
    out = tmp_path / "out"
    pairs = pairs_of(server, tmp_path, "1.jpg", "gone.jpg")
    assert download_images(pairs, out, QUICK) == Counts(0, 1, 1) and (out / "failures.csv").exists()
    pairs = pairs_of(server, tmp_path, "1.jpg", "2.jpg")
    assert download_images(pairs, out, QUICK) == Counts(1, 1, 0) and files(out) == {"1.jpg", "2.jpg"}


def test_a_long_list_is_taken_step_by_step() -> None:
    taken, done = [], 0
    jobs = (taken.append(i) or i for i in range(500))
    for outcome in in_threads(lambda job: job, jobs, workers=2):
        done += 1
        assert len(taken) - done <= 8 and outcome in taken
    assert done == 500


def test_an_error_of_our_own_ends_the_run(server, tmp_path, monkeypatch) -> None:
    """A full disk, say, is no failure of a million pictures."""

    def full(*paths: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        download_images(
            pairs_of(server, tmp_path, *(f"{i}.jpg" for i in range(200))), tmp_path / "out", QUICK, workers=2
        )
    assert server.hits.total() < 50


# --- the command ---


def test_the_last_line_says_what_there_is(server, tmp_path, capsys) -> None:
    pairs, out = pairs_of(server, tmp_path, "1.jpg", "2.jpg", "gone.jpg"), tmp_path / "out"
    assert main(["download-images", str(pairs), "--out", str(out), "--workers", "2", "--retries", "0"]) == 0
    result = capsys.readouterr()
    lines = result.err.splitlines()
    assert result.out == "" and lines[0] == "0 of 3 pictures are there already"
    assert lines[-1] == f"0 there already, 2 downloaded, 1 failed: see {out / 'failures.csv'}"
    pairs = pairs_of(server, tmp_path, "1.jpg", "2.jpg")
    assert main(["download-images", str(pairs), "--out", str(out)]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "2 there already, 0 downloaded, 0 failed"


def test_nothing_at_all(server, tmp_path, capsys) -> None:
    pairs, out = pairs_of(server, tmp_path, "gone.jpg"), tmp_path / "out"
    assert main(["download-images", str(pairs), "--out", str(out)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {out}: not one picture")
    assert failures(out) == {"gone.jpg": "404 Not Found"}


@pytest.mark.parametrize(
    "content, mention",
    [(b"", "url"), (b"text,link,filename\n", "no column url"), (b"text,url\n", "filename"),
     ("text,url,filename\n狗,a,b\n".encode("gbk"), "UTF-8"), (b'text,url,filename\n"' + b"a" * 200_000, "field")],
)  # fmt: skip
def test_not_a_list_of_pairs(content: bytes, mention: str, tmp_path, capsys) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    assert main(["download-images", str(tmp_path / "p.csv"), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'p.csv'}: ") and mention in line and not (tmp_path / "out").exists()


def test_a_list_that_is_missing(tmp_path, capsys) -> None:
    assert main(["download-images", str(tmp_path / "missing.csv"), "--out", str(tmp_path / "out")]) == 2
    assert "missing.csv" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--workers=0", "--timeout=0", "--timeout=nan", "--deadline=-1", "--retries=-1"])
def test_wrong_numbers(option: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["download-images", "p.csv", "--out", "out", option])
    assert stop.value.code == 2 and "error" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_killed_midway(server, tmp_path) -> None:
    names = {f"parts-{i:02d}.jpg" for i in range(60)}
    pairs, out = pairs_of(server, tmp_path, *sorted(names)), tmp_path / "out"
    command = [sys.executable, "-m", "helpers", "download-images", str(pairs), "--out", str(out), "--workers", "4"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while len(list(out.glob("*.jpg"))) < 15 and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    process.wait()
    whole = {path.name for path in out.glob("*.jpg")}
    assert 15 <= len(whole) < 60 and (out / ".unfinished").is_dir()
    assert all((out / name).read_bytes() == server.body for name in whole)
    (out / ".unfinished" / "parts-59.jpg").write_bytes(server.body[:100])  # as if it had been written to just then
    server.hits.clear()

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"{len(whole)} there already, {60 - len(whole)} downloaded, 0 failed"
    assert files(out) == names and set(server.hits) == names - whole
