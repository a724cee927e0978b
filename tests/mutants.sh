#!/usr/bin/env bash
# Breaks copies of the sources, one line of tests/mutants.tsv at a time, and demands that each is noticed by a suite that
# the line names: by a check that fails, not by the clock. A mutant that does not build, changes nothing, only hangs, or
# that every suite lets pass, fails. MUTANTS=PATTERN takes only the lines that contain it; `tests/mutants.sh dry` only looks
# whether each line still changes its file.
#
# Each mutant starts from a copy of one finished build, so that only what depends on the broken file is built again, with
# the instruction sets that this machine runs in tests; as many are tried at a time as there are cores.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
grep -v '^\(#\|$\)' tests/mutants.tsv | grep -- "${MUTANTS:-}" >"$scratch/list"

# Lines that change nothing, or name a suite that does not exist: before an hour is spent on the others.
stale=0
while IFS=$'\t' read -r file expression suites what; do
    sed "$expression" "$file" 2>"$scratch/why" | cmp -s - "$file" && { echo "CHANGES NOTHING: $what ($file)"; stale=1; }
    [ -s "$scratch/why" ] && { echo "NO EXPRESSION: $what ($file): $(head -1 "$scratch/why")"; stale=1; }
    for suite in ${suites:-none}; do
        grep -qx "SUITE($suite)" tests/suites.def || { echo "NO SUITE $suite: $what ($file)"; stale=1; }
    done
done <"$scratch/list"
[ $stale = 0 ] || { echo "mutants: tests/mutants.tsv does not fit the sources"; exit 1; }
[ "${1:-}" = dry ] && { echo "mutants: each of $(wc -l <"$scratch/list") changes its file"; exit 0; }
export OMP_WAIT_POLICY=passive NOPOOL_BUILD=build CK_TIMEOUT_MULTIPLIER=12 TMPDIR=$scratch/tmp
mkdir "$scratch/whole" "$TMPDIR"
tar c --exclude=./build --exclude='./build-*' --exclude=./runs --exclude=./data --exclude=./.git . | tar x -C "$scratch/whole"
[ -d data ] && ln -s "$PWD/data" "$scratch/whole/data"

has() { grep -qw "$1" /proc/cpuinfo; }
sets=("ISAS_f32=plain" "ISAS_bf16=plain amx_emulated")
if [ "$(uname -m)" = x86_64 ] && has avx512f; then
    sets=("ISAS_f32=plain avx512" "ISAS_bf16=plain $(has avx512_bf16 && echo avx512bf16) amx_emulated")
elif [ "$(uname -m)" = x86_64 ] && has avx2; then
    sets=("ISAS_f32=plain avx2" "ISAS_bf16=plain avx2 amx_emulated")
fi
# A broken source may leave a variable unused: a warning is no error here. Optimised little, it builds in half the time.
build() { make -C "$1" -j"$2" "${sets[@]}" EXTRA_FLAGS="-Wno-error -O1" all build/check build/picture >"$1.log" 2>&1; }

# A check failed, and not by the clock.
failed() { grep -a '^not ok' "$1" 2>/dev/null | grep -qv 'Test timeout expired'; }

# Runs one suite in a folder, up to the first check that fails: "passes", "fails" or, where nothing but time ran out, "hangs".
run_suite() {
    local log=$1.tap status=0 suite
    rm -f "$log"
    (cd "$1" && CK_RUN_SUITE=$2 CK_TAP_LOG_FILE_NAME=$log exec timeout 900 build/check) >"$1.log" 2>&1 &
    suite=$!
    while kill -0 $suite 2>/dev/null; do
        failed "$log" && kill $suite && break
        sleep 0.2
    done
    wait $suite || status=$?
    if [ $status = 0 ]; then
        echo passes
    elif failed "$log" || { [ $status != 124 ] && ! grep -qa 'Test timeout expired' "$log"; }; then
        echo fails
    else
        echo hangs
    fi
}

build "$scratch/whole" "$(nproc)" || { cat "$scratch/whole.log"; echo "mutants: the sources do not build as they are"; exit 1; }
for suite in $(cut -f3 "$scratch/list" | tr ' ' '\n' | sort -u); do
    [ "$(run_suite "$scratch/whole" "$suite")" = passes ] ||
        { cat "$scratch/whole.log"; echo "mutants: the suite $suite does not pass on the sources as they are"; exit 1; }
done

# try(folder, file, expression, suites): what became of one mutant, in words.
try() {
    local here=$1 file=$2 suite outcome verdict=SURVIVED
    rm -rf "$here"
    cp -a "$scratch/whole" "$here"
    sed -i "$3" "$here/$file"
    cmp -s "$here/$file" "$scratch/whole/$file" && { echo "CHANGES NOTHING"; return; }
    touch "$here/$file"
    build "$here" 1 || { echo "DOES NOT BUILD"; return; }
    for suite in $4; do
        outcome=$(run_suite "$here" "$suite")
        [ "$outcome" = fails ] && { echo "caught by $suite"; return; }
        [ "$outcome" = hangs ] && verdict="HANGS in $suite"
    done
    echo "$verdict"
}

# worker(number, workers): every workers-th line of the list.
worker() {
    local line=0 file expression suites what
    while IFS=$'\t' read -r file expression suites what; do
        [ $((line++ % $2)) = "$1" ] || continue
        printf '%-28s %-60s %s\n' "$(try "$scratch/mutant$1" "$file" "$expression" "$suites")" "$what" "$file"
    done <"$scratch/list"
}

workers=$(nproc)
for ((w = 0; w < workers; w++)); do worker "$w" "$workers" & done | tee "$scratch/verdicts"
wait
caught=$(grep -c '^caught' "$scratch/verdicts")
all=$(wc -l <"$scratch/list")
echo "mutants: $caught of $all caught; in experiments/: $(cut -f1 "$scratch/list" | grep -c '^experiments/')"
[ "$caught" = "$all" ] && [ "$all" -gt 0 ]
