#!/usr/bin/env bash
# mpi.sh PLAIN MPI: a build without and one with MPI=1. Trains the smoke rows of tables with the plain one, and on 1, 2 and 4
# ranks with the other: every record must have the same bits. Then kills a random rank at a random instant, KILLS times (20),
# each time going on with another number of ranks, and demands the plain bits of what comes out. TABLES="table1 ..." and
# KERNELS="f32 bf16" choose what is trained, MORE="--images-a=320 .." changes its options.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
plain=$1 mpi=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMP_WAIT_POLICY=passive
# Containers run as root and have fewer cores than ranks here; several jobs must not be bound to the same core.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
    OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
. tests/records.sh

# At batch 32 there are two groups, which two ranks can share; at 64 four.
for kernels in ${KERNELS:-f32 bf16}; do
    for case in 32:1 32:2 64:2 64:4; do
        batch=${case%:*} ranks=${case#*:} before=$files
        whole=$kernels-batch$batch
        options="$([ "$batch" = 32 ] || echo "--batch=$batch") ${MORE:-}"
        [ -d "$scratch/$whole" ] || tables "$whole" "$kernels" "$options" BUILD="$plain"
        tables "$whole-ranks$ranks" "$kernels" "$options" BUILD="$mpi" MPI=1 THREADS=1 LAUNCH="mpirun -n $ranks"
        same_runs "$scratch/$whole" "$scratch/$whole-ranks$ranks"
        echo "mpi: $kernels, batch $batch, $ranks ranks: $runs runs, $((files - before)) records compared"
    done
done

# A run that takes a while, with a checkpoint after every iteration.
data=$(sed -n 's/^data\t//p' "$scratch"/*/*/config.tsv | head -1)
long="--data=$data --layers=4 --channels=8 --levels=5 --images-a=2000 --images-b=500 --images-test=200 --images-epoch=200 \
    --batch=64 --epochs=4 --save-minutes=0"
OMP_NUM_THREADS=2 "$plain/train" --run="$scratch/long" $long >/dev/null || wrong "the plain run failed"

# start RANKS: in the background, as process $job.
start() {
    mpirun -n "$1" "$mpi/train" --run="$scratch/killed" --threads=1 $long >"$scratch/log" 2>&1 &
    job=$!
}

kills=0 stops=0 finished=0
for ((attempt = 0; kills < ${KILLS:-20} && attempt < 20 * ${KILLS:-20}; attempt++)); do
    ranks=$((1 << RANDOM % 3)) signal=KILL
    [ $((attempt % 5)) = 4 ] && signal=TERM
    start $ranks
    sleep "$((RANDOM % 4)).$((RANDOM % 10))"
    children=($(pgrep -P $job -x train))
    victim=${children[RANDOM % (${#children[@]} + 1)]:-${children[0]:-}}
    [ -n "$victim" ] && kill -$signal "$victim" 2>/dev/null || victim=
    wait $job
    status=$?
    if [ -e "$scratch/killed/result.tsv" ]; then
        finished=$((finished + 1))
        same "$scratch/long" "$scratch/killed"
        rm -r "$scratch/killed"
    elif [ -z "$victim" ] || [ $status = 0 ]; then
        cat "$scratch/log"
        wrong "on $ranks ranks the run ended with status $status, unfinished and not killed"
        break
    elif [ $signal = TERM ] && grep -q "^train: SIGTERM ended .* the same command goes on from there" "$scratch/log"; then
        stops=$((stops + 1))
    elif [ "$(grep -c '^train: a rank died, and the job of .* on this or another number of ranks' "$scratch/log")" = 1 ]; then
        kills=$((kills + 1))
    elif grep -q "epoch" "$scratch/log"; then # earlier it may not have begun to listen
        cat "$scratch/log"
        wrong "on $ranks ranks a rank was killed, and no sentence says so"
    fi
done
[ -d "$scratch/killed" ] && { start 2; wait $job || wrong "the killed run cannot be finished"; same "$scratch/long" "$scratch/killed"; }
[ $kills -ge "${KILLS:-20}" ] || wrong "only $kills kills"
echo "mpi: $kills kills of a random rank, $stops stops by SIGTERM, $((finished + 1)) runs finished from them"

# refused RANKS WORDS PROGRAM ARGUMENT..: ends with one sentence that has these words.
refused() {
    local ranks=$1 words=$2
    shift 2
    mpirun -n "$ranks" "$@" --run="$scratch/refused" >"$scratch/log" 2>&1 && wrong "$words: not refused"
    [ "$(grep -c '^train: ' "$scratch/log")" = 1 ] && grep -q "^train: .*$words" "$scratch/log" ||
        { cat "$scratch/log"; wrong "no sentence with '$words'"; }
    [ ! -e "$scratch/refused" ] || wrong "$words: refused too late"
}
refused 4 "start 1 or 2 ranks" "$mpi/train" $long --batch=32
refused 2 "start 1, 3 or 9 ranks" "$mpi/train" $long --batch=144
refused 2 "start 1 rank," "$mpi/train" $long --batch=40
refused 2 "kernels=ref is not divided" "$mpi/train" $long --kernels=ref
refused 2 "build with .make MPI=1" "$plain/train" $long
refused 2 "there is no option --nonsense" "$mpi/train" --nonsense=1
mpirun -n 2 "$mpi/train" --run="$scratch/twice" --threads=1 $long --epochs=1 >"$scratch/log" 2>&1
[ "$(grep -c 'epoch 1/1  loss' "$scratch/log")" = 1 ] || { cat "$scratch/log"; wrong "not one rank alone prints"; }
grep -qx "ranks	2" "$scratch/twice/provenance.tsv" || wrong "provenance.tsv does not tell the ranks"

echo "mpi: $files records compared, $failures faults"
[ $failures = 0 ] && [ $files -gt 0 ]
