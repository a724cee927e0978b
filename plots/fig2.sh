#!/usr/bin/env bash
# fig2.sh FOLDER...: one image through one trained layer, as build/probe wrote it (stages.tsv in a run's folder):
#     stage <tab> level <tab> y <tab> x <tab> value
set -u
folder=$(bash "$(dirname "$0")/runs.sh" "$@" | awk -F'\t' '$2 == "ours" {print $5}' | while read -r folder; do
    [ -s "$folder/stages.tsv" ] && echo "$folder"
done | tail -n 1)
if [ -n "$folder" ]; then cat "$folder/stages.tsv"; else printf 'stage\tlevel\ty\tx\tvalue\n'; fi
