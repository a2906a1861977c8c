"""The app: a page on which a photograph becomes a poem card (`python -m helpers.app`).

Read in this order:
    steps: what a request does, without a page.
    bars: what an interrogated picture answers.
    page: what is where, and which step answers which event.
    style: colours, type, widths.
    server: limits, models that load behind the page, the command line.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "steps": [
            "MAX_CANDIDATES",
            "Picture",
            "ask_picture",
            "candidate_text",
            "draw_card",
            "open_photo",
            "read_picture",
            "verdict",
            "write_poems",
        ],
        "bars": ["answer_html"],
        "page": ["build_page", "uploaded"],
        "style": ["CSS", "THEME"],
        "server": ["launch", "load_models", "main"],
    },
)
