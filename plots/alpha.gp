# Alpha over the epochs: a panel a layer, a line a level, thin for seeds and thick for their mean; the grey band is what a logit
# could have reached at Adam's rate. Called with data, out.
wide = 480; high = 360; size = 10
load "plots/style.gp"
layers = int(system("awk -F'\t' 'NR > 1 && $1 > n {n = $1} END {print n}' '".data."'"))
levels = int(system("awk -F'\t' 'NR > 1 && $2 > n {n = $2} END {print n}' '".data."'"))
last = int(system("awk -F'\t' 'NR > 1 && $4 > n {n = $4} END {print n}' '".data."'"))
columns = layers > 10 ? 7 : 5
part(l, r, mean) = sprintf("< awk -F'\t' -v OFS='\t' '$1 == %d && $2 == %d && %s { if (seed != \"\" && $3 != seed) print \"\"; seed = $3; print }' '%s'", l, r, mean ? "$3 == 0" : "$3 > 0", data)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set xrange [0:last * 1.12]; set yrange [0:1]
    set ytics 0.5; set xtics (0, last)
    set multiplot layout ceil(layers / (columns * 1.0)),columns margins 0.07,0.99,0.12,0.92 spacing 0.03,0.15
    do for [l = 1:layers] {
        set title "layer ".l tc rgb text offset 0,-0.7
        set format y (l % columns == 1 ? "%.1f" : "")
        set xlabel (l > layers - columns ? "epoch" : "") offset 0,1 tc rgb text
        plot part(l, 0, 1) using 4:6:7 with filledcurves fs solid 1 lc rgb "#ececE6", \
             for [r = 0:levels] part(l, r, 0) using 4:5 with lines lt (r + 1) lw 0.6, \
             for [r = 0:levels] part(l, r, 1) using 4:5 with lines lt (r + 1) lw 2.2, \
             for [r = 0:levels] part(l, r, 1) using ($4 == last ? $4 : NaN):5:(sprintf(" %d", r)) with labels left tc lt (r + 1) font ",".(kind eq "svg" ? 9 : 18)
    }
    unset multiplot
    set output
}
