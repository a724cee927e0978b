# The cost frontier: accuracy against multiply-accumulates an image; ours filled, published nets hollow. Called with data, out.
wide = 720; high = 460; size = 11
load "plots/style.gp"
net(ours) = sprintf("< awk -F'\t' -v OFS='\t' '$4 == \"%d\"' '%s'", ours, data)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set logscale x
    set xlabel "multiply-accumulates an image, millions" tc rgb text
    set ylabel "accuracy on test, %" tc rgb text
    set offsets graph 0.1, graph 0.1, graph 0.08, graph 0.08
    f = kind eq "svg" ? 10 : 20
    plot net(1) using ($2 / 1e6):3 with points pt 7 ps 1 lc rgb blue, \
         net(1) using ($2 / 1e6):3:1 with labels offset char 0,0.9 font ",".f tc rgb text, \
         net(0) using ($2 / 1e6):3 with points pt 6 ps 1 lc rgb orange, \
         net(0) using ($2 / 1e6):3:(strcol(1)." (literature, its own protocol)") with labels left offset char 1,0 font ",".f tc rgb orange
    set output
}
