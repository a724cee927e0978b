#!/usr/bin/env bash
# power.sh: how often a true difference is confirmed, by simulation (make audit-calibration):
#     sd <tab> seeds <tab> difference <tab> power
cat "$(dirname "$0")/../paper/power.tsv"
