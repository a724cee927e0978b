# Sourced by mpi.sh, slurm.sh, emulated.sh and avx512.sh: trains tables in $scratch, runs suites, and compares what runs leave, bit
# for bit. What tells of the time and the machine is left out.
check=$(basename "$0" .sh)
records="config.tsv log.tsv alpha.tsv beta.tsv predictions.tsv result.tsv checkpoint.h5"
files=0 failures=0

wrong() {
    echo "$check: $*"
    failures=$((failures + 1))
}

# run_suites MULTIPLIER BUILD COMMAND SUITE..: each by COMMAND, a line with its checks; a test may take MULTIPLIER times as long.
run_suites() {
    local multiplier=$1 build=$2 command=$3 suite start status line
    shift 3
    checks=0
    for suite in "$@"; do
        start=$SECONDS
        NOPOOL_BUILD=$build CK_RUN_SUITE=$suite CK_TIMEOUT_MULTIPLIER=${CK_TIMEOUT_MULTIPLIER:-$multiplier} \
            $command >"$scratch/log" 2>&1
        status=$?
        line=$(grep -a '^[0-9]*%: Checks' "$scratch/log")
        echo "$check: $suite: $line, $((SECONDS - start)) s"
        [[ $line =~ Checks:\ ([0-9]+) ]] && checks=$((checks + BASH_REMATCH[1]))
        [ $status = 0 ] && continue
        cat "$scratch/log"
        wrong "$suite"
    done
}

# same PLAIN OTHER: a run's folder has the same records in both.
same() {
    local record
    for record in $records; do
        [ -e "$1/$record" ] || [ "$record" = beta.tsv ] || wrong "$1 has no $record"
        [ -e "$1/$record" ] || continue
        files=$((files + 1))
        cmp -s "$1/$record" "$2/$record" || wrong "$2/$record is not that of the plain build"
    done
}

# same_runs PLAIN OTHER: so has every run in both; runs is their number.
same_runs() {
    local run
    runs=0
    for run in "$1"/*/; do
        same "${run%/}" "$2/$(basename "$run")"
        runs=$((runs + 1))
    done
    [ $runs -gt 0 ] || wrong "$1 has no runs"
}

# train_tables FOLDER KERNELS OPTIONS MAKE-ARGUMENT..: trains every row of TABLES; the status of make.
train_tables() {
    local folder=$1 kernels=$2 options=$3
    shift 3
    make --no-print-directory "$@" RUNS="$scratch/$folder" KERNELS="$kernels" BUDGET=smoke OPTIONS="$options" \
        ${TABLES:-table1} >"$scratch/log" 2>&1
}

# tables ..: the same, and a fault if they are not trained.
tables() {
    train_tables "$@" || { cat "$scratch/log"; wrong "$1 was not trained"; }
}
