#!/usr/bin/env bash
# key.sh DATA [plan] - what runs on DATA are called: the data set's name and the first 8 digits of its SHA-256, such as
# cifar10-jpeg75-08fb299e. DATA is as train's --data. With `plan`, data that is not there yet has the digits "unknown".
set -euo pipefail
cd "$(dirname "$0")/../.."
data=$1 plan=${2:-}
case $data in
cifar10) folder=data/cifar-10-batches-bin ;;
fashion-mnist) folder=/usr/share/datasets/fashion-mnist ;;
*/*) folder=${data%/} ;;
*) folder= ;;
esac

# A set that is made here is known by the program that makes it.
if [ -z "$folder" ]; then
    source=experiments/data/${data%%-*}.c
    [ -f "$source" ] || { echo "DATA is $data: give cifar10, fashion-mnist, scales-2 and the like, or a folder (with a /)" >&2; exit 1; }
    sum=$(sha256sum <"$source")
    echo "$data-${sum:0:8}"
    exit
fi

files=()
if [ -e "$folder/data_batch_1.bin" ]; then
    files=("$folder"/data_batch_{1,2,3,4,5}.bin "$folder/test_batch.bin")
else
    for name in train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte; do
        if [ -e "$folder/$name" ]; then files+=("$folder/$name"); else files+=("$folder/$name.gz"); fi
    done
fi
for file in "${files[@]}"; do
    [ -r "$file" ] && continue
    [ -n "$plan" ] && { echo "$(basename "$data")-unknown"; exit; }
    echo "$file is not there: \`make data\` fetches CIFAR-10, \`make setup\` installs Fashion-MNIST" >&2
    exit 1
done
sum=$(cat -- "${files[@]}" | sha256sum)
sum=${sum%% *}
name=$(sed -n "s/^DATA_SET(\"$sum\", \"\([^\"]*\)\".*/\1/p" experiments/data/known.def)
official=$(sed -n 's/^#define CIFAR10_ARCHIVE "\(.*\)"$/\1/p' experiments/data/data.h)
if [ -z "$name" ] && [ -r "$folder/verified.tsv" ] &&
    [ "$(cat "$folder/verified.tsv")" = "$(printf 'archive_sha256\t%s\nfiles_sha256\t%s' "$official" "$sum")" ]; then
    name=cifar10
fi
echo "${name:-custom}-${sum:0:8}"
