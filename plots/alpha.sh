#!/usr/bin/env bash
# alpha.sh FOLDER...: alpha of the learned row over the epochs, for every seed, and their mean (seed 0); with the share that a
# logit which moves by Adam's rate at every step could have reached by then, if all others stood still:
#     layer <tab> level <tab> seed <tab> epoch <tab> alpha <tab> reach_low <tab> reach_high
set -u
printf 'layer\tlevel\tseed\tepoch\talpha\treach_low\treach_high\n'
GROUP=${GROUP:-best} bash "$(dirname "$0")/runs.sh" "$@" | awk -F'\t' '$2 == "ours"' | while IFS=$'\t' read -r _ _ seed _ folder; do
    rate=$(awk -F'\t' '$1 == "logits-lr" {print $2}' "$folder/config.tsv")
    steps=$(awk -F'\t' '$1 == "iterations" {n = $2} $1 == "epochs" {e = $2} END {print n / e}' "$folder/result.tsv")
    awk -F'\t' -v seed="$seed" -v step="$rate" -v steps="$steps" '
        NR == 1 { levels = NF - 2 }
        NR > 1 && NF > 2 { move = exp(step * steps * $1); low = 1 / move
            for (r = 0; r < levels; r++)
                printf "%d\t%d\t%s\t%d\t%s\t%.6f\t%.6f\n", $2, r, seed, $1, $(r + 3), low / (low + levels - 1), move / (move + levels - 1) }' "$folder/alpha.tsv"
done | awk -F'\t' -v OFS='\t' '{ print; key = $1 "\t" $2 "\t0\t" $4; n[key]++; sum[key] += $5; low[key] = $6; high[key] = $7 }
    END { for (key in n) printf "%s\t%.6f\t%s\t%s\n", key, sum[key] / n[key], low[key], high[key] }' | sort -t$'\t' -k1,1n -k2,2n -k3,3n -k4,4n
