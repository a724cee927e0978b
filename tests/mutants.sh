#!/usr/bin/env bash
# Breaks copies of the sources, one line of tests/mutants.tsv at a time, and demands that each is noticed by a suite that
# the line names. A mutant that changes nothing, or that every suite lets pass, fails.
set -uo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Makefile ref fast experiments tests packages.txt paper "$copy"
[ -d data ] && ln -s "$PWD/data" "$copy/data"
export OMP_WAIT_POLICY=passive NOPOOL_BUILD=build
# A broken source may leave a variable unused: a warning is no error here. Optimised little, it builds in half the time.
build() { make -C "$copy" -j"$(nproc)" EXTRA_FLAGS="-Wno-error -O1" all build/check >"$copy/log" 2>&1; }
build || { cat "$copy/log"; echo "mutants: the sources do not build as they are"; exit 1; }
for suite in $(grep -v '^#' tests/mutants.tsv | cut -f3 | tr ' ' '\n' | sort -u); do
    (cd "$copy" && CK_RUN_SUITE=$suite build/check >log 2>&1) ||
        { cat "$copy/log"; echo "mutants: the suite $suite does not pass on the sources as they are"; exit 1; }
done

survived=0 caught=0
while IFS=$'\t' read -r file expression suites what; do
    case $file in ''|'#'*) continue ;; esac
    cp "$copy/$file" "$copy/original"
    sed -i "$expression" "$copy/$file"
    verdict="SURVIVED"
    if cmp -s "$copy/$file" "$copy/original"; then
        verdict="CHANGES NOTHING"
    elif ! build; then
        verdict="DOES NOT BUILD"
    else
        for suite in $suites; do
            (cd "$copy" && CK_RUN_SUITE=$suite timeout 120 build/check >log 2>&1) || { verdict="caught by $suite"; break; }
        done
    fi
    mv "$copy/original" "$copy/$file"
    touch "$copy/$file"
    case $verdict in caught*) caught=$((caught + 1)) ;; *) survived=$((survived + 1)) ;; esac
    printf '%-28s %-52s %s\n' "$verdict" "$what" "$file"
done <tests/mutants.tsv
echo "mutants: $caught caught, $survived not"
[ "$survived" = 0 ] && [ "$caught" -gt 0 ]
