#!/usr/bin/env bash
# make assets: every embedded model from the data, in order; each step continues where it was killed.
#   make_assets.sh DATA RUNS PYTHON
# recipes/README.md says what DATA and RUNS must hold beforehand.
set -euo pipefail
data=$1 runs=$2 python=$3
flickr=$data/flickr8k/train.parquet wallpapers=$data/wallpapers scenes=$data/scenes
exclude=$data/poems/ccpc_valid_v1.0.json words=$data/clip_text/vitb16_vocab.npz
weights=$runs/weights corpus=$runs/chinese-poetry bge=$runs/weights/bge-small-zh-v1.5
export OMP_WAIT_POLICY=passive

features() { # PHOTOS NAME
  [ -f "$runs/clip/$2.safetensors" ] || "$python" -m recipes.clip_features --photos "$1" \
    --clip "$weights/clip_vitb16_vision.safetensors" --out "$runs/clip/$2.safetensors"
}
features "$flickr" flickr8k_train
features "$wallpapers" wallpapers
features "$scenes/images" scenes
photos=("$runs/clip/flickr8k_train.safetensors" "$runs/clip/wallpapers.safetensors")

# the backbones of notebook 01; their small text tower is also one of the three teachers of the large one
[ -f "$runs/bridge.safetensors" ] || "$python" -m recipes.backbones.bridge --flickr "$flickr" --teacher "${photos[@]}" \
  --clip-words "$words" --out "$runs/bridge.safetensors"
"$python" -m recipes.poem_t5.prepare_poems --corpus "$corpus" --exclude "$exclude" --out "$runs/poems" --sample helpers/assets/poems
"$python" -m recipes.poem_t5.write_lines --poems "$runs/poems" --out "$runs/lines.txt"
"$python" -m recipes.backbones.train_text_tower --flickr "$flickr" --bridge "$runs/bridge.safetensors" \
  --clip-words "$words" --lines "$runs/lines.txt" --image-embeds "${photos[@]}" --out "$runs/small_text_tower"
"$python" -m recipes.backbones.export --resnet34 "$weights/resnet34.safetensors" --text "$runs/small_text_tower" \
  --out helpers/assets/backbones

# the image-text model: CLIP's image tower, a text tower that meets it, and what labelled photographs say of words
"$python" -m recipes.image_text.labels --scenes "$scenes/labels.json"
[ -f "$runs/text_teacher.safetensors" ] || "$python" -m recipes.image_text.teacher --data "$data" \
  --features "${photos[@]}" --bert "$bge" --earlier helpers/assets/backbones --out "$runs/text_teacher.safetensors"
"$python" -m recipes.image_text.train_text_tower --data "$data" --features "${photos[@]}" --bert "$bge" \
  --teacher "$runs/text_teacher.safetensors" --out "$runs/bert_tower"
"$python" -m recipes.image_text.train_text_tower --data "$data" --features "${photos[@]}" --bert "$bge" \
  --teacher "$runs/text_teacher.safetensors" --init "$runs/bert_tower" --steps 900 --batch-size 256 --lr 1e-4 --head-lr 5e-4 \
  --out "$runs/bert_tower_2"
"$python" -m recipes.image_text.export --clip "$weights/clip_vitb16_vision.safetensors" --text "$runs/bert_tower_2" \
  --features "${photos[@]}" --out helpers/assets/image_text
"$python" -m recipes.image_text.keyword_table --model helpers/assets/image_text \
  --features "${photos[@]}" "$runs/clip/scenes.safetensors" --scenes "$scenes" \
  --out helpers/assets/image_text/keywords.safetensors

# the poem model, its base and the second reader: the first two go on from the models that are shipped
"$python" -m recipes.poem_t5.train_base --poems "$runs/poems" --start helpers/assets/poem_base --layers 2 4 --steps 250 --lr 5e-4 \
  --out "$runs/poem_base"
"$python" -m recipes.poem_t5.export --model "$runs/poem_base" --out helpers/assets/poem_base
"$python" -m recipes.poem_t5.train_base --poems "$runs/poems" --start helpers/assets/poem_t5 --steps 2400 --lr 8e-4 --out "$runs/poem_t5"
"$python" -m recipes.poem_t5.export --model helpers/assets/poem_t5 "$runs/poem_t5" --out helpers/assets/poem_t5
"$python" -m recipes.poem_t5.train_reader --poems "$runs/poems" --writer helpers/assets/poem_t5 --start helpers/assets/poem_reader \
  --steps 2000 --out "$runs/poem_reader" --export helpers/assets/poem_reader

# the sample of classical lines
"$python" -m recipes.lines.sample --corpus "$corpus" --out helpers/assets/lines/lines.tsv

# the judge, which has no part in choosing poems: another image tower, another BERT, the same pictures and captions
judge=$runs/judge_towers judge_data=$runs/judge_data
"$python" -m recipes.judge.towers --places365 "$weights/places365_wideresnet18.safetensors" \
  --bert "$weights/bert-base-chinese" --flickr "$flickr" --out "$judge"
[ -f "$judge_data/train.parquet" ] || "$python" -m recipes.judge.data --flickr "$data/flickr8k" \
  --wallpapers "$wallpapers" --hold-out 8 --out "$judge_data"
"$python" -m helpers train lit @recipes/judge/judge.args --image-tower "$judge/image" --text-model "$judge/text" \
  --data "$judge_data" --resume --out "$runs/judge"
"$python" -m recipes.judge.export --model "$runs/judge" --wallpapers "$wallpapers" --out helpers/assets/judge

# the captioner: the same pictures, as the image-text model sees them, and sentences alone
captioner_data=$runs/captioner_data
[ -f "$captioner_data/train.parquet" ] || "$python" -m recipes.judge.data --flickr "$data/flickr8k" \
  --wallpapers "$wallpapers" --views 3 --sentences --hold-out 8 --out "$captioner_data"
"$python" -m recipes.captioner.train --data "$data" --pictures "$captioner_data" --resume --out "$runs/captioner"
"$python" -m recipes.captioner.export --model "$runs/captioner" --out helpers/assets/captioner

# what lets the poem model see the picture: couplets alone, as the image-text model sees them
"$python" -m recipes.captioner.train_verse_prefix --poems "$runs/poems" --resume --out "$runs/verse_prefix" \
  --export helpers/assets/verse_prefix
