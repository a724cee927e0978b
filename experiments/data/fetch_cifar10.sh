#!/usr/bin/env bash
# fetch_cifar10.sh URL DIR SHA256 - put CIFAR-10's binary version, an archive at URL (https:// or file://) with
# that checksum, into DIR. DIR appears complete or not at all.
set -euo pipefail

files=(data_batch_{1,2,3,4,5}.bin test_batch.bin)
bytes=30730000 # of each: 10,000 images of 3,073 bytes

fail() {
    echo "fetch_cifar10.sh: $*" >&2
    exit 1
}

# The first of the files that is not in folder $1 at its full size; nothing if all are.
first_incomplete() {
    local file size
    for file in "${files[@]}"; do
        size=$(stat -L -c %s -- "$1/$file" 2>/dev/null) || size=no
        if [[ $size != "$bytes" ]]; then
            echo "$file ($size bytes, expected $bytes)"
            return
        fi
    done
}

[[ $# -eq 3 ]] || fail "got $# arguments; usage: fetch_cifar10.sh URL DIR SHA256"
url=$1 dir=${2%/} expected=$3
[[ -n $dir ]] || fail "'$2' cannot be the data folder; name another"
[[ $expected =~ ^[0-9a-f]{64}$ ]] || fail "'$expected' is no SHA-256; give 64 hexadecimal digits in lower case"

if [[ -z $(first_incomplete "$dir") ]]; then
    echo "CIFAR-10 is in $dir already$([ -e "$dir/verified.tsv" ] || echo ", put there by someone else: to have it from the archive and verified, remove it first")"
    exit 0
fi
if [[ -e $dir || -L $dir ]] && { [[ ! -d $dir ]] || [[ -n $(ls -A -- "$dir" 2>&1) ]]; }; then
    fail "$dir is there but lacks $(first_incomplete "$dir"); remove it and run this again"
fi
for tool in curl sha256sum tar gzip; do
    command -v "$tool" >/dev/null || fail "$tool is not installed; run make setup"
done

parent=$(dirname -- "$dir")
mkdir -p -- "$parent" 2>/dev/null || fail "cannot make the folder $parent; choose one that you may write to"
work=$(mktemp -d -- "$parent/.cifar10.XXXXXX" 2>/dev/null) ||
    fail "cannot write into $parent; choose a folder that you may write to"
trap 'rm -rf -- "$work"' EXIT

echo "downloading $url"
reason=$(curl --fail --location --silent --show-error --proto '=https,http,file' --connect-timeout 30 \
    --speed-limit 1000 --speed-time 60 --output "$work/archive" -- "$url" 2>&1) ||
    fail "cannot download $url: ${reason//$'\n'/ }; check the address and the disk, or give a mirror's or a file:// address"

actual=$(sha256sum <"$work/archive")
actual=${actual%% *}
[[ $actual == "$expected" ]] ||
    fail "$url has SHA-256 $actual, expected $expected; download it anew, or from another mirror"

mkdir "$work/unpacked"
reason=$(tar -xzf "$work/archive" --no-same-owner -C "$work/unpacked" 2>&1) ||
    fail "cannot unpack $url in $parent: ${reason//$'\n'/ }; check that the disk has 400 MB left"
folder=$work/unpacked/cifar-10-batches-bin
incomplete=$(first_incomplete "$folder")
[[ -z $incomplete ]] ||
    fail "the archive $url lacks cifar-10-batches-bin/$incomplete; use CIFAR-10's binary version"

# What vouches for these files from now on (data.c, key.sh).
content=$(cat -- "${files[@]/#/$folder/}" | sha256sum) || fail "cannot read $folder; check the disk"
printf 'archive_sha256\t%s\nfiles_sha256\t%s\n' "$actual" "${content%% *}" >"$folder/verified.tsv" ||
    fail "cannot write into $folder; check the disk"

sync -- "$folder"/* || fail "cannot write $parent to disk; check the disk"
reason=$(mv -T -- "$folder" "$dir" 2>&1) || fail "cannot put the data into place: $reason; remove $dir and run this again"
echo "CIFAR-10 is in $dir"
