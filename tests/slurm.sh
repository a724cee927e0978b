#!/usr/bin/env bash
# slurm.sh PLAIN [MPI]: a build without MPI, and one with MPI=1 if there is one. Starts a cluster of Slurm that has this machine
# as its one node, of daemons of its own, in a folder of its own (packages slurm-wlm and munge; as root or as anybody). Trains
# the smoke rows of tables by jobs of `make -j LAUNCH=srun`: every record must have the bits of the plain build's without Slurm.
# Then CANCELS times (4) ends a random job of a longer table by scancel, and the same line of make must go on to the same bits.
# The build with MPI trains on two ranks a job, and one of its ranks is killed. TABLES="table1 ..", KERNELS="f32 bf16".
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
plain=$1 mpi=${2:-}
scratch=$(mktemp -d)
. tests/records.sh
export OMP_WAIT_POLICY=passive OMPI_MCA_mpi_yield_when_idle=1
PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd srun scancel squeue sinfo; do
    command -v $program >/dev/null ||
        { echo "slurm: there is no $program: sudo apt-get install slurm-wlm munge" >&2; rmdir "$scratch"; exit 1; }
done

# steps: the processes of this cluster that look after a job's step.
steps() {
    local process
    for process in $(pgrep -x slurmstepd); do
        tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF" && echo "$process"
    done
}

daemons=()
stop() {
    [ -n "$(squeue --noheader 2>/dev/null)" ] && scancel --me --signal=KILL --full
    for ((wait = 0; wait < 100; wait++)); do [ -n "$(squeue --noheader 2>/dev/null)$(steps)" ] && sleep 0.1 || break; done
    kill -KILL $(steps) 2>/dev/null
    for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
        kill "${daemons[i]}" 2>/dev/null
        wait "${daemons[i]}" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 1' INT TERM

# A port that nobody listens on.
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo $port
}

# munged asks that everybody may look into its socket's folder.
home=$scratch/cluster node=$(hostname -s) user=$(id -un)
chmod 755 "$scratch"
mkdir -p "$home"/{state,spool,munge,tmp}
export SLURM_CONF=$home/slurm.conf TMPDIR=$home/tmp
(umask 077 && head -c 1024 /dev/urandom >"$home/munge/key")
# Neither cgroups nor systemd: processes are found by their parents, and nobody is bound to a core.
cat >"$SLURM_CONF" <<END
ClusterName=nopool
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthInfo=socket=$home/munge/socket
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc=$home/jobs
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
MailProg=/bin/true
ReturnToService=2
KillWait=20
MessageTimeout=100
ResumeTimeout=600
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc)
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END

# daemon NAME ARGUMENT..: in the background, its words in NAME.log.
daemon() { "$@" >"$home/$1.log" 2>&1 & daemons+=($!); }
daemon munged --foreground --key-file="$home/munge/key" --socket="$home/munge/socket" --pid-file="$home/munge/pid" \
    --log-file="$home/munge/log" --seed-file="$home/munge/seed"
