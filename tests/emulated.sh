#!/usr/bin/env bash
# emulated.sh EMULATOR BUILD UNFUSED PLAIN [SUITE...]: suites of BUILD/check by an emulator of programs, such as "qemu-aarch64 -L
# ROOT" or "qemu-x86_64 -cpu Nehalem"; programs that tests start are emulated too. Then short runs by BUILD's train, which must
# have the same bits with two threads as with one, and by UNFUSED's, a build (BUILD, or another) whose products and sums do not
# fuse on that CPU: those must have the bits of PLAIN's train on this CPU with NOPOOL_ISA=plain.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
emulator=$1 build=$2 unfused=$3 plain=$4
shift 4
# Without names, suites that take minutes so. `watch` is left out, since qemu prints a line of its own when a process crashes, and
# one check reads all that is printed then; `faster` and `bench`, since they compare times.
suites=${*:-compare gradient ref_values ref_training ref_gradients ref_identities ref_mbconv mbconv_layer paper_identities \
    fast_maps fast_mbconv fast_vectors fast_lanes typical sums depth bilevel fabric_graph cost options random data batch feed \
    files limits fuzz hdf5_reader checkpoint result statistics choices table audit_rows probe}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
. tests/records.sh
check="emulated: ${emulator%% -L*}"
export OMP_WAIT_POLICY=passive
command -v "${emulator%% *}" >/dev/null ||
    { echo "emulated: there is no ${emulator%% *}: sudo apt-get install qemu-user" >&2; exit 1; }

# wrap BUILD: a folder with every program of it, which emulates it.
wrap() {
    local program
    mkdir -p "$scratch/$1"
    for program in train evaluate kernel table audit bench probe; do
        printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$emulator" "$PWD/$1/$program" >"$scratch/$1/$program"
    done
    chmod +x "$scratch/$1"/*
}
wrap "$build"
wrap "$unfused"

run_suites 400 "$scratch/$build" "$emulator $build/check" $suites

# trained FOLDER PROGRAM OPTION..: a run of a few steps of both kinds, with tests.
trained() {
    local folder=$1 program=$2
    shift 2
    "$program" --run="$folder" --seed=3 --data=fashion-mnist --epochs=1 --layers=3 --channels=4 --levels=3 --batch=32 \
        --images-a=64 --images-b=32 --images-test=32 --images-epoch=32 "$@" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log"; wrong "$folder was not trained"; }
}
for kernels in f32 bf16; do
    for block in conv mbconv; do
        run=$scratch/$kernels-$block options="--kernels=$kernels --block=$block"
        trained "$run" "$scratch/$build/train" --threads=1 $options
        trained "$run-2" "$scratch/$build/train" --threads=2 $options
        same "$run" "$run-2"
        other=$run
        [ "$unfused" = "$build" ] ||
            { other=$run-unfused && trained "$other" "$scratch/$unfused/train" --threads=1 $options; }
        NOPOOL_ISA=plain trained "$run-plain" "$plain/train" --threads=1 $options
        same "$run-plain" "$other"
    done
done

echo "$check: $(wc -w <<<"$suites") suites, $checks checks; $files records compared; $failures faults"
[ $failures = 0 ] && [ $checks -gt 0 ] && [ $files -gt 0 ]
