# Figure 3: the mixing weights alpha, rows of levels (finest on top) and of their entropy, columns of layers. Called with data, out.
wide = 480; high = 520; size = 11
load "plots/style.gp"
panels = int(system("tail -n +2 '".data."' | cut -f1 | sort -n | tail -n 1")) + 1
layers = int(system("awk -F'\t' 'NR > 1 && $3 > n {n = $3} END {print n}' '".data."'"))
levels = int(system("awk -F'\t' 'NR > 1 && $4 + 0 > n {n = $4 + 0} END {print n}' '".data."'"))
name(p) = system(sprintf("awk -F'\t' '$1 == %d {print $2 (($7 > 1) ? \", mean of \" $7 \" seeds\" : \"\"); exit}' '%s'", p, data))
title_of(s) = s[1:10] eq "predefined" ? "(a) predefined" : s[1:12] eq "ours-thr-0.1" ? "(c) learned, thresholded at 0.1".s[13:*] : s[1:12] eq "ours-one-res" ? "(d) learned, one resolution".s[13:*] : s[1:11] eq "ours-random" ? "random, frozen".s[12:*] : "(b) learned".s[5:*]
digits(v) = v >= 0.995 ? "1" : v < 0.005 ? "" : sprintf(".%02d", int(100 * v + 0.5))
spread(s) = s > 0 ? sprintf("±%02d", int(100 * s + 0.5)) : ""
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    unset grid; unset colorbox; set cbrange [0:1]
    set xrange [0.5:layers + 0.5]; set yrange [levels + 1.5:-0.5]
    set xtics 1; set ytics 0,1,levels; set ytics add ("H" levels + 1); set tics scale 0
    set label 1 "orange: a layer's expected level; H: its entropy, bits; hatched: removed" at screen 0.01,0.018 left font ",".(kind eq "svg" ? 9 : 18) tc rgb soft
    set multiplot layout (panels > 4 ? 3 : 2),2 margins 0.12,0.99,0.115,0.94 spacing 0.06,0.13
    do for [p = 0:panels - 1] {
        set title title_of(name(p)) tc rgb text offset 0,-0.6
        if (p >= panels - 2) { set xlabel "layer" offset 0,0.6 tc rgb text } else { unset xlabel }
        if (p % 2 == 0) { set ylabel "level r, pooled by 2^r" offset 0,0 tc rgb text } else { unset ylabel }
        cells = sprintf("< awk -F'\t' -v OFS='\t' '$1 == %d && $4 ~ /^[0-9]+$/' '%s'", p, data)
        expected = sprintf("< awk -F'\t' -v OFS='\t' '$1 == %d && $4 == \"expected\"' '%s'", p, data)
        entropy = sprintf("< awk -F'\t' -v OFS='\t' '$1 == %d && $4 == \"entropy\"' '%s'", p, data)
        plot cells using 3:4:($3-0.5):($3+0.5):($4-0.5):($4+0.5):5 with boxxyerror fs solid noborder lc palette, \
             cells using ($8 == 0 ? $3 : NaN):4:($3-0.5):($3+0.5):($4-0.5):($4+0.5) with boxxyerror fs pattern 4 noborder lc rgb "#b9b9b2" lw 0.5, \
             expected using 3:5 with linespoints lc rgb orange lw 1.5 pt 7 ps 0.45, \
             cells using ($8 == 1 ? $3 : NaN):4:(digits($5)):($5 > 0.55 ? 0xffffff : 0x1d1d1f) with labels font ",".(kind eq "svg" ? 8 : 16) tc rgb variable, \
             cells using ($8 == 1 && $7 > 1 ? $3 : NaN):($4 + 0.3):(spread(column(6))):($5 > 0.55 ? 0xffffff : 0x595960) with labels font ",".(kind eq "svg" ? 6 : 12) tc rgb variable, \
             entropy using 3:(levels + 1):($5 < 0.05 ? "0" : sprintf("%.1f", $5)) with labels font ",".(kind eq "svg" ? 8 : 16) tc rgb soft
    }
    unset multiplot
    set output
}
