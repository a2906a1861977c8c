"""The two forms of the quatrain (绝句) that are written here; without an import, so that a command line starts fast."""

FORMS = {"5x4": 5, "7x4": 7}  # characters a line x lines -> characters a line
