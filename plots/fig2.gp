# Figure 2: one image through one trained multi-resolution layer. Called with data, out, pixels.
wide = 480; high = 500; size = 10
load "plots/style.gp"
alpha(r) = system(sprintf("awk -F'\t' '$1 == \"alpha\" && $2 == %d {printf \"%%.2f\", $5}' '%s'", r, data))
levels = int(system("awk -F'\t' 'NR > 1 && $2 > n {n = $2} END {print n + 1}' '".data."'"))
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    f = ",".(kind eq "svg" ? 9 : 18)
    set output out.".".kind
    unset border; unset tics; unset grid
    set margins screen 0.06, screen 0.99, screen 0.02, screen 0.93
    set size ratio -1
    names = "\"pooled input\" \"response of B\" \"normalised, up\" \"times alpha\" \"sum M(h)\""
    w = 4.0 * (4 * 36 + 32); h = 4.0 * (levels * 36 - 4)
    do for [c = 0:4] { set label c + 1 word(names, c + 1) at 4.0 * (c * 36 + 16), h + 18 center font f tc rgb text }
    do for [r = 0:levels - 1] {
        set label 10 + r sprintf("level %d", r) at -14, h - 4.0 * (r * 36 + 16) center rotate by 90 font f tc rgb text front
        set label 20 + r "alpha ".alpha(r) at 4.0 * (3 * 36 + 16), h - 4.0 * (r * 36 + 34) center font ",".(kind eq "svg" ? 8 : 16) tc rgb soft front
    }
    set xrange [0:w]; set yrange [0:h]
    plot pixels binary filetype=png with rgbimage
    set output
}
