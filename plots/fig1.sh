#!/usr/bin/env bash
# fig1.sh FOLDER...: the effective filter sizes that build/probe measured (field.tsv in a run's folder), a row and a layer a line:
#     row <tab> when <tab> layer <tab> theoretical <tab> side50 <tab> low50 <tab> high50 <tab> side95 ... side99 ... <tab> images
set -u
printf 'row\twhen\tlayer\ttheoretical\tside50\tlow50\thigh50\tside95\tlow95\thigh95\tside99\tlow99\thigh99\timages\n'
bash "$(dirname "$0")/runs.sh" "$@" | sort -t$'\t' -k4,4n -k3,3n | while IFS=$'\t' read -r _ row _ _ folder; do
    [ -s "$folder/field.tsv" ] || continue
    awk -v row="$row" 'NR > 1 { print row "\t" $0 }' "$folder/field.tsv"
done | awk -F'\t' '{ key = $1 "\t" $2 "\t" $3; if (!(key in line)) order[++n] = key; line[key] = $0 } END { for (i = 1; i <= n; i++) print line[order[i]] }'
