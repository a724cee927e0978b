#!/usr/bin/env bash
# placement.sh FOLDER...: for every run its accuracy, the receptive field of its last layer's unit in pixels, its cost, and Richter's
# border layer: the first layer whose field covers the image, which is known before any training.
#     row <tab> seed <tab> accuracy <tab> field <tab> macs <tab> border_layer
# A layer at level r takes a step of 2^r pixels: its filter adds two steps to the field, and a step that is larger than the
# last adds the difference, which is what pooling sees. Where several levels are mixed, the step is their mean by alpha.
set -u
printf 'row\tseed\taccuracy\tfield\tmacs\tborder_layer\n'
GROUP=${GROUP:-best} bash "$(dirname "$0")/runs.sh" "$@" | while IFS=$'\t' read -r _ row seed _ folder; do
    awk -F'\t' -v row="$row" -v seed="$seed" -v result="$folder/result.tsv" '
        BEGIN { while ((getline line < result) > 0) { split(line, part, "\t"); value[part[1]] = part[2] } }
        FNR > 1 && NF > 2 { step[$2] = 0; for (i = 3; i <= NF; i++) step[$2] += $i * 2 ^ (i - 3); if ($2 > layers) layers = $2 }
        END { field = 1; last = 1; border = "-"
            for (l = 1; l <= layers; l++) {
                field += 2 * step[l] + (step[l] > last ? step[l] - last : 0); last = step[l]
                if (border == "-" && field >= 32) border = l
            }
            printf "%s\t%s\t%s\t%.2f\t%s\t%s\n", row, seed, value["accuracy"], field, value["macs"], border }' "$folder/alpha.tsv"
done
