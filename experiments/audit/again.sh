#!/usr/bin/env bash
# again.sh TRAIN DATA RUN...: trains the first epoch of finished runs anew, by the program TRAIN and the kernels that it has now,
# and compares what they leave of it, digit for digit. RUN is a run's folder, or one with runs in it at any depth. Where all
# digits are the same, RUN/again.tsv says by which commit, and the audit takes the run for one of that commit's kernels: later
# epochs give the same instructions other numbers. Nothing else of RUN is touched.
set -u
train=$1 data=$2
shift 2
new=$(mktemp -d)
pid=
trap '{ [ -n "$pid" ] && kill "$pid" && wait "$pid"; rm -rf "$new"; } 2>/dev/null' EXIT
trap 'exit 143' TERM
tried=0 different=0 untried=0

# value FILE NAME
value() { awk -F'\t' -v name="$2" '$1 == name { print $2; exit }' "$1"; }

# head_of FOLDER FILE: the names of its columns and what it says of the first epoch; nothing where there is no such file.
head_of() { [ ! -e "$1/$2" ] || awk 'NR == 1 || $1 == 1' "$1/$2"; }

say() { printf '%-9s  %s: %s\n' "$@"; }

untried() {
    untried=$((untried + 1))
    say untried "$@"
}

# other_data RUN: the run that begins has other data.
other_data() {
    [ -s "$new/run/config.tsv" ] &&
        [ "$(value "$1/config.tsv" '#data-sha256')" != "$(value "$new/run/config.tsv" '#data-sha256')" ]
}

epochs_done() { awk 'END { print NR - 1 }' "$new/run/log.tsv" 2>/dev/null || echo 0; }

# train_epoch RUN: its first epoch in $new/run, by its own options; what the program says in $new/error.
train_epoch() {
    local options status
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
    status=$?
    pid=
    [ "$(epochs_done)" -ge 1 ] && { [ $status = 0 ] || [ $status = 143 ]; }
}

# first_difference OLD NEW: the column with the first difference between them, and both words.
first_difference() {
    awk -F'\t' 'FILENAME == ARGV[1] { for (i = 1; i <= NF; i++) old[FNR, i] = $i; next }
        FNR == 1 { split($0, name) }
        { for (i = 1; i <= NF; i++) if ($i "" != old[FNR, i] "") {
            print (FNR == 1 ? "a column" : name[i]) " is " $i " now, and was " old[FNR, i]; told = 1; exit } }
        END { if (!told) print "there are other lines" }' "$1" "$2"
}

# is_commit WORD: the whole name of one.
is_commit() { [[ $1 =~ ^[0-9a-f]{40,64}$ ]]; }

# write_again RUN: what $new/run has shown of it, unless it stands there already.
write_again() {
    local name
    for name in commit log_head_sha256 instruction_set compiler flags glibc cpu started; do
        printf '%s\t%s\n' $name "$(value "$new/run/provenance.tsv" $name)"
    done | sed "s/^log_head_sha256.*/&$(head -n 2 "$1/log.tsv" | sha256sum | cut -d' ' -f1)/" >"$new/again.tsv"
    cmp -s <(head -n 2 "$new/again.tsv") <(head -n 2 "$1/again.tsv" 2>/dev/null) && return
    cp "$new/again.tsv" "$1/again.tsv.partial" 2>/dev/null && mv "$1/again.tsv.partial" "$1/again.tsv"
}

# same RUN: all digits of $new/run are the run's.
same() {
    local commit of
    commit=$(value "$new/run/provenance.tsv" commit)
    of=$(value "$1/provenance.tsv" commit)
    if ! is_commit "$commit"; then
        commit="$commit, which is no commit: again.tsv is not written"
    elif ! is_commit "$of"; then
        commit="$commit; the audit cannot count it, since the run itself is of $of"
    elif ! write_again "$1"; then
        commit="$commit; again.tsv cannot be written there"
    fi
    say same "$1" "the first epoch, to the last digit, by $commit"
}

again() {
    local run=$1 file source failed=0
    tried=$((tried + 1))
    for source in prune-from logits-from; do
        if [ -n "$(value "$run/config.tsv" $source)" ]; then
            untried "$run" "it starts from another run ($source), whose checkpoint no record holds"
            return
        fi
    done
    train_epoch "$run" || failed=1
    if other_data "$run"; then
        untried "$run" "its data have another SHA-256 than $data: name them, as in DATA=FOLDER/"
        return
    fi
    if [ $failed = 1 ]; then
        untried "$run" "$(tail -n 1 "$new/error")"
        return
    fi
    for file in log.tsv alpha.tsv beta.tsv; do
        head_of "$run" $file >"$new/old"
        head_of "$new/run" $file >"$new/new"
        if ! cmp -s "$new/old" "$new/new"; then
            different=$((different + 1))
            say different "$run" "after an epoch $(first_difference "$new/old" "$new/new") ($file)"
            return
        fi
    done
    same "$run"
}

for folder in "$@"; do
    before=$tried
    [[ $folder == /* ]] || folder=./$folder
    while read -r result; do
        again "$(dirname "${result#./}")"
    done < <(find -H "$folder" -name result.tsv 2>/dev/null | sort)
    [ $tried -gt $before ] || untried "${folder#./}" "there is no finished run in it"
done
[ $((different + untried)) = 0 ] || { echo "again: of $tried runs $different differ, and $untried could not be tried"; exit 1; }
