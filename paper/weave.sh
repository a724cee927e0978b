#!/usr/bin/env bash
# weave.sh BUILD OUT RECORDS CHAPTER...: the book as one page. Called by `make paper`, after the audit and the figures.
set -euo pipefail
build=$1 out=$2 records=$3
shift 3
book=$build/book
mkdir -p "$book"

# first FILE...: the first of them that is there.
first() {
    local file
    for file in "$@"; do [ -s "$file" ] && { echo "$file"; return; }; done
    echo "paper: none of $* is there" >&2
    return 1
}

# The worst error of every test, array and kernel set that this build's tests met.
if [ -s "$build/errors.raw" ]; then
    sort -u "$build/errors.raw" | awk -F'\t' -v OFS='\t' '
        { key = $1 OFS $2 OFS $3; share = $6 > 0 ? $5 / $6 : 0
          if (!(key in worst) || share > worst[key]) { worst[key] = share; line[key] = $0 } }
        END { for (key in line) print line[key] }' | sort >"$book/errors.rest"
    { printf 'test\tarray\tsubject\telements\tworst\tbound\n'; cat "$book/errors.rest"; } >"$build/errors.tsv"
fi

# The worst error of every test, array and kernel set, from this build's tests or from the record of one.
errors=$(first "$build/errors.tsv" "$records/errors/epyc-2-cores-avx512.tsv")
bench=$(first "$build/bench.tsv" "$(printf '%s\n' "$records"/bench/*.tsv | sort | tail -n 1)")
awk -F'\t' -v OFS='\t' '
    BEGIN { print "kernels", "GFLOP/s", "of the peak", "of oneDNN" }
    $1 == "conv2d_forward" && $3 == "192x64->64,32x32" && $4 == 2 { print $2, $5, $7, $8 }' "$bench" >"$book/ladder.tsv"
awk -F'\t' -v OFS='\t' '
    BEGIN { print "step", "kernels", "net", "images a second" }
    ($1 == "weight_step" || $1 == "alpha_step") && $3 ~ /10x64,batch 192/ && $4 == 2 { print $1, $2, $3, $5 }' "$bench" >"$book/steps.tsv"

# What 1 to 64 nodes would make of an iteration, a step of each kind: the measured seconds of one node, a twelfth a group, and
# what every rank is handed of the others' bytes, over its link; the bytes are counted.
awk -F'\t' -v OFS='\t' '
    $1 ~ /^(weight|alpha)_step$/ && $3 == "R=5,10x64,batch 192" && $4 == 2 { seconds[$2] += 192 / $5 }
    $1 ~ /^(weight|alpha)_step_gathered$/ { bytes[$2, $3] += $5 }
    $1 ~ /^(weight|alpha)_step_gathers$/ && $3 ~ /ranks 12$/ { gathers[$2] += $5 }
    END {
        print "kernels", "nodes", "ranks", "computing, s", "MB to each", "1 Gbit/s, s", "10 Gbit/s, s", "100 Gbit/s, s", \
            "faster-at-1", "faster-at-10", "faster-at-100", "gathers"
        split("f32 bf16", sets, " ")
        split("1 2 3 4 6 12 16 32 64", nodes, " ")
        for (i = 1; i in sets; i++)
            for (j = 1; j in nodes; j++) {
                set = sets[i]
                ranks = nodes[j] < 12 ? nodes[j] : 12
                all = bytes[set, "R=5,10x64,batch 192,ranks " ranks]
                if (!(set in seconds) || (ranks > 1 && !all)) exit 1
                computing = seconds[set] / ranks
                received = all * (ranks - 1) / ranks
                line = set OFS nodes[j] OFS ranks OFS sprintf("%.3f", computing) OFS sprintf("%.1f", received)
                for (gigabit = 1; gigabit <= 100; gigabit *= 10) line = line OFS sprintf("%.4f", received * 8 / 1000 / gigabit)
                for (gigabit = 1; gigabit <= 100; gigabit *= 10)
                    line = line OFS sprintf("%.1f", seconds[set] / (computing + received * 8 / 1000 / gigabit))
                print line, gathers[set]
            }
    }' "$bench" >"$book/scaling.tsv" || { echo "paper: $bench has no steps and bytes of R=5,10x64: run make bench" >&2; exit 1; }

BOOK_ROOT=$(realpath --relative-to="$(dirname "$out")" .)
export BOOK_ROOT BUILD=$build BOOK_ERRORS=$errors BOOK_BENCH=$bench BOOK_AUDIT=$build/audit.tsv BOOK_FIGURES=$build/figures
export BOOK_FILES="ladder=$book/ladder.tsv steps=$book/steps.tsv scaling=$book/scaling.tsv table1=$records/table1-day-bf16-cifar10-jpeg75/table1.tsv"
commit=$(git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
data=$(awk -F'\t' '$1 == "# data" {name = $2} $1 == "# data_sha256" {print name ", SHA-256 " $2}' "$records/table1-day-bf16-cifar10-jpeg75/table1.tsv")

# The graph of claims: what rests on what, with its verdict.
bash paper/map.sh "$BOOK_AUDIT" | dot -Tsvg | sed -n '/<svg/,$p' >"$book/map.svg"
{ for chapter in "$@"; do cat "$chapter"; echo; done; } >"$book/book.md"
pandoc -f markdown -t html5 --standalone --self-contained --mathml --toc --toc-depth=2 --fail-if-warnings \
    --template=paper/book.html --css=paper/book.css --lua-filter=paper/weave.lua \
    -M title="Without pooling or fixed filter sizes: the paper, run" -M subtitle="Every equation, experiment and claim of one paper, with its code, its tests and its verdict" \
    -V commit="$commit" -V evidence="$data" -o "$book/paper.html" "$book/book.md"
bash paper/links.sh "$book/paper.html" "$(dirname "$out")"
mv "$book/paper.html" "$out"
echo "Book: $out ($(du -k "$out" | cut -f1) KiB)"
