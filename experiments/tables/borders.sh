#!/usr/bin/env bash
# borders.sh EXPECTED [OUT]: the border layer of every placement among the rows of a table, from their options alone; into
# OUT, which is made before any of the rows is trained, or as text. A placement is a network of 10 layers with one level a
# layer, so that where it pools is known beforehand.
#     row <tab> stages <tab> field <tab> border_layer
# A layer at level r takes a step of 2^r pixels: its filter adds two steps to the receptive field, and a step that is larger
# than the last adds the difference, which is what pooling sees. The border layer is the first whose field covers the 32
# pixels of the image, `-` if none does (Richter et al.): the layers behind it see nothing new.
set -euo pipefail
borders() {
    printf 'row\tstages\tfield\tborder_layer\n'
    awk -F'\t' '
        FNR == 1 { for (i = 1; i <= NF; i++) if ($i == "options") options = i; next }
        $options ~ /--pooling=(none|predefined)/ {
            stages = $options ~ /none/ ? "10" : "3,3,2,2"
            if (match($options, /--stages=[0-9,]*/)) stages = substr($options, RSTART + 9, RLENGTH - 9)
            count = split(stages, layers, ",")
            field = 1; last = 1; layer = 0; border = "-"
            for (stage = 1; stage <= count; stage++)
                for (i = 0; i < layers[stage]; i++) {
                    step = 2 ^ (stage - 1)
                    field += 2 * step + (step - last)
                    last = step
                    layer++
                    if (border == "-" && field >= 32) border = layer
                }
            printf "%s\t%s\t%d\t%s\n", $1, stages, field, border }' "$1"
}

if [ -n "${2:-}" ]; then
    mkdir -p "$(dirname "$2")"
    borders "$1" >"$2.part"
    mv "$2.part" "$2"
else
    printf '\nBorder layer: the first whose receptive field covers the image, known before any of these was trained.\n'
    borders "$1" | awk -F'\t' '{ printf "%-24s %-12s %6s  %s\n", $1, $2, $3, $4 }'
fi
