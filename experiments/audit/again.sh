#!/usr/bin/env bash
# again.sh TRAIN DATA RUN...: trains the first epoch of finished runs anew, by the program TRAIN and the kernels that it has now,
# and compares what they leave of it, digit for digit. RUN is a run's folder, or one with runs in it at any depth. Where all
# digits are the same, RUN/again.tsv says by which commit: every epoch calls the same kernels on the same shapes, so the audit
# takes the run for one of that commit's kernels. Nothing else of RUN is touched.
set -u
train=$1 data=$2
shift 2
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
tried=0 wrong=0

# value FILE NAME
value() { awk -F'\t' -v name="$2" '$1 == name { print $2; exit }' "$1"; }

# head_of FOLDER FILE: the names of its columns and what it says of the first epoch, and of the start.
head_of() { awk 'NR == 1 || $1 == 0 || $1 == 1' "$1/$2"; }

say() { printf '%-9s  %s: %s\n' "$@"; }

# other_data RUN: the run that begins has other data.
other_data() {
    [ -s "$new/run/config.tsv" ] &&
        [ "$(value "$1/config.tsv" '#data-sha256')" != "$(value "$new/run/config.tsv" '#data-sha256')" ]
}

epochs_done() { awk 'END { print NR - 1 }' "$new/run/log.tsv" 2>/dev/null || echo 0; }

# train_epoch RUN: its first epoch in $new/run, by its own options; what the program says in $new/error.
train_epoch() {
    local options pid
    mapfile -t options < <(awk -F'\t' '!/^#/ && $1 != "data" && $2 != "" { print "--" $1 "=" $2 }' "$1/config.tsv")
    rm -rf "$new/run"
    NOPOOL_ISA=$(value "$1/provenance.tsv" instruction_set) "$train" --run="$new/run" --data="$data" --common "${options[@]}" \
        >"$new/error" 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null && ! other_data "$1" && [ "$(epochs_done)" -lt 1 ]; do
        sleep 0.1
    done
    kill $pid 2>/dev/null
    wait $pid 2>/dev/null
}

# first_difference OLD NEW: the name of the column with the first difference between them, and both numbers.
first_difference() {
    awk -F'\t' 'NR == FNR { for (i = 1; i <= NF; i++) old[FNR, i] = $i; next }
        FNR == 1 { split($0, name) }
        { for (i = 1; i <= NF; i++) if ($i != old[FNR, i]) {
            print (FNR == 1 ? "its columns" : name[i]) " is " $i " now, and was " old[FNR, i]; exit } }' "$1" "$2"
}

# write_again RUN: what $new/run has shown of it.
write_again() {
    local name
    for name in commit instruction_set cpu started; do
        printf '%s\t%s\n' $name "$(value "$new/run/provenance.tsv" $name)"
    done >"$new/again.tsv"
    printf 'log_head_sha256\t%s\n' "$(head -n 2 "$1/log.tsv" | sha256sum | cut -d' ' -f1)" >>"$new/again.tsv"
    cp "$new/again.tsv" "$1/again.tsv.partial" && mv "$1/again.tsv.partial" "$1/again.tsv"
}

again() {
    local run=$1 file source
    tried=$((tried + 1))
    for source in prune-from logits-from; do
        if [ -n "$(value "$run/config.tsv" $source)" ]; then
            say untried "$run" "it starts from another run ($source), whose checkpoint no record holds"
            return 1
        fi
    done
    train_epoch "$run"
    if other_data "$run"; then
        say untried "$run" "its data have another SHA-256 than $data: name them, as in DATA=FOLDER/"
        return 1
    fi
    if [ "$(epochs_done)" -lt 1 ]; then
        say untried "$run" "$(tail -n 1 "$new/error")"
        return 1
    fi
    for file in log.tsv alpha.tsv; do
        head_of "$run" $file >"$new/old"
        head_of "$new/run" $file >"$new/new"
        if ! cmp -s "$new/old" "$new/new"; then
            say different "$run" "after an epoch $(first_difference "$new/old" "$new/new") ($file)"
            return 1
        fi
    done
    write_again "$run" || return 1
    say same "$run" "the first epoch, to the last digit, by commit $(value "$run/again.tsv" commit)"
}

for folder in "$@"; do
    while read -r result; do
        again "$(dirname "$result")" || wrong=$((wrong + 1))
    done < <(find "$folder" -name result.tsv | sort)
done
[ $tried -gt 0 ] || { echo "again: there is no finished run in $*: name folders, as in RUN=runs/NAME"; exit 1; }
[ $wrong = 0 ] || { echo "again: $wrong of $tried runs are not shown to be what is trained now"; exit 1; }
