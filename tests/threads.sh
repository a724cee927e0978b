#!/usr/bin/env bash
# threads.sh BUILD CC [SUITE...]: runs suites with parallel regions in a build with -fsanitize=thread by CC (clang), on three
# threads; without names, those that take two or three minutes so at most. Archer, a part of LLVM's OpenMP library, tells the sanitizer
# what barriers and ends of regions order; that it does, and that a race is still seen, is tried first.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1 compiler=$2
shift 2
suites=${*:-fast_conv2d fast_winograd fast_maps fast_mbconv fast_vectors mbconv_layer depth bilevel scales batch feed training \
    hdf5_reader checkpoint kernel}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
archer=$(dirname "$(readlink -f "$(command -v ${compiler##* })")")/../lib/libarcher.so
[ -e "$archer" ] || { echo "threads: there is no libarcher.so: sudo apt-get install libomp-dev" >&2; exit 1; }
export OMP_TOOL_LIBRARIES=$archer OMP_NUM_THREADS=3
# Libraries that nobody instrumented, libomp among them, are not looked into.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66 log_path=$scratch/report"

# tried NAME STATUS LINE: a program whose loop has this line must end with this status.
tried() {
    printf '%s\n' 'int main(void) {' 'static int sum[64], one;' \
        '_Pragma("omp parallel for") for (int i = 0; i < 64; i++) sum[i] = i;' \
        "_Pragma(\"omp parallel for\") for (int i = 0; i < 64; i++) $3;" 'return one < 0; }' >"$scratch/$1.c"
    $compiler -fopenmp -fsanitize=thread -g -o "$scratch/$1" "$scratch/$1.c" || exit 1
    "$scratch/$1"
    local status=$?
    [ $status = "$2" ] || { cat "$scratch"/report*; echo "threads: a loop $1 ended with status $status, not $2"; exit 1; }
}
tried "with-a-race" 66 'one += sum[i]'
tried "without-one" 0 'sum[i] += sum[i] + 1'

failures=0
for suite in $suites; do
    start=$SECONDS
    rm -f "$scratch"/report*
    NOPOOL_BUILD=$build OMP_WAIT_POLICY=passive CK_RUN_SUITE=$suite CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-60} \
        "$build/check" >"$scratch/log" 2>&1
    status=$?
    reports=$(cat "$scratch"/report* 2>/dev/null | grep -c 'WARNING: ThreadSanitizer') # those of programs that a suite starts too
    echo "threads: $suite: $(grep -a '%: Checks' "$scratch/log" | tail -1); $reports reports, $((SECONDS - start)) s"
    [ $status = 0 ] && [ "$reports" = 0 ] && continue
    cat "$scratch/log" "$scratch"/report* 2>/dev/null
    failures=$((failures + 1))
done
echo "threads: $(wc -w <<<"$suites") suites, $failures with faults"
[ $failures = 0 ]
