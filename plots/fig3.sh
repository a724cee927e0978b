#!/usr/bin/env bash
# fig3.sh FOLDER...: the mixing weights of figure 3 over layers and levels, from the last epoch of every seed:
#     panel <tab> row <tab> layer <tab> level <tab> alpha <tab> sd <tab> seeds <tab> kept
# and a line for each layer with level `expected` (the mean level) and `entropy` (in bits).
set -u
here=$(dirname "$0")
rows="predefined ours ours-thr-0.1 ours-one-res ours-random"
runs=$(GROUP=${GROUP:-best} bash "$here/runs.sh" "$@")
printf 'panel\trow\tlayer\tlevel\talpha\tsd\tseeds\tkept\n'
panel=0
for row in $rows; do
    folders=$(awk -F'\t' -v row="$row" '$2 == row {print $5}' <<<"$runs")
    [ -n "$folders" ] || continue
    while read -r folder; do
        awk -F'\t' -v result="$folder/result.tsv" '
            BEGIN { while ((getline line < result) > 0) if (split(line, part, "\t") == 2 && part[1] ~ /^macs_layer_/) {
                        split(part[1], word, "_"); kept[word[3], word[5]] = 1 } }
            FNR > 1 && NF > 2 { if ($1 != epoch) { delete value; epoch = $1 }
                for (i = 3; i <= NF; i++) value[$2, i - 3] = $i }
            END { for (key in value) { split(key, at, SUBSEP); there = key in kept
                printf "%d\t%d\t%.9g\t%d\n", at[1], at[2], value[key], there } }' "$folder/alpha.tsv"
    done <<<"$folders" | awk -F'\t' -v panel="$panel" -v row="$row" '
        { key = $1 "\t" $2; n[key]++; sum[key] += $3; squares[key] += $3 * $3; kept[key] += $4
          if ($1 > layers) layers = $1; if ($2 > levels) levels = $2 }
        END {
            for (l = 1; l <= layers; l++) {
                expected = entropy = 0
                for (r = 0; r <= levels; r++) {
                    key = l "\t" r; mean = sum[key] / n[key]
                    variance = n[key] > 1 ? (squares[key] - n[key] * mean * mean) / (n[key] - 1) : 0
                    printf "%d\t%s\t%d\t%d\t%.6f\t%s\t%d\t%d\n", panel, row, l, r, mean,
                        (n[key] > 1 ? sprintf("%.6f", sqrt(variance > 0 ? variance : 0)) : "-"), n[key], (kept[key] > 0)
                    expected += r * mean; entropy -= mean > 0 ? mean * log(mean) / log(2) : 0
                }
                printf "%d\t%s\t%d\texpected\t%.6f\t-\t%d\t1\n", panel, row, l, expected, n[l "\t0"]
                printf "%d\t%s\t%d\tentropy\t%.6f\t-\t%d\t1\n", panel, row, l, entropy, n[l "\t0"]
            }
        }'
    panel=$((panel + 1))
done
