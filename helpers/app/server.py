"""The app: a page on which a photograph becomes a poem card. python -m helpers.app [--profile mini|full] [--port 7860]

The page (`helpers.app.page`) is up at once, while the models load behind it; requests are served one after another. In
a notebook, on Colab say: `from helpers.app.server import main; main([])`.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from PIL import Image

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from helpers import pipeline  # its names come when they are first used: the page is up before the models are
from helpers.app.page import build_page
from helpers.app.style import CSS, THEME

if TYPE_CHECKING:
    import gradio as gr

    from helpers.pipeline import ImageToPoem

MAX_BYTES = 50 * 2**20  # of an upload; `load_image` limits its pixels
MAX_WAITING = 32  # requests; further ones are told at once that the queue is full


def main(argv: Sequence[str] | None = None, load: Callable[[str], ImageToPoem] | None = None) -> int:
    """The exit status; `load` takes a profile to its pipeline, by default `load_pipeline`."""
    args = build_parser().parse_args(argv)
    models: Future[ImageToPoem] = Future()
    page = build_page(models)
    try:
        launch(page, server_name=args.host, server_port=args.port, share=args.share or "google.colab" in sys.modules)
    except (ValueError, OSError) as error:  # a port that is taken, say
        complain(error)
        return 2
    load = load or (lambda profile: pipeline.load_pipeline(profile))
    threading.Thread(target=load_models, args=(models, lambda: load(args.profile))).start()
    if "ipykernel" not in sys.modules:  # a notebook goes on to its next cell
        page.block_thread()
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers.app", description="Photograph to poem, on a page.")
    parser.add_argument("--profile", choices=("mini", "full"), default="mini")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: can be reached from other machines")
    parser.add_argument("--port", type=int, help="default: the first free one from 7860")
    parser.add_argument("--share", action="store_true", help="a public link by gradio.live; on by itself in Colab")
    return parser


def load_models(models: Future[ImageToPoem], load: Callable[[], ImageToPoem]) -> None:
    """Load all that the first request would wait for; a failure is told here, and to everybody who asks later."""
    try:
        ready = load()
        ready([Image.new("RGB", (32, 32))])
        models.set_result(ready)
    except Exception as error:
        models.set_exception(error)
        complain(error)


def complain(error: Exception) -> None:
    """One clear line on stderr."""
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)


def launch(page: gr.Blocks, waiting: int = MAX_WAITING, **options: object) -> None:
    """Serve the page with this app's limits and looks and return; `options` are further ones of `gr.Blocks.launch`."""
    page.queue(max_size=waiting, api_open=False)
    limits = {"max_file_size": MAX_BYTES, "run_history": False, "enable_monitoring": False, "show_error": True}
    looks = {"theme": THEME, "css": CSS, "footer_links": []}
    page.launch(prevent_thread_lock=True, **limits | looks | options)


if __name__ == "__main__":
    sys.exit(main())
