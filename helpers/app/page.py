"""The page of the app: what is where, and which of the steps (`helpers.app.steps`) answers which event."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder

from helpers.app.bars import answer_html
from helpers.app.steps import (
    MAX_CANDIDATES,
    MAX_TEXT,
    Picture,
    Writing,
    ask_picture,
    candidate_text,
    draw_card,
    read_picture,
    write_poems,
)
from helpers.config import ASSETS
from helpers.options import (
    DEFAULT,
    DEFAULT_CARD,
    FORMS,
    INTERROGATION_MODES,
    LAYOUT_NAMES,
    THEME_NAMES,
    WAYS,
    CardOptions,
    PoemOptions,
)

if TYPE_CHECKING:
    from helpers.pipeline import ImageToPoem

LIFETIME = 2 * 3600  # seconds: photographs, cards and sessions live no longer
MAX_SEED = 2**31 - 1
PHOTOS = ASSETS / "photos"
MODELS = {"concurrency_id": "models", "concurrency_limit": 1}  # one at a time: a CPU has few cores
CHINESE = {
    "5x4": "五绝", "7x4": "七绝", "keywords": "按关键词", "lines": "续古人句", "guided": "看图逐句",
    "caption": "按图说", "picture": "看图写", "interrogate": "问图",
    "fast": "速", "classic": "逐表", "best": "逐词", "negative": "反问",
    "auto": "自动", "album": "册页", "inscription": "题画", "scroll": "挂轴", "fan": "团扇",
    "light": "浅", "dark": "深",
}  # fmt: skip
TITLE = """
# 以图作诗 <small>Image to Poem</small>
A photograph goes in, a classical Chinese quatrain comes out. 上传一张照片，得一首绝句。
"""
STEPS = """
1. Choose a photograph: its keywords appear.<br>选一张照片，看它的关键词。
2. Change the keywords if you like, and press *Write*.<br>可改关键词，然后作诗。
3. Pick one of the poems and download its card.<br>选一首，下载诗卡。
"""
SHOW = "() => { if (innerWidth < 700) document.getElementById('poems').scrollIntoView({behavior: 'smooth'}) }"


def uploaded(photo: dict) -> str:
    """The path of an uploaded file, as `gr.ImageData` has it; ValueError for any other.

    gradio itself looks only at paths that call themselves a file: others could name any picture on this machine.
    """
    path = Path(photo["path"] or "").resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()):
        raise ValueError("upload the photograph as a file")
    return str(path)


def in_one_line(step: Callable) -> Callable:
    """Tells the reader what was wrong with the request; anything else is our own mistake and goes to the console."""

    @functools.wraps(step)
    def wrapped(*args, **kwargs):
        try:
            return step(*args, **kwargs)
        except (ValueError, OSError) as error:
            message = html.escape(" ".join(str(error).split()), quote=False)
            raise gr.Error(message, print_exception=False) from error

    return wrapped


@dataclass(frozen=True)
class Handlers:
    """The steps as gradio calls them: values of components in, values and updates of components out."""

    models: Future[ImageToPoem]

    def pipeline(self, progress: gr.Progress) -> ImageToPoem:
        if not self.models.done():
            progress(0, desc="Loading the models 正在加载模型")
        return self.models.result()

    @in_one_line
    def read(self, photo: dict | None, progress: gr.Progress = gr.Progress()):  # noqa: B008 - so gradio finds it
        """Keywords and caption of a photograph (a file). Taking it away leaves what was written for it."""
        if not photo:
            return None, gr.skip(), gr.skip(), gr.skip(), gr.skip()
        picture = read_picture(self.pipeline(progress), uploaded(photo))
        return picture, picture.text, picture.account, picture.caption, None

    @in_one_line
    def write(
        self, picture: Picture | None, keywords: str | None, form: str, n: int, seed: int | None, rhyme: bool,
        tone: bool, keyword_per_line: bool, acrostic: str | None, way: str, progress: gr.Progress = gr.Progress(),  # noqa: B008
    ):  # fmt: skip
        """Poems for this session's photograph, best first; no keywords mean the photograph's own, no seed means 0."""
        options = PoemOptions(form, n, seed or 0, rhyme, tone, keyword_per_line, (acrostic or "").strip(), way)
        writing = write_poems(self.pipeline(progress), picture, keywords or "", options)
        choices = [(candidate_text(poem), number) for number, poem in enumerate(writing.poems)]
        return writing, gr.Radio(choices=choices, value=0)

    @in_one_line
    def ask(self, picture: Picture | None, mode: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        """What this session's photograph answers to the tables of phrases, as bars."""
        return answer_html(ask_picture(self.pipeline(progress), picture, mode))

    @in_one_line
    def draw(self, writing: Writing | None, poem: int | None, layout: str, theme: str):
        """The card of one of this session's poems, by its number: a PNG to see and to download."""
        card = draw_card(writing, poem, CardOptions(layout, theme))
        path = save_pil_to_cache(card, get_upload_folder(), f"{Path(writing.picture.path).stem}_poem", "png")
        return path, path


