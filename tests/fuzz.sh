#!/usr/bin/env bash
# fuzz.sh BUILD SECONDS [READER...]: gives each reader of tests/fuzz/readers.def, or those named, random files for so long,
# grown from tests/fuzz/corpus/READER and from what earlier calls found (BUILD/corpus/READER). A line a reader. A file that
# breaks one is kept in BUILD/findings, and the exit status is 1.
set -u
build=$1 seconds=$2
shift 2
known=$(sed -n 's/^READER(\([a-z0-9]*\), [0-9]*)$/\1/p' tests/fuzz/readers.def)
for reader in "$@"; do
    grep -qx "$reader" <<<"$known" ||
        { echo "fuzz: there is no reader $reader; there are:" $known >&2; exit 2; }
done
scratch=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/nopool-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$build/findings"
mkdir "$scratch/reports"
export FUZZ_SCRATCH=$scratch FUZZ_REPORTS=$scratch/reports OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
# What asks for more memory than this gets none: then it must say so.
# Blocks that libhdf5 loses on broken files are not ours to free.
echo leak:libhdf5 > "$scratch/leaks"
export LSAN_OPTIONS=suppressions=$scratch/leaks:print_suppressions=0
# A report goes to a file: a process that reads HDF5 apart has no other place for it.
export ASAN_OPTIONS=max_allocation_size_mb=256:allocator_may_return_null=1:log_path=$FUZZ_REPORTS/report

number() { sed -n "s/^stat::$1: *//p" "$scratch/log" | tail -1; }
found=0
printf '%-11s %10s %8s %6s %6s  %s\n' reader inputs a-second edges corpus findings
for reader in ${@:-$known}; do
    rm -f "$FUZZ_REPORTS"/*
    most=$(sed -n "s/^READER($reader, \([0-9]*\))$/\1/p" tests/fuzz/readers.def)
    words=tests/fuzz/$reader.dict
    mkdir -p "$build/corpus/$reader"
    FUZZ_READER=$reader "$build/fuzz" -max_total_time="$seconds" -max_len="$most" -timeout=100 -rss_limit_mb=2048 \
        -malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$build/findings/$reader-" \
        $([ -f "$words" ] && echo "-dict=$words") "$build/corpus/$reader" "tests/fuzz/corpus/$reader" \
        >/dev/null 2>"$scratch/log"
    status=$?
    edges=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$scratch/log" | tail -1)
    finding=none
    if [ $status -ne 0 ]; then
        found=1
        cat "$FUZZ_REPORTS"/* >>"$scratch/log" 2>/dev/null
        file=$(sed -n 's/.*Test unit written to //p' "$scratch/log" | tail -1)
        finding="$(grep -m1 -E 'broken promise|SUMMARY|runtime error|ERROR' "$scratch/log" | cut -c1-160)"
        finding="${finding:-exit status $status}; input: ${file:-none}, log: $build/findings/$reader.log"
        cp "$scratch/log" "$build/findings/$reader.log"
    fi
    printf '%-11s %10s %8s %6s %6s  %s\n' "$reader" "$(number number_of_executed_units)" \
        "$(number average_exec_per_sec)" "${edges:--}" "$(find "$build/corpus/$reader" -type f | wc -l)" "$finding"
done
exit $found
