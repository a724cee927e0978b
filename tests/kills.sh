#!/usr/bin/env bash
# kills.sh BUILD: trains the rows of all tables and of the controls at a size of seconds, then each again, killed at random
# instants of its whole life and called anew until it ends, and compares every record with that of the undisturbed run, bit by
# bit. KILLS=N kills (1000); every tenth signal beside them is a SIGTERM or SIGINT, which must end with a sentence and its
# status. SEED=N repeats the same choices (instants, not what they meet: that is the machine's). KERNELS="f32 bf16",
# ROWS=REGULAR-EXPRESSION of the names of runs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$1 kills_wanted=${KILLS:-1000} seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
scratch=$(mktemp -d)
victim=
# A subshell that a signal meets before it becomes a program runs this too.
trap '[ $BASHPID = $$ ] && { [ -n "$victim" ] && kill -KILL "$victim"; rm -rf "$scratch"; } 2>/dev/null' EXIT
export OMP_WAIT_POLICY=passive LC_ALL=C
size="--images-a=192 --images-b=96 --images-test=160 --images-epoch=96 --batch=16 --epochs=3"
controls='unshared|scratch|reversed|shared|affine|random|all|on-a|linear'
mkdir "$scratch/whole" "$scratch/killed" "$scratch/data"
failures=0 compared=0 runs=0 kills=0 stops=0 early=0 attempts=0
declare -A places states milliseconds

wrong() {
    echo "kills: $*"
    failures=$((failures + 1))
}

# Data in CIFAR-10's layout, of so few images that loading them is a small part of a run: noise, the brighter the later a class.
awk -v folder="$scratch/data" 'BEGIN {
    srand(1)
    for (file = 1; file <= 6; file++)
        for (image = 0; image < (file < 6 ? 64 : 160); image++) {
            name = folder "/" (file < 6 ? "data_batch_" file : "test_batch") ".bin"
            printf "%c", image % 10 >name
            for (i = 0; i < 3072; i++)
                printf "%c", int(160 * rand()) + 9 * (image % 10) >name
        }
}'

# A line a run, NAME TAB COMMAND without --run, a run's source before it.
for kernels in ${KERNELS:-f32 bf16}; do
    for goal in 'table1 table2 table3 table4' controls; do
        make -n --no-print-directory $goal BUILD="$build" BUDGET=smoke DATA="$scratch/data" KERNELS="$kernels" RUNS="$scratch/whole" \
            OPTIONS="$size" 2>/dev/null | grep "^ *$build/train " |
            { [ "$goal" = controls ] && grep -E -- "-10x8-(ours|predefined|no-pooling)(-($controls))?-seed" || cat; }
    done
done | sed -E 's,^ *(.*) --run=.*/([^/]*)$,\2\t\1,' | awk -F '\t' -v rows="${ROWS:-.}" '
    { line[NR] = $0; name[NR] = $1; source[NR] = match($2, /-from=[^ ]*/) ? substr($2, RSTART + 6, RLENGTH - 6) : "" }
    $1 ~ rows { wanted[$1] = 1; wanted[source[NR]] = 1 }
    END { for (i = 1; i <= NR; i++) if (wanted[name[i]]) print line[i] }' >"$scratch/plan"
