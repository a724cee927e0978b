#!/usr/bin/env bash
# curves.sh FOLDER...: losses and accuracies of every run, an epoch a line. The epochs of a pruned run follow those of its source.
#     row <tab> seed <tab> epoch <tab> loss <tab> test_accuracy
set -u
printf 'row\tseed\tepoch\tloss\ttest_accuracy\n'
GROUP=${GROUP:-best} bash "$(dirname "$0")/runs.sh" "$@" | while IFS=$'\t' read -r _ row seed _ folder; do
    before=$(awk -F'\t' '$1 == "epochs" {own = $2} $1 == "total_epochs" {all = $2} END {print all - own}' "$folder/result.tsv")
    awk -F'\t' -v row="$row" -v seed="$seed" -v before="$before" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { printf "%s\t%s\t%d\t%s\t%s\n", row, seed, before + $1, $at["loss_a"], $at["test_accuracy"] }' "$folder/log.tsv"
done
