#!/usr/bin/env bash
# draw.sh NAME OUT BUDGET RUNS RECORDS: the figure NAME as OUT/NAME.svg, OUT/NAME.png and its numbers OUT/NAME.tsv, from the finished
# runs of this budget in RUNS or, where they have nothing to show, from the best group in RECORDS. Nothing is trained, and nothing is
# replaced before all of it is made. The command stands in the metadata of both pictures. The roofline is drawn of RUNS as a file, the
# lines of build/bench; the power of no runs at all.
set -euo pipefail
name=$1 out=$2 budget=$3 runs=$4 records=$5
plots=$(dirname "$0")
command="make $name"
case $name in
placement | frontier | alpha | forest | power) command="make figures" ;;
roofline) command="make bench-plot" ;;
esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The group of this budget with the most runs.
group_of_budget() {
    bash "$plots/runs.sh" "$runs" | cut -f1 | { grep -- "-$budget-" || true; } | sort | uniq -c | sort -n | awk 'END {print $2}'
}

# Figures 1 and 2 look into trained nets: where a run of this row still has its checkpoint, build/probe writes what it sees.
probe() {
    local folder
    folder=$(bash "$plots/runs.sh" "$runs" | awk -F'\t' -v row="$1" '$2 == row && !n++ {print $5}')
    if [ -n "$folder" ] && [ -f "$folder/checkpoint.h5" ] && [ ! -s "$folder/$3" ]; then
        "${PROBE:-build/probe}" "$2" "$folder"
    fi
}

# collect FROM: the numbers; false if there are none.
collect() {
    bash "$plots/$name.sh" "$1" >"$scratch/$name.tsv" && [ "$(wc -l <"$scratch/$name.tsv")" -gt 1 ]
}

export GROUP=
from=$runs
if [ "$name" = power ]; then
    from=paper/power.tsv GROUP=simulated
elif [ "$name" = roofline ]; then
    collect "$from" || {
        echo "figures: the roofline needs times of steps, which ${from:-no file} does not have: make bench, or name another with BENCH=FILE" >&2
        exit 1
    }
    GROUP=measured
else
    GROUP=$(group_of_budget)
fi
if [ -n "$GROUP" ]; then
    case $name in
    fig1) for row in no-pooling predefined ours; do probe $row field field.tsv; done ;;
    fig2) probe ours layer stages.tsv ;;
    esac
fi
if [ -z "$GROUP" ] || ! collect "$from"; then
    from=$records
    case $name in fig1 | fig2) GROUP= ;; *) GROUP=best ;; esac # what build/probe saw is kept of some runs only
    collect "$from" || {
        echo "figures: $name needs finished runs, and neither $runs nor $records has what it shows: make table1 first" >&2
        exit 1
    }
fi
if [ -f "$plots/$name.pixels.sh" ]; then
    bash "$plots/$name.pixels.sh" "$from" >"$scratch/pixels.tsv"
    "${PICTURE:-build/picture}" pixels "$scratch/pixels.tsv" "$scratch/pixels.png" 4
fi
gnuplot -e "data='$scratch/$name.tsv'; out='$scratch/$name'; pixels='$scratch/pixels.png'" "$plots/$name.gp"
commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
sed -i "0,/<title>/s|<title>|<desc>$command BUDGET=$budget, from $from, commit $commit</desc>\n<title>|" "$scratch/$name.svg"
"${PICTURE:-build/picture}" annotate "$scratch/$name.png" "$command BUDGET=$budget" "$commit"
mkdir -p "$out"
mv "$scratch/$name.tsv" "$scratch/$name.svg" "$scratch/$name.png" "$out/"
echo "Figure $name: $out/$name.svg, $name.png, numbers in $name.tsv (from $from)"
