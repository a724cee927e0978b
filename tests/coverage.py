#!/usr/bin/env python3
"""coverage.py REPORT.json EXCUSES.tsv LINES.txt - what the tests reach, folder by folder, from gcovr's report. A function that
no test enters must stand in EXCUSES, FILE TAB FUNCTION TAB why, and one that stands there must still be such a function: else
the exit status is 1. The lines that nothing reaches in functions that are entered go to LINES.txt."""
import collections
import json
import re
import sys

PARTS = ("lines", "functions", "branches")


def folder_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "experiments" else parts[0]


def name_of(name):
    """A function of fast/ is built for every set and instruction set: f32_NAME_plain, or f32_kernels_plain."""
    return re.sub(r"^(?:f32|bf16)_(\w+)_(?:plain|amx_emulated)$", r"\1", name)


def read_excuses(path):
    excuses = {}
    for number, line in enumerate(open(path), 1):
        if line.startswith("#") or not line.strip():
            continue
        cells = line.rstrip("\n").split("\t")
        if len(cells) != 3 or not all(cells):
            sys.exit(f"coverage: {path}, line {number}: expected a file, a function and the reason, between tabs")
        excuses[tuple(cells[:2])] = cells[2]
    return excuses


def functions_of(report):
    """By where they begin: their name, and how often they were entered, in all that is built from that place."""
    found = {}
    for f in report["functions"]:
        name, count = found.get(f["lineno"], ("", 0))
        found[f["lineno"]] = (name_of(f["name"]), count + f["execution_count"])
    return found


def print_table(counts):
    print(f"{'folder':24}" + "".join(f"{part:>24}" for part in PARTS))
    total = collections.Counter()
    for folder in sorted(counts):
        total += counts[folder]
    for folder, c in [*sorted(counts.items()), ("all", total)]:
        cells = (f"{c[p]}/{c['all ' + p]} {100 * c[p] / max(1, c['all ' + p]):5.1f} %" for p in PARTS)
        print(f"{folder:24}" + "".join(f"{cell:>24}" for cell in cells))


def main(report, excuses_path, lines_path):
    excuses = read_excuses(excuses_path)
    counts = collections.defaultdict(collections.Counter)
    faults, left, unreached = [], set(excuses), []
    for f in json.load(open(report))["files"]:
        name, c = f["file"], counts[folder_of(f["file"])]
        functions = functions_of(f)
        for function, count in functions.values():
            c["all functions"] += 1
            c["functions"] += count > 0
            if count > 0:
                continue
            if (name, function) in excuses:
                left.discard((name, function))
            else:
                faults.append(f"{name}: nothing enters {function}: test it, or give the reason in {excuses_path}")
        starts = sorted(functions)
        source = open(name).read().split("\n")
        for line in f["lines"]:
            if line["gcovr/noncode"] or line["gcovr/excluded"]:
                continue
            at = line["line_number"]
            c["all lines"] += 1
            c["lines"] += line["count"] > 0
            c["all branches"] += len(line["branches"])
            c["branches"] += sum(b["count"] > 0 for b in line["branches"])
            start = max((s for s in starts if s <= at), default=None)
            if line["count"] == 0 and start is not None and functions[start][1] > 0:
                unreached.append(f"{name}:{at}: {source[at - 1].strip()}")
    faults += [f"{file}: {function} is entered, or is not there: take it out of {excuses_path}" for file, function in sorted(left)]
    print_table(counts)
    with open(lines_path, "w") as out:
        out.writelines(line + "\n" for line in unreached)
    for fault in faults:
        print(f"coverage: {fault}")
    print(f"coverage: {len(excuses) - len(left)} functions with a reason, {len(faults)} faults; {len(unreached)} lines of "
          f"functions that are entered are in {lines_path}")
    return len(faults) > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
