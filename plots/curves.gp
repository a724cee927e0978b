# Training curves from the logs of runs. Called with
#   gnuplot -e "runs='DIR DIR ...'; names='NAME NAME ...'; out='FILE.png'; title='...'" plots/curves.gp
set terminal pngcairo size 1200,500 font "sans,11"
set output out
set datafile separator tab
set key outside right
set grid
set xlabel "epoch"
set multiplot layout 1,2 title title
set ylabel "loss on D_a"
plot for [i=1:words(runs)] word(runs, i)."/log.tsv" using 1:4 skip 1 with linespoints lw 2 pt 7 ps 0.5 notitle
set ylabel "test accuracy, %"
plot for [i=1:words(runs)] word(runs, i)."/log.tsv" using 1:10 skip 1 with linespoints lw 2 pt 7 ps 0.5 title word(names, i)
unset multiplot
