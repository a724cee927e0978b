#!/usr/bin/env bash
# valgrind.sh BUILD [SUITE...]: runs suites of a build without AVX under memcheck, and every program of the build that they
# start: a read of what was not written, beyond an array or after free, or a block that is lost, fails. Without names, the
# suites that take up to two minutes so; the others, kernels above all, take many, and some hold their programs to seconds:
# they have check-sanitize.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1
shift
suites=${*:-compare gradient ref_values ref_training ref_gradients ref_identities ref_mbconv mbconv_layer paper_identities depth \
    bilevel fabric_graph cost options random files}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
memcheck="valgrind --quiet --error-exitcode=66 --leak-check=full --errors-for-leak-kinds=definite
    --show-leak-kinds=definite --trace-children=yes --trace-children-skip=/usr/*,/bin/*,/opt/* --log-file=$scratch/report.%p"

# A program that reads what it has not written must be noticed.
echo 'int main(int n, char **words) { int at[2]; at[n > 9] = words != 0; return at[n > 0] > 5; }' >"$scratch/bad.c"
${CC:-cc} -o "$scratch/bad" "$scratch/bad.c" || exit 1
$memcheck "$scratch/bad"
[ $? = 66 ] || { echo "valgrind: memcheck does not see a read of what was not written"; exit 1; }

failures=0
for suite in $suites; do
    start=$SECONDS
    rm -f "$scratch"/report.*
    NOPOOL_BUILD=$build NOPOOL_ISA=plain OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive CK_RUN_SUITE=$suite \
        CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-100} \
        $memcheck "$build/check" >"$scratch/log" 2>&1
    status=$?
    reports=$(find "$scratch" -name 'report.*' -size +0 | wc -l)
    echo "valgrind: $suite: $(grep -a '%: Checks' "$scratch/log" | tail -1); $reports reports, $((SECONDS - start)) s"
    [ $status = 0 ] && [ "$reports" = 0 ] && continue
    cat "$scratch/log" $(find "$scratch" -name 'report.*' -size +0)
    failures=$((failures + 1))
done
echo "valgrind: $(wc -w <<<"$suites") suites, $failures with faults"
[ $failures = 0 ]
