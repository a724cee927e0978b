#!/usr/bin/env bash
# forest.sh: every difference in accuracy that the audit judged (not of depths or times), from its table ($AUDIT) and the ledger ($CLAIMS, or paper/claims.tsv):
#     id <tab> statement <tab> estimate <tab> low <tab> high <tab> paper <tab> margin <tab> verdict <tab> grade <tab> seeds
set -u
printf 'id\tstatement\testimate\tlow\thigh\tpaper\tmargin\tverdict\tgrade\tseeds\n'
[ -s "${AUDIT:-}" ] || exit 0
awk -F'\t' '
    FNR == 1 { file++; delete at; for (i = 1; i <= NF; i++) at[$i] = i; next }
    file == 1 { if ($at["kind"] ~ /difference|direction|equivalence/ && $at["decider"] !~ /(^| )(seconds|deeper|outside):/) { statement[$at["id"]] = $at["statement"]; paper[$at["id"]] = $at["paper_value"]
        margin[$at["id"]] = $at["margin"]; order[++n] = $at["id"] } next }
    ($at["id"] in statement) && $at["estimate"] + 0 == $at["estimate"] {
        line[$at["id"]] = $at["estimate"] "\t" $at["ci95"] "\t" $at["verdict"] "\t" $at["grade"] "\t" $at["n"] }
    END { for (i = 1; i <= n; i++) { id = order[i]; if (!(id in line)) continue
        split(line[id], part, "\t"); low = high = "-" # one seed where no other row has more
        if (part[2] ~ /[0-9]/) { split(part[2], ends, /[^0-9.+-]+|\.\./); first = ends[1] == "" ? 2 : 1; low = ends[first]; high = ends[first + 1] }
        printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", id, statement[id], part[1], low, high,
            (paper[id] + 0 == paper[id] ? paper[id] : "-"), (margin[id] + 0 == margin[id] ? margin[id] : 0.5), part[3], part[4], part[5] } }
' "${CLAIMS:-paper/claims.tsv}" "$AUDIT"
