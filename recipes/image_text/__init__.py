"""The default image-text model: CLIP's own image tower, locked, and a bilingual text tower that learns to meet it.

Read in this order:
    texts: what is learnt from.
    labels: what readers saw in photographs.
    teacher: where each text belongs in CLIP's space.
    train_text_tower: the text tower.
    export: both towers as the asset.
    keyword_table: what the labels add to the words of keyword.txt.
"""
