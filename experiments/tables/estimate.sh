#!/usr/bin/env bash
# estimate.sh "FOLDER@SOURCE@COMMAND"...: minutes that each run whose FOLDER has no result still needs, and their
# sum. COMMAND (train without --run) is started in a folder of its own until it has timed its first steps, then stopped. A
# run that starts from one that is not there yet (SOURCE) takes at most what its source takes an epoch: if it is
# fine-tuned, for a tenth of the epochs.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
declare -A per_epoch
total=0 missing=0
sources=() others=()
for line in "$@"; do [[ $line == *@@* ]] && sources+=("$line") || others+=("$line"); done
for line in "${sources[@]}" "${others[@]}"; do
    IFS=@ read -r folder source command <<<"$line"
    [ -s "$folder/result.tsv" ] && continue
    missing=$((missing + 1))
    note=
    if [ -n "$source" ] && [ ! -s "$source/result.tsv" ]; then
        epochs=$(grep -o -- '--epochs=[0-9]*' <<<"$command" | tail -n 1 | cut -d= -f2)
        [[ $command == *--prune-from=* && $command != *--prune-start=scratch* ]] &&
            epochs=$((epochs >= 20 ? epochs / 10 : 1))
        minutes=$(awk -v e="$epochs" -v m="${per_epoch[$source]:-0}" 'BEGIN {print m * e}')
        note=" at most"
    else
        there=$([ -n "$source" ] && cd "$(dirname "$source")" && pwd)/
        for option in --prune-from= --logits-from=; do command=${command/$option/$option$there}; done
        : >"$work/out" # a run that has not begun is not measured by the last one's words
        $command --run="$work/run" >"$work/out" 2>&1 &
        pid=$!
        while kill -0 $pid 2>/dev/null && ! grep -q 'epochs of .* batches' "$work/out"; do sleep 0.1; done
        kill -TERM $pid 2>/dev/null
        wait $pid 2>/dev/null
        read -r epochs batches seconds < <(tr '\r' '\n' <"$work/out" |
            sed -n 's/.* \([0-9]*\) epochs of \([0-9]*\) batches, \([0-9.]*\) s each.*/\1 \2 \3/p' | head -n 1)
        [ -n "${seconds:-}" ] || { tr '\r' '\n' <"$work/out" | tail -n 3 >&2; exit 1; }
        minutes=$(awk -v e="$epochs" -v b="$batches" -v s="$seconds" 'BEGIN {print e * b * s / 60}')
        per_epoch[$folder]=$(awk -v m="$minutes" -v e="$epochs" 'BEGIN {print m / e}')
        rm -rf "$work/run"
    fi
    total=$(awk -v t="$total" -v m="$minutes" 'BEGIN {print t + m}')
    printf '%8.1f minutes%s  %s\n' "$minutes" "$note" "$(basename "$folder")"
done
printf '%8.1f minutes for %d runs that are not there yet, one after the other, without tests on the test set\n' "$total" "$missing"
