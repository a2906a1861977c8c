#!/usr/bin/env bash
# make assets: every embedded model from the data, in order; each step continues where it was killed.
#   make_assets.sh DATA RUNS PYTHON
# recipes/README.md says what DATA and RUNS must hold beforehand.
set -euo pipefail
data=$1 runs=$2 python=$3
flickr=$data/flickr8k/train.parquet val=$data/flickr8k/val.parquet wallpapers=$data/wallpapers
exclude=$data/poems/ccpc_valid_v1.0.json words=$data/clip_text/vitb16_vocab.npz
weights=$runs/weights corpus=$runs/chinese-poetry size=192  # a little more than the 160 of training: best on Flickr8k val
export OMP_WAIT_POLICY=passive

features() { # PHOTOS VIEWS NAME
  [ -f "$runs/teacher/$3.safetensors" ] || "$python" -m recipes.image_text.teacher_features --photos "$1" --views "$2" \
    --clip "$weights/clip_vitb16_vision.safetensors" --out "$runs/teacher/$3.safetensors"
}
features "$flickr" 1 flickr8k_train
features "$val" 1 flickr8k_val
features "$wallpapers" 8 wallpapers
teacher=("$runs/teacher/flickr8k_train.safetensors" "$runs/teacher/wallpapers.safetensors")

# the text teacher, then both towers in CLIP's space
[ -f "$runs/bridge.safetensors" ] || "$python" -m recipes.image_text.bridge --flickr "$flickr" --teacher "${teacher[@]}" \
  --clip-words "$words" --out "$runs/bridge.safetensors"
"$python" -m recipes.poem_t5.prepare_poems --corpus "$corpus" --exclude "$exclude" --out "$runs/poems" --sample helpers/assets/poems
"$python" -m recipes.poem_t5.write_lines --poems "$runs/poems" --out "$runs/lines.txt"
text=(--flickr "$flickr" --bridge "$runs/bridge.safetensors" --clip-words "$words" --lines "$runs/lines.txt")
"$python" -m recipes.image_text.train_text_tower "${text[@]}" --image-embeds "${teacher[@]}" --out "$runs/text_tower"
image=(--flickr "$flickr" --wallpapers "$wallpapers" --teacher "${teacher[@]}" --val "$val"
  --val-teacher "$runs/teacher/flickr8k_val.safetensors" --resnet34 "$weights/resnet34.safetensors")
"$python" -m recipes.image_text.train_image_tower "${image[@]}" --out "$runs/image_cycle1"
"$python" -m recipes.image_text.train_image_tower "${image[@]}" --start "$runs/image_cycle1" --steps 1000 --out "$runs/image_cycle2"
"$python" -m recipes.image_text.average_towers --runs "$runs/image_cycle1" "$runs/image_cycle2" --out "$runs/image_tower"

# the text tower once more, fitted to where a student really lands (the second cycle's; the mean is close to it)
embed() { # PHOTOS IMAGE_RUN OUT
  "$python" -m recipes.image_text.embed_photos --photos "$1" --image "$2" --size $size --out "$3"
}
student=("$runs/student_flickr8k.safetensors" "$runs/student_wallpapers.safetensors")
embed "$flickr" "$runs/image_cycle2" "${student[0]}"
embed "$wallpapers" "$runs/image_cycle2" "${student[1]}"
"$python" -m recipes.image_text.train_text_tower "${text[@]}" --image-embeds "${student[@]}" --start "$runs/text_tower" \
  --steps 300 --lr 2e-4 --out "$runs/text_tower_fitted"
reference=("$runs/reference_flickr8k.safetensors" "$runs/reference_wallpapers.safetensors")
embed "$flickr" "$runs/image_tower" "${reference[0]}"
embed "$wallpapers" "$runs/image_tower" "${reference[1]}"
"$python" -m recipes.image_text.export --image "$runs/image_tower" --text "$runs/text_tower_fitted" \
  --reference "${reference[@]}" --size $size --out helpers/assets/image_text

# the poem model: a base that completes poems, then the next line alone; both into eight bits
"$python" -m recipes.poem_t5.train_base --poems "$runs/poems" --out "$runs/poem_base"
"$python" -m recipes.poem_t5.export --model "$runs/poem_base" --out helpers/assets/poem_base
"$python" -m helpers train poem --model "$runs/poem_base" --data "$runs/poems" --steps 2000 --lr 5e-4 \
  --evaluate-every 250 --resume --out "$runs/poem_t5"
"$python" -m recipes.poem_t5.export --model "$runs/poem_t5" --out helpers/assets/poem_t5

# the sample of classical lines
"$python" -m recipes.lines.sample --corpus "$corpus" --out helpers/assets/lines/lines.tsv

# the judge, which has no part in choosing poems: other weights, the same pictures and captions
judge=$runs/judge_towers judge_data=$runs/judge_data
"$python" -m recipes.judge.towers --places365 "$weights/places365_wideresnet18.safetensors" \
  --bert "$weights/bge-small-zh-v1.5" --flickr "$flickr" --out "$judge"
[ -f "$judge_data/train.parquet" ] || "$python" -m recipes.judge.data --flickr "$data/flickr8k" \
  --wallpapers "$wallpapers" --hold-out 8 --out "$judge_data"
"$python" -m helpers train lit @recipes/judge/judge.args --image-tower "$judge/image" --text-model "$judge/text" \
  --data "$judge_data" --resume --out "$runs/judge"
"$python" -m recipes.judge.export --model "$runs/judge" --wallpapers "$wallpapers" --out helpers/assets/judge
