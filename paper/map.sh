#!/usr/bin/env bash
# map.sh AUDIT: the graph of claims for graphviz: conclusions on what they require, coloured and shaped by verdict, each a link.
set -euo pipefail
awk -F'\t' '
    FNR == 1 { file++; delete at; for (i = 1; i <= NF; i++) at[$i] = i; next }
    file == 1 { verdict[$1] = $at["verdict"]; next }
    { id = $1; n = split($at["requires"], needs, /[ ,]+/); used = 0
      for (i = 1; i <= n; i++) if (needs[i] != "" && needs[i] != "-") { edge[++edges] = "\"" needs[i] "\" -> \"" id "\""; shown[needs[i]] = 1; used = 1 }
      if (used) shown[id] = 1 }
    END {
        print "digraph claims { rankdir=LR; bgcolor=\"transparent\"; node [fontname=\"DejaVu Sans\", fontsize=10, style=filled]; edge [color=\"#6b6b70\"];"
        for (id in shown) { v = verdict[id]
            good = v ~ /^(confirmed|reproduced|holds|isolated)/; bad = v ~ /^(contradicted|impossible|broken|lower|higher|absent)/
            printf "\"%s\" [label=\"%s\\n%s\", URL=\"#claim-%s\", shape=%s, fillcolor=\"%s\"];\n", id, id, v, id,
                (good ? "box" : bad ? "octagon" : "ellipse"), (good ? "#d9efe0" : bad ? "#f6d9d6" : "#f3ead0") }
        for (i = 1; i <= edges; i++) print edge[i] ";"
        print "}" }' "$1" paper/claims.tsv
