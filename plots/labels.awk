# labels.awk: where the names of points stand so that they cover neither each other nor a point. Of lines
#     name <tab> x <tab> y
# with x from left to right on a logarithmic axis and y from low to high, on a plot of wide x high pixels, letters of so many pixels
# (letter, line), it makes
#     name <tab> x <tab> y
# with x and y of the middle of the name: above, below, right or left of the point, further above or below where the nearer places
# are taken: the first that is free, or the one with the least overlap.
BEGIN { FS = OFS = "\t"; count = split("above below right left above2 below2 above3 below3", sides, " ") }
function pixel_x(x) { return (log(x) - log(left)) / (log(right) - log(left)) * wide }
function pixel_y(y) { return (y - low) / (high_value - low) * high }
function overlap(a, b, c, d, i) { # of two intervals
    return (b < d ? b : d) - (a > c ? a : c)
}
function covered(x0, y0, x1, y1, self, total, i, w, h) {
    for (i = 1; i <= NR; i++) if (i != self) {
        w = overlap(x0, x1, px[i] - 5, px[i] + 5); h = overlap(y0, y1, py[i] - 5, py[i] + 5)
        if (w > 0 && h > 0) total += w * h
    }
    for (i = 1; i <= placed; i++) {
        w = overlap(x0, x1, bx0[i], bx1[i]); h = overlap(y0, y1, by0[i], by1[i])
        if (w > 0 && h > 0) total += w * h
    }
    if (x0 < 0) total -= x0 * line
    if (x1 > wide) total += (x1 - wide) * line
    return total + 0
}
{ name[NR] = $1; x[NR] = $2; y[NR] = $3 }
END {
    for (i = 1; i <= NR; i++) { px[i] = pixel_x(x[i]); py[i] = pixel_y(y[i]) }
    for (i = 1; i <= NR; i++) {
        width = length(name[i]) * letter; least = -1
        for (s = 1; s <= count; s++) {
            side = sides[s]; step = side ~ /3/ ? 3 : side ~ /2/ ? 2 : 1
            centre = side ~ /above/ ? py[i] + step * line : side ~ /below/ ? py[i] - step * line : py[i]
            start = side == "right" ? px[i] + line * 0.6 : side == "left" ? px[i] - line * 0.6 - width : px[i] - width / 2
            cost = covered(start, centre - line / 2, start + width, centre + line / 2, i)
            if (least < 0 || cost < least) { least = cost; b0 = start; c0 = centre }
        }
        placed++; bx0[placed] = b0; bx1[placed] = b0 + width; by0[placed] = c0 - line / 2; by1[placed] = c0 + line / 2
        print name[i], exp(log(left) + (b0 + width / 2) / wide * (log(right) - log(left))), low + c0 / high * (high_value - low)
    }
}
