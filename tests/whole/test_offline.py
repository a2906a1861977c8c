"""The mini profile asks the hub nothing; the full profile asks it, in the same process too."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.config import ASSETS, load_config

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys, urllib.request
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import load_config
from helpers.data import load_image
from helpers.options import PoemOptions
from helpers.pipeline import ImageToPoem

endpoint, photo = sys.argv[1:]
asked = lambda: json.load(urllib.request.urlopen(f"{endpoint}/count"))
(found,) = ImageToPoem(load_config("mini", device="cpu"))([load_image(photo)], options=PoemOptions(n=2))
said = {"lines": found.poem.lines, "by mini": asked()}
config = load_config("full", device="cpu")
try:
    ImageTextEncoder.from_pretrained(config.image_text_model, "cpu", local_files_only=config.offline)
except (OSError, ValueError) as error:
    said["error"] = f"{error}"
print(json.dumps(said | {"by full": asked()}))
"""


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub that has nothing, and says at /count how often it was asked."""
    asked = []

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counting = self.path == "/count"
            if not counting:
                asked.append(self.path)
            body = json.dumps(len(asked)).encode() if counting and self.command == "GET" else b""
            self.send_response(200 if counting else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_mini_asks_nothing_and_full_asks(hub, tmp_path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_HUB_CACHE")}
    environment |= {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_ETAG_TIMEOUT": "2", "no_proxy": "*"}
    environment |= {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}
    photo = ASSETS / "photos" / "lotus.jpg"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, hub, photo],
        cwd=ROOT, env=environment, timeout=500, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert len(said["lines"]) == 4 and said["by mini"] == 0
    assert said["by full"] > 0 and load_config("full").image_text_model in said["error"]
    assert "\n" not in said["error"]
