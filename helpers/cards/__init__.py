"""The poem card: a photograph with its quatrain, written by brush in columns.

Read in this order:
    card: photograph, poem and title in, picture out.
    layouts: album leaf, inscription, hanging scroll, round fan.
    text: columns of characters, set and drawn.
    calm: the calmest place of a photograph.
    contrast: inks that can be read on any ground.
    fonts: brush, serif and sans.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "card": ["poem_card", "poem_sheet"],
        "layouts": ["CALM", "LAYOUTS", "MARGIN", "fitting_layout", "inscription_place", "worst_contrast"],
        "text": ["CardText", "draw_block", "glyph_box", "missing_glyphs", "set_block"],
        "calm": ["calmest_place"],
        "contrast": ["DARK", "LIGHT", "TILE", "contrast_ratio", "lay_veil", "palettes"],
        "fonts": ["BRUSH", "SANS", "SERIF"],
    },
)
