#!/usr/bin/env bash
# fig2.pixels.sh FOLDER...: the stages as pixels, a row a level, columns: pooled input, response, normalised and upsampled, weighted; and
# the sum at the right. Coarse maps keep their size in pixels of the image. Responses run from white to dark, signed maps from
# orange (negative) over white to blue; all weighted maps share one scale with the sum.
set -u
bash "$(dirname "$0")/fig2.sh" "$@" | awk -F'\t' '
    function byte(v) { v = int(v + 0.5); return v < 0 ? 0 : v > 255 ? 255 : v }
    function signed(v) { if (v > 1) v = 1; if (v < -1) v = -1
        return v >= 0 ? byte(250 - 250 * v) "\t" byte(250 - 136 * v) "\t" byte(250 - 72 * v) : byte(250 + 37 * v) "\t" byte(250 + 156 * v) "\t" byte(250 + 250 * v) }
    function put(column, level, y, x, size, colour,   i, j) {
        for (i = 0; i < size; i++) for (j = 0; j < size; j++)
            print column * 36 + x * size + j "\t" level * 36 + y * size + i "\t" colour }
    NR == 1 { next }
    { v = $5 < 0 ? -$5 : $5 + 0
      if ($1 == "alpha") next
      kind = $1 == "weighted" ? "sum" : $1 ~ /red|green|blue/ ? "image" : $1
      if (v > most[kind]) most[kind] = v
      n++; stage[n] = $1; level[n] = $2; y[n] = $3; x[n] = $4; value[n] = $5 }
    END { for (i = 1; i <= n; i++) { s = stage[i]; size = 2 ^ level[i]; key = level[i] "," y[i] "," x[i]
        if (s == "red") red[key] = value[i]
        else if (s == "green") green[key] = value[i]
        else if (s == "blue") put(0, level[i], y[i], x[i], size, byte(red[key]) "\t" byte(green[key]) "\t" byte(value[i]))
        else if (s == "input") put(0, level[i], y[i], x[i], size, signed(value[i] / most["input"]))
        else if (s == "response") put(1, level[i], y[i], x[i], size, signed(value[i] / most["response"]))
        else if (s == "upsampled") put(2, level[i], y[i], x[i], 1, signed(value[i] / most["upsampled"]))
        else if (s == "weighted") put(3, level[i], y[i], x[i], 1, signed(value[i] / most["sum"]))
        else if (s == "sum") put(4, 2, y[i], x[i], 1, signed(value[i] / most["sum"])) } }'
