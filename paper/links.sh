#!/usr/bin/env bash
# links.sh PAGE [FOLDER]: every link of the page leads somewhere: an anchor of it, or a file, seen from FOLDER (the page's own);
# that of a test to the file that has it. No anchor stands twice, and nothing is asked of another machine.
set -euo pipefail
page=$1 folder=${2:-$(dirname "$1")}
faults=$(mktemp)
trap 'rm -f "$faults"' EXIT

anchors() { grep -o ' id="[^"]*"' "$page" | sed 's/^ id="//; s/"$//' | sort; }
targets() { grep -oE '(href|xlink:href|src)="[^"]*"' "$page" | sed 's/^[a-z:]*="//; s/"$//' | sort -u; }

anchors | uniq -d | sed 's/.*/the anchor & stands twice/' >>"$faults"
comm -23 <(targets | sed -n 's/^#//p' | sort -u) <(anchors | sort -u) | sed 's/.*/a link leads to the anchor &, which is not there/' >>"$faults"
targets | grep -vE '^(#|data:)' | while read -r target; do
    case $target in
    *://*) echo "a link leaves the page for $target" ;;
    *) [ -e "$folder/$target" ] || echo "a link leads to the file $target, which is not there" ;;
    esac
done >>"$faults" || true
# A test's name leads to the file that has it.
grep -oE 'href="[^"]*"><code>test_[a-z0-9_]*' "$page" | sed 's/^href="//; s/"><code>/ /' | sort -u | while read -r target name; do
    case $target in
    '#'*) ;;
    *) grep -qsw "$name" "$folder/${target%%#*}" || echo "the test $name is not in the file $target" ;;
    esac
done >>"$faults" || true
[ ! -s "$faults" ] && exit 0
sed 's/^/paper: /' "$faults" >&2
exit 1
