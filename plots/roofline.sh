#!/usr/bin/env bash
# roofline.sh FILE: every step of the 10 x 64 networks and the larger ones in the lines of build/bench, on the most threads there are:
#     step <tab> kernels <tab> net <tab> threads <tab> arithmetic_over_bytes <tab> reached <tab> by_bytes <tab> by_arithmetic <tab> measured
# Times in ms. The first figure is the step's arithmetic over peak by its bytes over bandwidth, the second its arithmetic over peak by the
# time that it took: under a roof of min(1, first).
set -u
printf 'step\tkernels\tnet\tthreads\tarithmetic_over_bytes\treached\tby_bytes\tby_arithmetic\tmeasured\n'
[ -s "${1:-}" ] || exit 0
awk -F'\t' '
    $1 !~ /_(by_bytes|by_arithmetic|measured)$/ || $3 !~ /,batch 192$/ || $3 ~ /x(16|32),/ { next }
    {
        step = $1; sub(/_(by_bytes|by_arithmetic|measured)$/, "", step)
        key = step "\t" $2 "\t" $3
        if ($4 + 0 > threads[key]) threads[key] = $4 + 0
        if (!(key in seen)) { order[++n] = key; seen[key] }
        value[key, $4 + 0, substr($1, length(step) + 2)] = $5
    }
    END {
        for (i = 1; i <= n; i++) {
            key = order[i]; t = threads[key]
            bytes = value[key, t, "by_bytes"]; arithmetic = value[key, t, "by_arithmetic"]; measured = value[key, t, "measured"]
            if (bytes <= 0 || arithmetic <= 0 || measured <= 0) continue
            name = key; sub(/,batch 192$/, "", name); sub(/,/, " ", name)
            printf "%s\t%d\t%.4f\t%.4f\t%s\t%s\t%s\n", name, t, arithmetic / bytes, arithmetic / measured, bytes, arithmetic, measured
        }
    }' "$1"
