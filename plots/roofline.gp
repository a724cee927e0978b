# The roofline of every step: how much of the arithmetic peak it reaches against what its arithmetic takes of the time of its bytes; a
# panel a kernel set, the roof is what memory and peak allow. Called with data, out.
wide = 480; high = 780; size = 10
load "plots/style.gp"
steps = "weight_step alpha_step evaluation"
names = "weight alpha evaluation"
# Its networks have numbers, in the order of the file; the tenth column is theirs.
numbered = "NR > 1 && !($3 in number) { number[$3] = ++n }"
part(kernels, step) = sprintf("< awk -F'\t' -v OFS='\t' '%s $2 == \"%s\" && $1 == \"%s\" { print $0, number[$3] }' '%s'", numbered, kernels, step, data)
networks = system(sprintf("awk -F'\t' '%s END { for (net in number) print number[net] \"  \" net }' '%s' | sort -n", numbered, data))
lowest(column) = real(system(sprintf("awk -F'\t' 'NR > 1 && (m == \"\" || $%d < m) {m = $%d} END {print m / 1.6}' '%s'", column, column, data)))
highest(column) = real(system(sprintf("awk -F'\t' 'NR > 1 && $%d > m {m = $%d} END {print m * 1.6}' '%s'", column, column, data)))
from = lowest(5) < 0.5 ? lowest(5) : 0.5
to = highest(5) > 4 ? highest(5) : 4
bottom = lowest(6) < 0.5 ? lowest(6) : 0.5
roof(x) = x < 1 ? x : 1
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    f = ",".(kind eq "svg" ? 8 : 16)
    set output out.".".kind
    set multiplot layout 2,1 margins 0.13,0.97,0.3,0.96 spacing 0.13
    set logscale xy
    set xrange [from:to]; set yrange [bottom:1.5]
    set xtics ("1/8" 0.125, "1/4" 0.25, "1/2" 0.5, "1" 1, "2" 2, "4" 4, "8" 8, "16" 16, "32" 32)
    set ytics ("1/32" 0.03125, "1/16" 0.0625, "1/8" 0.125, "1/4" 0.25, "1/2" 0.5, "1" 1)
    set xlabel "arithmetic time / bytes time, each at its peak" tc rgb text
    set key bottom right reverse Left samplen 1 spacing 1.2 font f
    set label 1 networks at screen 0.13, 0.22 left font f tc rgb text
    do for [kernels in "f32 bf16"] {
        set title kernels tc rgb text offset 0,-0.5
        set ylabel "part of the peak that is reached" tc rgb text
        plot roof(x) with lines lc rgb text lw 1.5, \
             for [i = 1:words(steps)] part(kernels, word(steps, i)) using 5:6 with points lt i title word(names, i), \
             for [i = 1:words(steps)] part(kernels, word(steps, i)) using 5:6:10 with labels left offset char 0.7,-0.1 font f tc lt i
    }
    unset multiplot
    unset key; unset title; unset label 1
    set output
}
