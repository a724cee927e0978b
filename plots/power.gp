# The power of the audit: how often it confirms a difference that is there, a panel a spread over seeds. Called with data, out.
wide = 480; high = 300; size = 11
load "plots/style.gp"
values(i) = system(sprintf("tail -n +2 '%s' | cut -f%d | sort -nu", data, i))
spreads = values(1); seeds = values(2)
curve(s, n) = sprintf("< awk -F'\t' -v OFS='\t' '$1 == \"%s\" && $2 == \"%s\" {print $3, $4}' '%s'", s, n, data)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set xrange [0:1.6]; set yrange [0:1]; set xtics 0.5; set ytics 0.2
    set arrow 1 from graph 0, first 0.8 to graph 1, first 0.8 nohead lc rgb soft lw 1 dt 2
    set multiplot layout 1,words(spreads) margins 0.1,0.98,0.2,0.9 spacing 0.04,0
    do for [p = 1:words(spreads)] {
        set title "sd ".word(spreads, p) tc rgb text offset 0,-0.6
        if (p == 1) { set ylabel "confirmed" tc rgb text; set format y "%.1f" } else { unset ylabel; set format y "" }
        if (p == 2) { set xlabel "true difference, points (dashed: 0.8)" tc rgb text } else { set xlabel " " }
        if (p == 1) { set key at graph 1, graph 0.1 right bottom reverse Left samplen 1 } else { unset key }
        plot for [n in seeds] curve(word(spreads, p), n) using 1:2 with linespoints title n." seeds"
    }
    unset multiplot
    set output
}
