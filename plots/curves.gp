# Training curves: loss on D_a and accuracy on test over the epochs, a colour a row, thin lines for seeds. Called with data, out.
wide = 480; high = 560; size = 11
load "plots/style.gp"
rows = system("tail -n +2 '".data."' | cut -f1 | awk '!seen[$0]++' | tr '\n' ' '")
count = words(rows)
lines(row) = sprintf("< awk -F'\t' -v OFS='\t' '$1 == \"%s\" { if (seed != \"\" && $2 != seed) print \"\"; seed = $2; print }' '%s'", row, data)
do for [kind in "svg png"] {
    eval (kind eq "svg" ? svg : png)
    set output out.".".kind
    set multiplot layout 2,1 margins 0.17,0.74,0.1,0.97 spacing 0.11
    set xlabel "epoch" tc rgb text
    set ylabel "loss on D_a" tc rgb text
    plot for [i = 1:count] lines(word(rows, i)) using 3:4 with linespoints lt i ps 0.5
    set ylabel "accuracy on test, %" tc rgb text
    set key at screen 0.99,0.95 right top reverse Left samplen 1.5 spacing 1.3 font ",".(kind eq "svg" ? 9 : 18)
    plot for [i = 1:count] lines(word(rows, i)) using 3:5 with linespoints lt i ps 0.5 title word(rows, i)
    unset multiplot
    unset key
    set output
}
