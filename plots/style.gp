# One style for every figure. Called with out='FILE' (without .svg or .png) and data='FILE.tsv'; a script sets its size with
# `wide` and `high` in points, narrow enough that its words can be read on a telephone, includes this file, and draws with `call` of draw(terminal).
# Colours are safe for the colour-blind and readable on a light ground, which every figure brings along, so that a page
# may be dark around it.
set encoding utf8
set datafile separator tab
set datafile missing "-"
ground = "#fdfdfb"; text = "#1d1d1f"; soft = "#6b6b70"; line = "#d8d8d2"
blue = "#0072b2"; orange = "#d55e00"; green = "#00795a"; purple = "#9a4f86"; brown = "#8a6500"; sky = "#3a8fc4"; grey = "#6b6b70"
set linetype 1 lc rgb blue lw 2 pt 7 ps 0.7
set linetype 2 lc rgb orange lw 2 pt 5 ps 0.7
set linetype 3 lc rgb green lw 2 pt 9 ps 0.8
set linetype 4 lc rgb purple lw 2 pt 13 ps 0.8
set linetype 5 lc rgb brown lw 2 pt 11 ps 0.8
set linetype 6 lc rgb text lw 2 dt 2 pt 6 ps 0.7
set linetype 7 lc rgb grey lw 2 pt 5 ps 0.7
set linetype cycle 7
set border 3 lc rgb text
set tics nomirror out textcolor rgb text
set grid back lc rgb line lw 1 dt 1
set key noautotitle textcolor rgb text
# The middles of the names of points, one beside another, in the file of `named`: plots/labels.awk finds them on this plot, for the
# points that a command writes as lines name, x, y; x is logarithmic.
place(command, left, right, low, top) = system(sprintf("%s | awk -v wide=%g -v high=%g -v letter=6.2 -v line=14 -v left=%g -v right=%g -v low=%g -v high_value=%g -f plots/labels.awk > '%s.labels'", \
    command, 0.8 * wide, 0.78 * high, left, right, low, top, out))
named = out.".labels"
# A sequential palette, light to dark: lightness falls evenly, so it survives grey and colour-blindness.
set palette defined (0 "#f7f5ee", 0.25 "#c5d9c4", 0.5 "#73b0b0", 0.75 "#2f7094", 1 "#1b2f63")
svg = sprintf('set terminal svg size %d,%d font "DejaVu Sans,%d" background rgb "%s" noenhanced', wide, high, size, ground)
png = sprintf('set terminal pngcairo size %d,%d font "DejaVu Sans,%d" background rgb "%s" linewidth 2 pointscale 2 noenhanced', 2 * wide, 2 * high, 2 * size, ground)
