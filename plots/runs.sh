#!/usr/bin/env bash
# runs.sh FOLDER...: the finished runs in these folders and one level below them, a line each:
#     group <tab> row <tab> seed <tab> epochs <tab> folder
# where a run's name is GROUP-ROW-seedN and GROUP ends in the network, such as 10x64. With GROUP=name in the environment,
# only that group; with GROUP=best, the one of the most epochs, then of the largest network, then of the most runs.
set -u
list() {
    local folder name
    for folder in "$@"; do
        [ -s "$folder/result.tsv" ] || continue
        name=$(basename "$folder")
        [[ $name =~ ^(.*-[0-9]+x[0-9]+)-(.*)-seed([0-9]+)$ ]] || continue
        printf '%s\t%s\t%s\t%s\t%s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" \
            "$(awk -F'\t' '$1 == "total_epochs" {print $2}' "$folder/result.tsv")" "$folder"
    done
}
shopt -s nullglob
folders=()
for from in "$@"; do folders+=("$from" "$from"/* "$from"/*/*); done
[ ${#folders[@]} -gt 0 ] || exit 0
all=$(list "${folders[@]}" | sort -u)
[ -n "$all" ] || exit 0
group=${GROUP:-}
if [ "$group" = best ]; then
    group=$(awk -F'\t' '{
            n = split($1, part, "-"); split(part[n], size, "x")
            if ($4 + 0 > epochs[$1]) epochs[$1] = $4 + 0
            network[$1] = size[1] * size[2] * size[2]; runs[$1]++
        } END { for (g in runs) printf "%d\t%d\t%d\t%s\n", epochs[g], network[g], runs[g], g }' <<<"$all" |
        sort -t$'\t' -k1,1n -k2,2n -k3,3n | tail -n 1 | cut -f4)
fi
awk -F'\t' -v group="$group" 'group == "" || $1 == group' <<<"$all"
