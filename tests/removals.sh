#!/usr/bin/env bash
# Takes away what claims rest on, one thing at a time, from a copy of the project, and demands that the audit or the weaver of
# the book fails with a sentence that names the claim: every decider of every claim, and what stands under every equation.
# removals.sh AUDIT RECORDS BUILD, after `make paper`. Called by `make audit-removals`.
set -uo pipefail
audit=$(realpath "$1") records=$(realpath "$2") build=$(realpath "$3")
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
copy=$scratch/project
mkdir -p "$copy" "$scratch/none"
tar c --exclude=experiments/records paper ref fast experiments tests | tar x -C "$copy"
cp -r "$records" "$scratch/records"
tried=0 missed=0

# expect WHAT CLAIM FILE OUTPUT: a line of the output names the claim (or one of A|B); then the file is as it was.
expect() {
    tried=$((tried + 1))
    grep -qE "(claims? |, | )($(sed 's/[.]/\\./g' <<<"$2"))([:, )]|\$)" "$4" ||
        { echo "MISSED: $1, and nothing names the claim $2: $(tail -1 "$4")"; missed=$((missed + 1)); }
    [ -z "$3" ] || cp "$3" "$copy/$3"
}

# faults FOLDER: what the audit says of the copy; nothing where it finds no fault.
faults() { "$audit" --root="$copy" "$1" >/dev/null 2>"$scratch/said" && : >"$scratch/said"; }

gone() { # WHAT CLAIM FILE SED: with the file changed
    sed -i "$4" "$copy/$3"
    cmp -s "$copy/$3" "$3" && echo "removals: nothing to take away: $1 of $2 ($3)" && missed=$((missed + 1))
    faults "$scratch/none"
    expect "$1" "$2" "$3" "$scratch/said"
}

# The files that name the claim in a comment lose its name: the word alone, wherever the list has it.
unmark() { gone "the marker in $2" "$1" "$2" "/Claims:/,/\\*\\//s/\\([ *]\\)${1//./\\.}\\([ .]\\|\$\\)/\\1\\2/"; }

while IFS=$'\t' read -r id requires readings deciders; do
    for decider in $deciders; do
        name=${decider#*:}
        case $decider in
        test:*)
            file=$(grep -l "^START_TEST($name)" tests/*.c)
            gone "the test $name" "$id" "$file" "s/^START_TEST($name)/static void $name(void)/"
            gone "the run of $name" "$id" "$file" "s/\\(tcase_add_[a-z_]*(.*\\)\\b$name\\b/\\1none/; /^ *$name[,)]/s/$name/none/"
            unmark "$id" "$file"
            ;;
        code:*)
            rm "$copy/$name"
            faults "$scratch/none"
            expect "the file $name" "$id" "$name" "$scratch/said"
            unmark "$id" "$name"
            ;;
        choice:*) gone "the choice ${name%%,*}" "$id" paper/choices.tsv "/^${name%%,*}\t/d" ;;
        run:* | diff:* | early:* | seconds:* | slope:* | depth:* | deeper:* | order:*)
            for row in ${name//,/ }; do gone "the row $row" "$id" paper/rows.tsv "/^${row//./\\.}\t/d"; done
            ;;
        printed:*)
            for other in $(cut -d, -f2- <<<"$name" | tr , ' '); do
                gone "the printed $other of $id" "$other" paper/claims.tsv "/^${other//./\\.}\t/d"
            done
            ;;
        esac
    done
    for other in $requires; do gone "the premise $other of $id" "$other" paper/claims.tsv "/^${other//./\\.}\t/d"; done
    for choice in $readings; do gone "the choice $choice" "$id" paper/choices.tsv "/^$choice\t/d"; done
    gone "its sentence" "$id" paper/coverage.tsv "s/\\([\t ]\\)${id//./\\.}\\( \\|\$\\)/\\1\\2/"
done < <(tail -n +2 paper/claims.tsv | awk -F'\t' -v OFS='\t' '{ $10 = $10 ? $10 : " "; $12 = $12 ? $12 : " "; print $1, $10, $12, $16 }')
# A run of each kind of row.
while IFS=$'\t' read -r run _ rows; do
    for id in $(awk -F'\t' -v rows="$rows" '{ n = split(rows, row, " "); for (i = 1; i <= n; i++)
            if ($16 ~ "(:|,)" row[i] "(,| |$)" && $16 !~ /^printed/) { print $1; exit } }' paper/claims.tsv); do
        mv "$scratch/records/$run" "$scratch/run"
        faults "$scratch/records"
        expect "the run $run" "$id" "" "$scratch/said"
        mv "$scratch/run" "$scratch/records/$run"
    done
done < <(tail -n +2 "$records/manifest.tsv" | sort -t$'\t' -u -k3,3)

# What stands under an equation, and what the book says of code.
mkdir "$scratch/build"
cp "$build/audit.tsv" "$scratch/build/"
ln -s "$build/figures" "$scratch/build/figures"
refused() { # WHAT CLAIM FILE
    (cd "$copy" && bash paper/weave.sh "$scratch/build" "$scratch/build/paper.html" "$scratch/records" paper/chapters/*.md) \
        >"$scratch/said" 2>&1
    expect "$1" "$2" "$3" "$scratch/said"
}
rename() { # WHAT CLAIM FILE WORD
    sed -i "s/\b$4\b/none_of_that/" "$copy/$3"
    refused "$1" "$2" "$3"
}
# The claims on operations that name a file or a test: A|B.
on() { awk -F'\t' -v word="$1" 'NR > 1 && index(" " $3 " " $4 " " $5 " " $6 " ", " " word " ") { printf "%s%s", n++ ? "|" : "", $7 }' \
    paper/operations.tsv | tr ' ' '|'; }
while IFS=$'\t' read -r op _ ref fast names bounds _; do
    for file in ${ref%% *} ${fast%% *}; do
        rm "$copy/$file"
        refused "the file $file of $op" "$(on "$file")" "$file"
    done
    name=${names%% *}
    rename "the test $name of $op" "$(on "$name")" "$(grep -l "^START_TEST($name)" tests/*.c)" "$name"
    for test in ${bounds%% *}; do
        cp "$scratch/records/errors/"*.tsv "$scratch/errors"
        sed -i "/^$test\t/d" "$scratch/records/errors/"*.tsv
        refused "the bound $test of $op" "$(on "$test")" ""
        cp "$scratch/errors" "$scratch/records/errors/epyc-2-cores-avx512.tsv"
    done
done < <(tail -n +2 paper/operations.tsv | awk -F'\t' -v OFS='\t' '{ for (i = 1; i <= 7; i++) if ($i == "") $i = " "; print }')
# Code that the book shows under an equation.
while read -r op marker; do
    file=$(grep -rl "// book: $marker\$" ref fast experiments tests)
    rename "the code $marker" "$(awk -F'\t' -v op="$op" '$1 == op { print $7 }' paper/operations.tsv | tr ' ' '|')" "$file" "$marker"
done < <(awk '/\.equation/ { op = $0; sub(/.*op=/, "", op); sub(/}.*/, "", op) } /^#/ { op = "" }
    op && /pull marker=/ { sub(/.*marker=/, ""); sub(/}.*/, ""); print op, $0 }' paper/chapters/*.md)
echo "removals: $tried things taken away, $missed missed"
[ $missed = 0 ]
