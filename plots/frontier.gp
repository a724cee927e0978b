# The cost frontier: accuracy against multiply-accumulates an image; ours filled, published nets hollow. Called with data, out.
wide = 480; high = 360; size = 11
load "plots/style.gp"
net(ours) = sprintf("< awk -F'\t' -v OFS='\t' '$4 == \"%d\"' '%s'", ours, data)
points = sprintf("awk -F'\t' -v OFS='\t' 'NR > 1 {print $1, $2 / 1e6, $3}' '%s'", data)
stats data skip 1 using ($2 / 1e6):3 name "all" nooutput
left = all_min_x / 2; right = all_max_x * 2; low = all_min_y - 4; top = all_max_y + 4
nothing = place(points, left, right, low, top)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set logscale x; set tmargin 3.5
    set xrange [left:right]; set yrange [low:top]
    set xlabel "multiply-accumulates an image, millions" tc rgb text
    set ylabel "accuracy on test, %" tc rgb text
    f = kind eq "svg" ? 10 : 20
    set key at screen 0.98, screen 0.98 right top reverse Left samplen 1 font ",".f
    plot net(1) using ($2 / 1e6):3 with points pt 7 ps 1 lc rgb blue title "trained here", \
         net(0) using ($2 / 1e6):3 with points pt 6 ps 1 lc rgb orange title "literature, its own protocol", \
         named using 2:3:1 with labels font ",".f tc rgb text
    set output
}
