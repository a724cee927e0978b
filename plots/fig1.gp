# Figure 1: effective filter sizes, measured against the theoretical field, layer by layer; below, the maps of one net's gradient.
# Called with data, out, pixels.
wide = 480; high = 470; size = 10
load "plots/style.gp"
rows = system("tail -n +2 '".data."' | cut -f1 | awk '!seen[$0]++' | head -n 3 | tr '\n' ' '")
layers = int(system("awk -F'\t' 'NR > 1 && $3 > n {n = $3} END {print n}' '".data."'"))
part(row, when) = sprintf("< awk -F'\t' -v OFS='\t' '$1 == \"%s\" && $2 == \"%s\"' '%s'", row, when, data)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    f = ",".(kind eq "svg" ? 9 : 18)
    set output out.".".kind
    set multiplot
    do for [i = 1:words(rows)] {
        set lmargin at screen 0.115 + (i - 1) * 0.31
        set rmargin at screen 0.115 + (i - 1) * 0.31 + 0.255
        set tmargin at screen 0.94
        set bmargin at screen 0.5
        set xrange [0.5:layers * 1.4]; set yrange [0:44]; set xtics 1, int((layers + 2) / 3) - (layers % 3 == 1), layers nomirror; set ytics 0, 10, 40 nomirror
        set title word(rows, i) tc rgb text offset 0,-0.6
        set xlabel "layer" offset 0,0.5 tc rgb text
        if (i == 1) { set ylabel "side of the square, pixels" offset 0.5,0 tc rgb text } else { unset ylabel }
        set arrow 1 from 0.5,32 to layers * 1.4,32 nohead lc rgb grey dt 2
        if (i == 1) { set label 1 "the image" at 0.7,33.4 left font f tc rgb grey }
        plot part(word(rows, i), "after") using 3:($4 > 44 ? NaN : $4) with linespoints lc rgb "#1d1d1f" lw 1 pt 6 ps 0.7, \
             part(word(rows, i), "after") using ($3 == layers ? $3 * 1.4 : NaN):(43):(sprintf("field %d", $4)) with labels right font f tc rgb "#1d1d1f", \
             for [s = 0:2] part(word(rows, i), "before") using 3:(column(5 + 3 * s)) with lines lt (s + 1) lw 1 dt 3, \
             for [s = 0:2] part(word(rows, i), "after") using 3:(column(5 + 3 * s)):(column(6 + 3 * s)):(column(7 + 3 * s)) with yerrorlines lt (s + 1) lw 1.6 ps 0.4, \
             for [s = 0:2] part(word(rows, i), "after") using ($3 == layers ? $3 + 0.1 : NaN):(column(5 + 3 * s) - (s == 1) * 1.6):(word("50 95 99", s + 1)." %") with labels left font f tc lt (s + 1) offset 0.5,0
        unset arrow 1; unset label 1
    }
    unset title; unset xlabel; unset ylabel; unset tics; unset border; unset grid
    set lmargin at screen 0.115; set rmargin at screen 0.98; set tmargin at screen 0.33; set bmargin at screen 0.02
    set xrange [*:*]; set yrange [*:*]
    set label 2 "gradient of the central unit, before and after training, of the first,\nmiddle and last layer; above linear, below over four decades" at screen 0.115,0.385 left font ",".(kind eq "svg" ? 9 : 18) tc rgb soft
    set size ratio -1
    plot pixels binary filetype=png with rgbimage
    unset label 2
    unset multiplot
    set output
    set size noratio; set border 3; set tics nomirror out; set grid back lc rgb line
}
