#!/usr/bin/env bash
# clean.sh [--runs=FOLDER] BUILD...: removes builds, and a folder of runs. A folder that holds anything but what the Makefile
# makes is refused by name, before anything is removed.
set -u
refuse() {
    echo "clean: $1: nothing was removed" >&2
    exit 1
}

runs=
[[ ${1:-} == --runs=* ]] && { runs=${1#--runs=}; shift; }
for build in "$@"; do
    [ -e "$build" ] || continue
    [ -d "$build" ] && [ ! -L "$build" ] && [ -f "$build/commit" ] && [ -d "$build/experiments" ] ||
        refuse "$build has no commit and objects of a build in it, so it is none"
done
if [ -n "$runs" ] && [ -e "$runs" ]; then
    [ -d "$runs" ] && [ ! -L "$runs" ] || refuse "$runs is not a folder"
    shopt -s nullglob dotglob
    for entry in "$runs"/*; do
        name=${entry##*/}
        if [ -d "$entry" ] && [ ! -L "$entry" ]; then
            [ -f "$entry/config.tsv" ] && [ -f "$entry/provenance.tsv" ] ||
                refuse "$runs holds the folder $name, which is no run"
        else
            [[ $name =~ ^(table|controls|placements|curves|estimate|audit)[a-z0-9.-]*\.(tsv|png|svg|txt)$ ]] ||
                refuse "$runs holds $name, which is no table of runs"
        fi
    done
    rm -rf -- "$runs"
fi
rm -rf -- "$@"
