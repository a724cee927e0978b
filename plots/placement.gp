# Accuracy against receptive field: a disc a run, its area the cost; the image's side is drawn. Called with data, out.
wide = 480; high = 360; size = 11
load "plots/style.gp"
rows = system("tail -n +2 '".data."' | cut -f1 | awk '!seen[$0]++' | tr '\n' ' '")
mean(row) = sprintf("< awk -F'\t' -v OFS='\t' '$1 == \"%s\" {n++; a += $3; f += $4; m += $5; b = $6} END {print a / n, f / n, m / n, b}' '%s'", row, data)
means = sprintf("awk -F'\t' -v OFS='\t' 'NR > 1 {n[$1]++; a[$1] += $3; f[$1] += $4} END {for (row in n) print row, f[row] / n[row], a[row] / n[row]}' '%s' | sort", data)
stats data skip 1 using 4:3 name "all" nooutput
left = all_min_x / 2; right = all_max_x * 2.5; low = all_min_y - 2; top = all_max_y + 2
nothing = place(means, left, right, low, top)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set xlabel "receptive field of the last layer, pixels" tc rgb text
    set ylabel "accuracy on test, %" tc rgb text
    set logscale x 2
    set xrange [left:right]; set yrange [low:top]
    set arrow 1 from 32, graph 0 to 32, graph 1 nohead lc rgb grey dt 2
    set label 1 " the image" at 32, graph 0.97 tc rgb grey
    f = kind eq "svg" ? 10 : 20
    plot for [i = 1:words(rows)] mean(word(rows, i)) using 2:1:(1.2 * sqrt($3 / 1e8) + 0.4) with points pt 7 ps variable lc rgb "#8c0072b2", \
         named using 2:3:1 with labels font ",".f tc rgb text
    set output
}