def build_page(models: Future[ImageToPoem]) -> gr.Blocks:
    """The page, not launched yet; `models` may still be loading."""
    steps = Handlers(models)
    with gr.Blocks(
        title="Image to Poem 以图作诗", analytics_enabled=False, delete_cache=(LIFETIME // 4, LIFETIME)
    ) as page:
        picture, writing = gr.State(time_to_live=LIFETIME), gr.State(time_to_live=LIFETIME)
        gr.Markdown(TITLE, elem_id="title")
        with gr.Row():
            with gr.Column(min_width=320):
                photo = gr.Image(label="Photograph 照片", height=300, elem_id="photo", buttons=[])
                caption = gr.Markdown(elem_id="caption")
                samples = [[str(path)] for path in sorted(PHOTOS.glob("*.jpg"))]
                gr.Examples(samples, photo, label="Or one of these 样图", elem_id="samples", api_visibility="private")
                keywords = gr.Textbox(
                    label="Keywords 关键词", info="Change them as you like. Empty: the photograph's own.",
                    placeholder="春 雨", max_length=MAX_TEXT, elem_id="keywords",
                )  # fmt: skip
                account = gr.Markdown(elem_id="account")
                form = gr.Radio(labelled(FORMS), value=DEFAULT.form, label="Form 体裁")
                with gr.Row(elem_id="switches"):
                    rhyme = gr.Checkbox(DEFAULT.rhyme, label="Rhyme 押韵")
                    tone = gr.Checkbox(DEFAULT.tone, label="Tones 平仄")
                    keyword_per_line = gr.Checkbox(DEFAULT.keyword_per_line, label="A keyword a line 逐句嵌词")
                way = gr.Radio(labelled(WAYS), value=DEFAULT.way, label="Way 作法")
                with gr.Accordion("More wishes 更多", open=False):
                    acrostic = gr.Textbox(
                        label="Acrostic 藏头", info="Up to four characters, with which the lines begin.", max_length=4
                    )
                    n = gr.Slider(1, MAX_CANDIDATES, DEFAULT.n, step=1, precision=0, label="Candidates 候选")
                    seed = gr.Number(
                        DEFAULT.seed, label="Seed 种子", info="The same seed writes the same poems.",
                        precision=0, minimum=0, maximum=MAX_SEED,
                    )  # fmt: skip
                with gr.Row():
                    write = gr.Button("Write 作诗", variant="primary", elem_id="write", scale=2)
                    another = gr.Button("Others 换一批", elem_id="another")
            with gr.Column(min_width=320), gr.Tabs():
                with gr.Tab("Poem 诗"):
                    guide = gr.Markdown(STEPS, elem_id="steps")
                    with gr.Column(visible=False) as outcome:
                        poem = gr.Radio(label="Poems, best first 诗，佳者在前", elem_id="poems")
                        card = gr.Image(
                            label="Card 诗卡", show_label=False, buttons=[], alt_text="the poem card",
                            interactive=False, elem_id="card",
                        )  # fmt: skip
                        download = gr.DownloadButton(
                            "Download the card 下载诗卡", variant="primary", elem_id="download"
                        )
                        layout = gr.Radio(labelled(LAYOUT_NAMES), value=DEFAULT_CARD.layout, label="Layout 版式")
                        theme = gr.Radio(labelled(THEME_NAMES), value=DEFAULT_CARD.theme, label="Paper 纸色")
                with gr.Tab("Ask the picture 问图", elem_id="asking"):
                    mode = gr.Radio(labelled(INTERROGATION_MODES), value="best", label="Prompt 描述")
                    ask = gr.Button("Ask 问", variant="primary", elem_id="ask")
                    answer = gr.HTML(elem_id="answer")

        # at once, in the browser: poems asked for while a photograph is being read are for its own keywords
        photo.change(None, None, [keywords, account, caption, answer], js="() => ['', '', '', '']")
        # without gradio's preprocessing: it would open the file first, and has no words for a bad one
        known = [picture, keywords, account, caption, writing]
        read = photo.change(steps.read, photo, known, preprocess=False, api_name="keywords", **MODELS)
        read.failure(lambda: None, None, photo, api_visibility="private")  # a broken preview helps nobody
        writing.change(
            lambda writing: (gr.Column(visible=bool(writing)), gr.Markdown(visible=not writing)),
            writing, [outcome, guide], api_visibility="private",
        )  # fmt: skip

        def draws(event: Callable, **api) -> None:
            event(steps.draw, [writing, poem, layout, theme], [card, download], **MODELS, **api)

        def writes(event: Callable, **api) -> None:
            wishes = [picture, keywords, form, n, seed, rhyme, tone, keyword_per_line, acrostic, way]
            written = event(steps.write, wishes, [writing, poem], **MODELS, **api)
            draws(written.success, api_visibility="private")
            written.success(None, js=SHOW)

        writes(write.click, api_name="poems")
        writes(keywords.submit, api_visibility="private")
        writes(another.click(None, seed, seed, js="seed => (seed ?? 0) + 1").then, api_visibility="private")
        ask.click(steps.ask, [picture, mode], answer, api_name="ask", **MODELS)
        mode.input(steps.ask, [picture, mode], answer, api_visibility="private", **MODELS)
        draws(poem.input, api_name="card")
        for choice in (layout, theme):
            draws(choice.input, api_visibility="private")
    return page


def labelled(names: Iterable[str]) -> list[tuple[str, str]]:
    """Choices under their English and Chinese names."""
    return [(f"{name} {CHINESE[name]}", name) for name in names]