mapfile -t plan <"$scratch/plan"
[ ${#plan[@]} -gt 0 ] || { echo "kills: make -n plans no run"; exit 1; }

now() {
    echo $((${EPOCHREALTIME/./} / 1000))
}

for line in "${plan[@]}"; do
    IFS=$'\t' read -r name command <<<"$line"
    start=$(now)
    OMP_NUM_THREADS=2 $command --run="$scratch/whole/$name" >"$scratch/log" 2>&1 ||
        { cat "$scratch/log"; echo "kills: $name was not trained"; exit 1; }
    milliseconds[$name]=$(($(now) - start))
done
echo "kills: seed $seed, ${#plan[@]} runs trained without disturbance"

# Where a process is, by the calls on its stack: the return addresses of calls to these functions, and what they do. The
# outermost is right: what lies below it can be left over from earlier calls.
words='dataset_load data
source_load source
prune_plan pruning
prune_start pruning
network_reverse_alpha pruning
run_enter folder
feed_a batch
feed_b batch
filters_step weight-step
logits_step alpha-step
score_network evaluation
run_save checkpoint
provenance_finish result
result_text result
text_write result'
objdump -d --no-show-raw-insn "$build/train" | awk -v words="$words" '
    BEGIN { n = split(words, line, "\n"); for (i = 1; i <= n; i++) { split(line[i], part, " "); place[part[1]] = part[2] } }
    called { sub(/:$/, "", $1); print $1, called; called = "" }
    match($0, /(call|bl) .*<[a-z_0-9]*>$/) { name = $NF; gsub(/[<>]/, "", name); called = place[name] }' >"$scratch/calls"

# where PID: what a stopped process's first thread does.
where() {
    local call base stack
    call=$(cat /proc/$1/syscall 2>/dev/null)
    base=$(awk '{ sub(/-.*/, "", $1); print $1; exit }' /proc/$1/maps 2>/dev/null)
    set -- $1 $call
    [ $# -ge 3 ] && [ -n "$base" ] || { echo unknown; return; }
    stack=${@:$#-1:1}
    dd if=/proc/$1/mem bs=8 skip=$((stack / 8)) count=16384 2>/dev/null | od -An -v -tx8 -w8 |
        awk -v base="$base" -v calls="$scratch/calls" '
            function number(text, n, i) {
                n = 0
                for (i = 1; i <= length(text); i++)
                    n = 16 * n + index("0123456789abcdef", substr(text, i, 1)) - 1
                return n
            }
            BEGIN {
                start = number(base)
                while ((getline line <calls) > 0) {
                    split(line, part, " ")
                    place[number(part[1])] = part[2]
                }
                here = "elsewhere"
            }
            substr($1, 1, 6) == "0000" substr(base, 1, 2) {
                at = number($1) - start
                if (at in place)
                    here = place[at]
            }
            END { print here }'
}

# wait_for WORD FOLDER: until the instant that a strategy waits for, or the end of the process.
wait_for() {
    local lines file skip=$((RANDOM % 4)) seen= i=0
    while [ $((++i % 64)) != 0 ] || kill -0 $victim 2>/dev/null; do
        case $1 in
        begun) [ -e "$2/config.tsv" ] && return ;;
        evaluation) grep -q "$3/$3  loss" "$scratch/log" && return ;;
        partial)
            for file in "$2"/*.tmp; do
                [ -e "$file" ] || continue
                [ "$file" = "$seen" ] || { seen=$file; skip=$((skip - 1)); }
                [ $skip -lt 0 ] && return
            done ;;
        two) [ -e "$2/checkpoint.sha256" ] && { mapfile -t lines <"$2/checkpoint.sha256"; } 2>/dev/null &&
            [ ${#lines[@]} = 2 ] && return ;;
        esac
    done
}

# nap MOST: a random time below so many microseconds.
nap() {
    local most=$(($1 > 0 ? $1 : 1)) time
    time=$(((RANDOM * 32768 + RANDOM) % most))
    sleep "$((time / 1000000)).$(printf %06d $((time % 1000000)))"
}

# stopped: until the process stands still after SIGSTOP, or is gone.
stopped() {
    local i state rest
    for ((i = 0; i < 2000; i++)); do
        { read -r rest </proc/$victim/stat; } 2>/dev/null || return 1
        state=${rest##*) }
        case ${state%% *} in T) return 0 ;; Z | X) return 1 ;; esac
        sleep 0.001
    done
    return 1
}

# attempt NAME COMMAND: starts it, and kills it at an instant that the attempt's number draws. 0 where it ended by itself.
attempt() {
    local name=$1 command=$2 folder=$scratch/killed/$1 signal=KILL place status comm met=
    local strategies=(any any any any any start partial two evaluation begun) strategy threads save
    RANDOM=$(((seed + attempts * 7919) % 2147483647))
    : $RANDOM
    strategy=${strategies[RANDOM % 10]} threads=$((1 + RANDOM % 2)) save=$((RANDOM % 3 ? 3 : 0))
    [[ $strategy = partial || $strategy = two ]] && save=0
    [ $((RANDOM % 10)) = 0 ] && signal=$([ $((RANDOM % 2)) = 0 ] && echo TERM || echo INT)
    # A pruned run's start is short: it is met more often than chance does.
    [[ $command == *-from=* && $((RANDOM % 3)) != 0 ]] && strategy=begun
    [ $strategy = begun ] && [ -e "$folder/config.tsv" ] && strategy=any
    attempts=$((attempts + 1))
    story+=" $attempts:$strategy"
    : >"$scratch/log"
    OMP_NUM_THREADS=$threads $command --save-minutes=$save --run="$folder" >"$scratch/log" 2>&1 &
    victim=$!
    until { read -r comm </proc/$victim/comm && [ "$comm" = train ]; } 2>/dev/null; do
        kill -0 $victim 2>/dev/null || break
    done
    case $strategy in
    any) nap $((milliseconds[$name] * 1100)) ;;
    start) nap $((milliseconds[$name] * 300)) ;;
    begun) wait_for begun "$folder"; [ $((RANDOM % 2)) = 0 ] || nap 6000 ;;
    evaluation) wait_for evaluation "$folder" $iterations; nap $((milliseconds[$name] * 50)) ;;
    *) wait_for $strategy "$folder"; [ $((RANDOM % 2)) = 0 ] || nap 1500 ;;
    esac
    if kill -STOP $victim 2>/dev/null && stopped; then
        place=$(where $victim)
        set -- "$folder"/*.tmp
        [ -e "$1" ] && met+=" temporary-file"
        [ -e "$folder/checkpoint.h5" ] || met+=" no-checkpoint-yet"
        [[ -e $folder/checkpoint.h5 || $command != *-from=* ]] || met+=" no-checkpoint-yet-of-a-pruned-run"
        story+=":$signal:$place"
        kill -$signal $victim
        kill -CONT $victim 2>/dev/null
    else
        signal=none
    fi
    { wait $victim; } 2>/dev/null
    status=$?
    victim=
    [ $status = 0 ] && return 0
    if [ $signal = none ]; then
        cat "$scratch/log"
        wrong "$name ended by itself with status $status"
    elif [ $signal = KILL ]; then
        [ $status = 137 ] || { cat "$scratch/log"; wrong "$name ended with status $status, not by SIGKILL"; }
        kills=$((kills + 1))
        places[$place]=$((${places[$place]:-0} + 1))
        for place in $met; do
            states[$place]=$((${states[$place]:-0} + 1))
        done
    else
        local number=$([ $signal = TERM ] && echo 15 || echo 2)
        [ $status = $((128 + number)) ] || { cat "$scratch/log"; wrong "$name: SIG$signal ended it with status $status"; }
        if grep -q "^train: SIG$signal ended .* the same command goes on from there" "$scratch/log"; then
            stops=$((stops + 1))
        elif [ "$place" = elsewhere ]; then # before it listens
            early=$((early + 1))
        else
            cat "$scratch/log"
            wrong "$name: SIG$signal in $place, and no sentence says so"
        fi
    fi
    return 1
}

# compare NAME: the folder of the killed run has the files of the undisturbed one, and the same bits in its records.
compare() {
    local file whole=$scratch/whole/$1 killed=$scratch/killed/$1
    [ "$(ls "$whole")" = "$(ls "$killed")" ] || wrong "$1 has other files:" $(ls "$killed") "(${story# })"
    for file in config.tsv log.tsv alpha.tsv beta.tsv predictions.tsv result.tsv checkpoint.h5 checkpoint.sha256; do
        [ -e "$whole/$file" ] || [ $file = beta.tsv ] || wrong "$1 has no $file"
        [ -e "$whole/$file" ] || continue
        compared=$((compared + 1))
        cmp -s "$whole/$file" "$killed/$file" || wrong "$1/$file is not that of the undisturbed run (${story# })"
    done
}

for ((at = 0; kills < kills_wanted; at++)); do
    IFS=$'\t' read -r name command <<<"${plan[at % ${#plan[@]}]}"
    source=$(sed -n 's/.*-from=\([^ ]*\).*/\1/p' <<<"$command")
    [ -z "$source" ] || ln -sfn "../whole/$source" "$scratch/killed/$source"
    story= ended=
    # Of an epoch: (D_a or D_a and D_b) / batch.
    case $command in *fixed-data=all*) iterations=18 ;; *) iterations=12 ;; esac
    most=$((1 + (at * 5 + at / ${#plan[@]}) % 8))
    for ((part = 0; part < most; part++)); do
        attempt "$name" "$command" && { ended=1; break; }
    done
    if [ -z "$ended" ]; then
        OMP_NUM_THREADS=2 $command --run="$scratch/killed/$name" >"$scratch/log" 2>&1 ||
            { cat "$scratch/log"; wrong "$name cannot be continued (${story# })"; }
    fi
    compare "$name"
    # It takes a finished run, with all hashes checked, for one.
    $command --run="$scratch/killed/$name" >"$scratch/log" 2>&1 && grep -q "is finished already" "$scratch/log" ||
        { cat "$scratch/log"; wrong "$name is not taken for finished (${story# })"; }
    runs=$((runs + 1))
    rm -rf "$scratch/killed"/*
    [ $((runs % 25)) = 0 ] && echo "kills: $kills kills, $stops stops, $runs runs, $failures faults so far"
    [ $failures -lt 20 ] || break
done

for place in "${!places[@]}"; do
    printf 'kills: %6d in %s\n' ${places[$place]} "$place"
done | sort -k 2 -n -r
for place in "${!states[@]}"; do
    printf 'kills: %6d of them with %s\n' ${states[$place]} "$place"
done | sort -k 2 -n -r
echo "kills: seed $seed: $kills kills by SIGKILL, $stops stops by SIGTERM or SIGINT ($early before it listened), of $runs runs of" \
    "${#plan[@]} rows, in $attempts parts; $compared records compared, $failures faults"
[ $failures = 0 ] && [ $kills -ge "$kills_wanted" ]
