"""The next image-text model, begun: CLIP's own image tower, locked, and a bilingual text tower trained against it.

Reading order: texts (what is learnt from), teacher (where each text belongs in CLIP's space), train_text_tower.
"""
