#!/usr/bin/env bash
# frontier.sh FOLDER...: accuracy and cost of our rows, means over seeds, and of published nets (paper/expected/outside.tsv).
#     net <tab> macs <tab> accuracy <tab> ours
set -u
printf 'net\tmacs\taccuracy\tours\n'
bash "$(dirname "$0")/placement.sh" "$@" | awk -F'\t' 'NR > 1 { if (!($1 in n)) order[++rows] = $1; n[$1]++; macs[$1] += $5; accuracy[$1] += $3 }
    END { for (i = 1; i <= rows; i++) { r = order[i]; printf "%s\t%.0f\t%.3f\t1\n", r, macs[r] / n[r], accuracy[r] / n[r] } }'
awk -F'\t' 'NR > 1 && $3 != "-" { printf "%s\t%s\t%s\t0\n", $1, $3, $4 }' paper/expected/outside.tsv
