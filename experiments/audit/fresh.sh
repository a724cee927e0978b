#!/usr/bin/env bash
# fresh.sh BUILD RECORDS PAPER [write]: makes anew what is generated and committed, and says what differs; with `write` the
# new takes the old's place. These are the tables of recorded runs (RECORDS/*/table*.tsv), the list of the runs
# (RECORDS/manifest.tsv), the power curve (paper/power.tsv), the numbers of the figures (RECORDS/figures) and, with a copy of the
# paper, paper/coverage.tsv. Pictures are written and never compared: they hold the commit, and fonts differ.
set -u
build=$1 records=$2 paper=$3 write=${4:-}
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
wrong=0

# compare NEW COMMITTED
compare() {
    if [ -n "$write" ]; then
        cmp -s "$1" "$2" || { cp "$1" "$2"; echo "fresh: wrote $2"; }
    elif ! cmp -s "$1" "$2"; then
        echo "fresh: $2 is not what is made now (make records writes it):"
        diff "$2" "$1" | head -5
        wrong=$((wrong + 1))
    fi
}

for folder in "$records"/table1-*/; do
    runs=()
    for row in no-pooling predefined scale-invariant ours ours-thr-0.1 ours-thr-0.2 ours-one-res; do
        for run in "$folder"*-"$row"-seed*/; do
            name=${run##*x[0-9][0-9]-}
            [ "${name%-seed*}" = "$row" ] && runs+=("$row=${run%/}")
        done
    done
    budget=${folder#"$records"/table1-}
    "$build/table" --title="Table 1. Comparison with baselines" --budget="${budget%%-*}" --expected=paper/expected/table1.tsv \
        --out="$new/table1.tsv" "${runs[@]}" >"$new/table1.txt" || { wrong=$((wrong + 1)); continue; }
    compare "$new/table1.tsv" "${folder}table1.tsv"
    # The text marks runs by the program's own commit: without that it is written, and never compared.
    [ -n "$write" ] && sed "s|$new/||; s| \*\$||; /^\* trained by another/d" "$new/table1.txt" >"${folder}table1.txt"
done

# tables-BUDGET-KERNELS-DATA holds runs of several tables under the names that make gives them: make prints them, and trains none.
for folder in "$records"/tables-*/; do
    [ -d "$folder" ] || continue
    IFS=- read -r _ budget kernels _ <<<"$(basename "$folder")"
    first=$(basename "$(find "$folder" -mindepth 1 -maxdepth 1 -type d | sort | head -n 1)")
    key=${first%%-"$budget"-"$kernels"-*}
    cp -r "$folder" "$new/runs"
    for table in table1 table2 table3 table4; do
        [ -e "$folder$table.tsv" ] || continue
        MAKEFLAGS='' make --no-print-directory -s "$table" BUILD="$build" RUNS="$new/runs" BUDGET="$budget" KERNELS="$kernels" \
            DATA_KEY="$key" LAUNCH=false >"$new/$table.txt" || { wrong=$((wrong + 1)); continue; }
        compare "$new/runs/$table-$key-$budget-$kernels.tsv" "$folder$table.tsv"
        [ -n "$write" ] && sed "/^Data: /d; s|$new/runs/.*|$table.tsv|; s| \*\$||; /^\* trained by another/d" "$new/$table.txt" >"$folder$table.txt"
    done
    rm -rf "$new/runs"
done

# The list is made in a copy, so that nothing that is committed is touched.
cp -r "$records" "$new/records"
if "$build/audit" --manifest "$new/records"; then
    compare "$new/records/manifest.tsv" "$records/manifest.tsv"
else
    wrong=$((wrong + 1))
fi

"$build/audit" --calibrate=1000 --power="$new/power.tsv" >/dev/null || wrong=$((wrong + 1))
compare "$new/power.tsv" paper/power.tsv

"$build/audit" --out="$new" "$records" >/dev/null || wrong=$((wrong + 1))
for numbers in "$records"/figures/*.tsv; do
    [ -e "$numbers" ] || continue
    name=$(basename "$numbers" .tsv)
    AUDIT="$new/audit.tsv" PICTURE="$build/picture" bash plots/draw.sh "$name" "$new/figures" none "$new/none" "$records" >/dev/null ||
        { wrong=$((wrong + 1)); continue; }
    compare "$new/figures/$name.tsv" "$numbers"
    [ -n "$write" ] && cp "$new/figures/$name.png" "${numbers%.tsv}.png"
done

if [ -n "$paper" ]; then
    "$build/audit" --cut --paper="$paper" "$records" >"$new/coverage.tsv" || wrong=$((wrong + 1))
    compare "$new/coverage.tsv" paper/coverage.tsv
fi
[ $wrong = 0 ] || { echo "fresh: $wrong of what is committed differ"; exit 1; }
echo "fresh: what is committed is what is made now"
