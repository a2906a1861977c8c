"""Colours and type of the app: ink and vermilion on paper, in the reader's own fonts; nothing is fetched."""

from __future__ import annotations

import gradio as gr

VERMILION = gr.themes.Color(
    "#fbf1ef", "#f6dfdb", "#ecc0b9", "#df9a90", "#cc6c5f", "#a93a2e",
    "#93311f", "#7a281f", "#632019", "#531c16", "#2f0e0b",
)  # fmt: skip

THEME = gr.themes.Base(
    primary_hue=VERMILION,
    neutral_hue=gr.themes.colors.stone,
    radius_size=gr.themes.sizes.radius_md,
    font=["system-ui", "'PingFang SC'", "'Microsoft YaHei'", "'Noto Sans SC'", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    body_background_fill="#f6f1e7",
    body_text_color_subdued="*neutral_500",
    block_background_fill="#fffdf8",
    block_title_text_color="*neutral_600",
    input_background_fill="white",
    input_border_width="1px",
    checkbox_label_background_fill="white",
    checkbox_label_background_fill_selected="*primary_50",
    checkbox_label_background_fill_selected_dark="*primary_900",
    checkbox_label_border_color_selected="*primary_500",
    button_secondary_background_fill="#ece4d4",
    button_secondary_background_fill_hover="#e2d8c3",
)

CSS = """
.gradio-container { --verse: "Kaiti SC", "STKaiti", "KaiTi", "Songti SC", "Noto Serif CJK SC", "Noto Serif SC", serif; }
.gradio-container > .main { max-width: 1180px !important; padding: 12px clamp(10px, 3vw, 32px) !important; }
#title h1 { font: 600 2.1rem/1.2 var(--verse); letter-spacing: .12em; margin: .4rem 0 .2rem; }
#title h1 small { font: 400 1.05rem var(--font); letter-spacing: 0; opacity: .7; margin-left: .4em; }
#title p { color: var(--body-text-color-subdued); }
#steps { border: 1px solid var(--border-color-primary); padding: 1.4rem 1.8rem; }
#steps li { font-size: 1.05rem; line-height: 1.8; margin: .5rem 0; }
#samples .gallery { display: grid; grid-template-columns: repeat(8, 1fr); gap: 6px; }
#samples .gallery * { display: block; width: 100%; max-width: none; height: 48px; margin: 0; object-fit: cover; }
#switches > .form > * { flex: 1 0 auto; width: auto; min-width: 0; }
#caption p { font: 1.15rem/1.6 var(--verse); letter-spacing: .04em; text-align: center; }
#keywords textarea, #keywords input { font: 1.25rem var(--verse); letter-spacing: .06em; }

/* A candidate: the verdict small and grey in its first line, the poem below. */
#poems .wrap { flex-direction: column; flex-wrap: nowrap; max-height: 410px; overflow-y: auto; }
#poems label { align-items: flex-start; padding: .6rem .9rem; flex-shrink: 0; }
#poems label input { margin-top: .25rem; }
#poems label span { display: block; flex: 1; white-space: pre-line; }
#poems label span { font: 1.2rem/1.6 var(--verse); letter-spacing: .04em; }
#poems label span::first-line { font: .8rem/1.7 var(--font); letter-spacing: 0; color: var(--body-text-color-subdued); }

/* An answer: the prompt, then the tables in columns, a bar for each phrase. */
.answer p { font: 1.2rem/1.7 var(--verse); }
.answer ol { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; }
.answer .tables { columns: 2; column-gap: 1.6rem; }
.answer section { break-inside: avoid; margin-bottom: .8rem; }
.answer h4 { font-size: .8rem; color: var(--body-text-color-subdued); margin: 0 0 .2rem; }
.answer .phrase { display: grid; grid-template-columns: 6.5em 1fr 2em; gap: .5rem; align-items: center; }
.answer .phrase i { height: .5rem; background: var(--border-color-primary); }
.answer .phrase b { display: block; height: 100%; background: var(--button-primary-background-fill); }

@media (max-width: 640px) {
  #title h1 { font-size: 1.7rem; }
  #samples .gallery { grid-template-columns: repeat(4, 1fr); }
  #samples .gallery * { height: 58px; }
  #steps { display: none; }
  #poems label { padding: .6rem; }
  #poems label span::first-line { font-size: .72rem; }
  #poems label span { font-size: 1.08rem; letter-spacing: 0; }
  button.lg { min-height: 52px; }
}
"""