for ((wait = 0; wait < 100; wait++)); do [ -S "$home/munge/socket" ] && break; sleep 0.1; done
daemon slurmctld -D -f "$SLURM_CONF"
daemon slurmd -D -f "$SLURM_CONF"
for ((wait = 0; wait < 300; wait++)); do [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && break; sleep 0.1; done
[ "$(sinfo --noheader --format=%t)" = idle ] || { tail -n 5 "$home"/*.log; echo "slurm: no cluster in 30 seconds" >&2; exit 1; }
echo "slurm: $(sinfo --version), $(sinfo --noheader --format='%D node of %c CPUs')"

# jobs STATE: how many jobs have ended so.
jobs_ended() { grep -c "JobState=$1 " "$home/jobs"; }

one="srun -n1 -c1"
for kernels in ${KERNELS:-f32 bf16}; do
    before=$files
    tables "$kernels" "$kernels" "" BUILD="$plain"
    tables "$kernels-srun" "$kernels" "" BUILD="$plain" THREADS=1 LAUNCH="$one" -j
    same_runs "$scratch/$kernels" "$scratch/$kernels-srun"
    echo "slurm: $kernels: $runs runs, each a job, $((files - before)) records compared"
done
[ "$(jobs_ended COMPLETED)" -ge 1 ] || wrong "no job was completed"
jobs=$(jobs_ended COMPLETED)

# Longer runs, with several checkpoints.
kernels=${KERNELS:-f32} kernels=${kernels%% *}
long="--images-a=4000 --images-b=1000 --images-test=200 --images-epoch=200 --epochs=4"

# cancelled FOLDER SIGNAL MAKE-ARGUMENT..: starts the line of make, and once a run that is not finished has a checkpoint ends
# a random job: by SIGTERM, as scancel does, or by SIGKILL. Status 1 if the line ended before.
cancelled() {
    local folder=$1 signal=$2 job= checkpoint
    shift 2
    train_tables "$folder" "$kernels" "$long" "$@" &
    local line=$!
    while kill -0 $line 2>/dev/null && [ -z "$job" ]; do
        sleep "0.$((1 + RANDOM % 9))"
        for checkpoint in "$scratch/$folder"/*/checkpoint.h5; do
            [ -e "$checkpoint" ] && [ ! -e "${checkpoint%/*}/result.tsv" ] &&
                job=$(squeue --noheader --states=RUNNING --format=%i | shuf -n 1) && break
        done
    done
    [ -z "$job" ] || if [ $signal = TERM ]; then scancel "$job"; else scancel --signal=KILL "$job"; fi
    wait $line && return 1
    cancels=$((cancels + 1))
}

# continued: the runs of a folder that went on from a checkpoint: their provenance has a line for each time.
continued() { grep -l '^continued' "$scratch/$1"/*/provenance.tsv 2>/dev/null | wc -l; }

cancels=0 resumed=0 before=$files
tables long "$kernels" "$long" BUILD="$plain"
for ((attempt = 0; cancels < ${CANCELS:-4} && attempt < 5 * ${CANCELS:-4}; attempt++)); do
    signal=TERM
    [ $((attempt % 2)) = 1 ] && signal=KILL
    cancelled long-srun $signal BUILD="$plain" THREADS=1 LAUNCH="$one" -j && continue
    same_runs "$scratch/long" "$scratch/long-srun"
    resumed=$((resumed + $(continued long-srun)))
    rm -r "$scratch/long-srun"
done
tables long-srun "$kernels" "$long" BUILD="$plain" THREADS=1 LAUNCH="$one" -j
same_runs "$scratch/long" "$scratch/long-srun"
resumed=$((resumed + $(continued long-srun)))
[ $cancels -ge "${CANCELS:-4}" ] || wrong "only $cancels jobs were ended"
[ $resumed -gt 0 ] || wrong "no run went on from its checkpoint"
echo "slurm: $cancels jobs ended by scancel, $resumed runs continued, $((files - before)) records compared"

# last_words: exactly one sentence of train, with these words.
last_words() {
    [ "$(grep -c '^train: ' "$scratch/log")" = 1 ] && grep -q "^train: .*$1" "$scratch/log" ||
        { cat "$scratch/log"; wrong "no sentence, or not one, with '$1'"; }
}

if [ -n "$mpi" ]; then
    two="srun -n2 -c1 --overcommit --mpi=pmix" before=$files
    for kernels in ${KERNELS:-f32 bf16}; do
        tables "$kernels-ranks" "$kernels" "" BUILD="$mpi" MPI=1 THREADS=1 LAUNCH="$two" -j
        same_runs "$scratch/$kernels" "$scratch/$kernels-ranks"
    done
    kernels=${KERNELS:-f32} kernels=${kernels%% *} cancels=0
    cancelled long-ranks TERM BUILD="$mpi" MPI=1 THREADS=1 LAUNCH="$two"
    tables long-ranks "$kernels" "$long" BUILD="$mpi" MPI=1 THREADS=1 LAUNCH="$two" -j
    same_runs "$scratch/long" "$scratch/long-ranks"
    [ $cancels = 1 ] && [ "$(continued long-ranks)" = 1 ] || wrong "no job of two ranks was ended and continued"
    grep -qx "ranks	2" "$scratch"/long-ranks/*/provenance.tsv || wrong "provenance.tsv does not tell the ranks"
    echo "slurm: two ranks a job, by PMIx: $((files - before)) records compared, $cancels job ended by scancel and continued"

    data=$(sed -n 's/^data\t//p' "$scratch"/long/*/config.tsv | head -1)
    options="--data=$data --layers=4 --channels=8 $long --batch=32"
    # A rank that dies takes the job with it, and says how to go on.
    $two "$mpi/train" --run="$scratch/killed" --threads=1 $options >"$scratch/log" 2>&1 &
    line=$!
    for ((wait = 0; wait < 300; wait++)); do [ -e "$scratch/killed/checkpoint.h5" ] && break; sleep 0.1; done
    kill -KILL "$(pgrep -P "$(steps | paste -sd,)" -x train | shuf -n 1)"
    wait $line && wrong "a job with a killed rank ended well"
    last_words "a rank died"
    $two --mpi=none "$mpi/train" --run="$scratch/refused" $options >"$scratch/log" 2>&1 && wrong "ranks without PMIx: not refused"
    last_words "start them by srun --mpi=pmix"
    $two --mpi=pmi2 "$mpi/train" --run="$scratch/refused" $options >"$scratch/log" 2>&1 && wrong "ranks by pmi2: not refused"
    last_words "start them by srun --mpi=pmix"
    [ ! -e "$scratch/refused" ] || wrong "refused too late"
fi

echo "slurm: $jobs jobs and more, $files records compared, $failures faults"
[ $failures = 0 ] && [ $files -gt 0 ]
