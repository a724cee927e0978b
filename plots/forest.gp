# The forest plot: every directional claim, our 95 % interval, the margin around no difference, the paper's value as a tick, and the
# verdict's word. Called with data, out.
count = int(system("tail -n +2 '".data."' | wc -l"))
wide = 480; high = 90 + 32 * count; size = 10
load "plots/style.gp"
lowest = system("awk -F'\t' 'NR > 1 { for (i = 3; i <= 6; i++) if (i != 5 && $i != \"-\" && (m == \"\" || $i + 0 < m)) m = $i + 0 } END { print m }' '".data."'") + 0
highest = system("awk -F'\t' 'NR > 1 { for (i = 3; i <= 6; i++) if (i != 4 && $i != \"-\" && (m == \"\" || $i + 0 > m)) m = $i + 0 } END { print m }' '".data."'") + 0
# Estimates with an interval of several seeds, of one seed, and without; the first line of each is no point.
points(which) = sprintf("< awk -F'\t' -v OFS='\t' 'NR == 1 {print -1e9, 0, -1e9, -1e9} NR > 1 && %s {print $3, NR - 2, $4, $5}' '%s'", which, data)
several = points("$4 != \"-\" && $10 > 1")
single = points("$4 != \"-\" && $10 <= 1")
alone = points("$4 == \"-\"")
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    f = ",".(kind eq "svg" ? 8 : 16)
    set output out.".".kind
    set lmargin at screen 0.03; set rmargin at screen 0.97
    set bmargin at screen 70.0 / high; set tmargin at screen 1 - 10.0 / high
    set border 1; unset ytics; set yrange [count - 0.3:-0.8]
    left = floor(lowest) - 0.5
    set xrange [left:ceil(highest) + 0.5]
    set xlabel "accuracy, points; 95 % interval; tick: the paper's value;\ngrey: the margin; a ring: one seed, spread of other rows" tc rgb text
    set arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb soft lw 1
    unset grid; set grid x back lc rgb line
    plot data skip 1 using (0):0:(-$7):7:($0 - 0.2):($0 + 0.3) with boxxyerror fs solid noborder lc rgb "#e4e4de", \
         several using 1:($2 + 0.05):3:4 with xerrorbars lc rgb blue lw 1.6 pt 7 ps 0.8, \
         single using 1:($2 + 0.05):3:4 with xerrorbars lc rgb blue lw 1.6 pt 6 ps 0.9, \
         alone using 1:($2 + 0.05) with points lc rgb blue pt 6 ps 0.9 lw 1.6, \
         data skip 1 using 6:($0 - 0.15):(0):(0.4) with vectors nohead lc rgb orange lw 2.5, \
         data skip 1 using (left):($0 - 0.42):(sprintf("%s: %s%s", strcol(1), strcol(8), strcol(9) eq "" ? "" : " (".strcol(9).")")) with labels left font f tc rgb text
    set output
}
