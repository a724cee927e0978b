#!/usr/bin/env bash
# avx512.sh BUILD PLAIN [SUITE...]: suites of BUILD/check, in which AVX-512 is emulated (tests/avx512/immintrin.h), and short runs by
# its train: the same bits with two threads as with one; and, where this CPU has AVX-512-BF16, those of PLAIN's train.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1 plain=$2
shift 2
# Without names, those that compute with kernels, all in minutes. `faster` and `bench` compare times.
suites=${*:-compare layer mbconv_layer fast_conv2d fast_maps fast_mbconv fast_vectors fast_lanes fast_winograd nan typical sums depth bilevel limits}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
. tests/records.sh
export OMP_WAIT_POLICY=passive

run_suites 100 "$build" "$build/check" $suites

# trained FOLDER PROGRAM OPTION..: a run of a few steps of both kinds, with tests.
trained() {
    local folder=$1 program=$2
    shift 2
    "$program" --run="$folder" --seed=3 --data=fashion-mnist --epochs=1 --layers=4 --channels=20 --levels=4 --batch=48 \
        --images-a=96 --images-b=48 --images-test=48 --images-epoch=96 "$@" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log"; wrong "$folder was not trained"; }
}
here=no
for set in f32:avx512 bf16:avx512bf16; do
    export NOPOOL_ISA=${set#*:}
    for block in conv mbconv; do
        run=$scratch/$NOPOOL_ISA-$block options="--kernels=${set%:*} --block=$block"
        trained "$run" "$build/train" --threads=1 $options
        trained "$run-2" "$build/train" --threads=2 $options
        same "$run" "$run-2"
        grep -qw "$(sed 's/avx512bf16/avx512_bf16/; s/avx512$/avx512f/' <<<"$NOPOOL_ISA")" /proc/cpuinfo || continue
        here=yes
        trained "$run-plain" "$plain/train" --threads=1 $options
        same "$run-plain" "$run"
    done
done
[ $here = yes ] || echo "$check: this CPU has no AVX-512 to compare with: make again RUN=FOLDER EMULATED=1 compares with a recorded run"
echo "$check: $(wc -w <<<"$suites") suites, $checks checks; $files records compared; $failures faults"
[ $failures = 0 ] && [ $checks -gt 0 ] && [ $files -gt 0 ]
