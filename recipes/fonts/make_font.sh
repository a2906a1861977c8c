#!/usr/bin/env bash
# The brush font of the poem cards: Ma Shan Zheng, reduced to the characters that the poem model can write.
#   bash recipes/fonts/make_font.sh OUT PYTHON      needs npm, and fontTools in PYTHON (matplotlib brings it)
set -euo pipefail
out=$1 python=$2
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

npm pack --silent --pack-destination "$work" @expo-google-fonts/ma-shan-zheng@0.4.3 >/dev/null
tar -xzf "$work"/*.tgz -C "$work"
# every character of the tokenizer's pieces and of keyword.txt, and ASCII for titles
"$python" - >"$work/characters.txt" <<'PYTHON'
import json
import string
from pathlib import Path

assets = Path("helpers/assets")
pieces = json.loads((assets / "poem_t5/tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
texts = [piece[0] if isinstance(piece, list) else piece for piece in pieces]
texts += [(assets / "keyword.txt").read_text(encoding="utf-8"), string.printable]
print("".join(sorted(char for char in set("".join(texts)) if char.isprintable())))
PYTHON
"$python" -m fontTools.subset "$work/package/400Regular/MaShanZheng_400Regular.ttf" \
  --text-file="$work/characters.txt" --no-hinting --layout-features= --name-IDs='*' --output-file="$out/MaShanZheng-subset.ttf"
cp "$work/package/LICENSE_FONT" "$out/OFL.txt"
