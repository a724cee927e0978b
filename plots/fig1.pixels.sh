#!/usr/bin/env bash
# fig1.pixels.sh FOLDER...: the maps of the gradient as pixels, layers side by side; above on a linear scale, below on a logarithmic
# one over four decades. Of the learned row if it was measured, else of the first.
set -u
folder=$(bash "$(dirname "$0")/runs.sh" "$@" | while IFS=$'\t' read -r _ row _ _ folder; do
    [ -s "$folder/field.tsv.maps" ] && printf '%s\t%s\n' "$([ "$row" = ours ] && echo 0 || echo 1)" "$folder"
done | sort -s -n | head -n 1 | cut -f2)
[ -n "$folder" ] || exit 0
awk -F'\t' '
    function colour(v,   i, t) { # the palette of plots/style.gp
        if (v < 0) v = 0; if (v > 1) v = 1
        i = int(v * 4); if (i > 3) i = 3; t = v * 4 - i
        return sprintf("%d\t%d\t%d", r[i] + t * (r[i + 1] - r[i]), g[i] + t * (g[i + 1] - g[i]), b[i] + t * (b[i + 1] - b[i])) }
    BEGIN { split("247 197 115 47 27", R, " "); split("245 217 176 112 47", G, " "); split("238 196 176 148 99", B, " ")
        for (i = 0; i < 5; i++) { r[i] = R[i + 1]; g[i] = G[i + 1]; b[i] = B[i + 1] } }
    FNR == 1 { pass++; next }
    pass == 1 { key = $1 "\t" $2; if ($5 + 0 > most[key]) most[key] = $5 + 0
        if (!(key in place)) { place[key] = 1; if ($1 == "after") layer[++n] = $2 }; next }
    { column = 0; for (i = 1; i <= n; i++) if (layer[i] == $2) column = i - 1
      left = column * 72 + ($1 == "before" ? 0 : 34); v = $5 / most[$1 "\t" $2]
      print left + $4 "\t" $3 "\t" colour(v)
      print left + $4 "\t" $3 + 36 "\t" colour(v > 0 ? 1 + log(v) / log(10) / 4 : 0) }' "$folder/field.tsv.maps" "$folder/field.tsv.maps"
