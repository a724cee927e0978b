/* Stage-by-stage checks of MBConv; see layer_check_mbconv.h. Bounds: those of fast/conv2d.c, fast/depthwise.c
 * and fast/squeeze_excite.c. */
#include "layer_check_mbconv.h"
#include "../ref/conv2d.h"
#include "../ref/depthwise.h"
#include "lanes.h"
#include "layer_check.h"
#include <math.h>

static const double unit = 0x1p-24;

/* What storing a number adds to its error, of itself: 0 in f32. */
static double store(void)
{
    return (stored(1, 1) - roundings(1)) * unit;
}

void layer_check_bounded(const double *got, const double *ref, const double *error, size_t count,
                         const char *what)
{
    double *gauge = doubles(count);
    for (size_t i = 0; i < count; i++)
        gauge[i] = error[i] / unit;
    CK_WITHIN(compare_rounded(got, ref, gauge, count), 1 + 0x1p-7, what);
}

typedef struct {
    const LayerCase *c;
    int r;
    Shape in, wide, out;
    MbconvPlaces at;
    const double *w; /* as given */
    double *rounded; /* as convolutions use it */
    double *mean, *variance;
} Level;

static Level level_of(const LayerCase *c, int r)
{
    Level l = {.c = c, .r = r, .in = layer_case_in(c, r), .out = layer_case_out(c, r), .w = c->filters};
    const size_t weights = layer_weights_count(&c->spec);
    l.wide = layer_stage_shape(&c->spec, STAGE_EXPANDED, r, c->n);
    l.at = layer_mbconv(&c->spec);
    l.rounded = doubles(weights);
    for (size_t i = 0; i < weights; i++)
        l.rounded[i] = representable(c->filters[i]);
    l.mean = layer_case_stage(c, STAGE_MEAN, r);
    l.variance = layer_case_stage(c, STAGE_VARIANCE, r);
    return l;
}

static Conv2dShape conv_of(Shape s, int k)
{
    return (Conv2dShape){s.n, s.c, k, s.h, s.w, 1, 1};
}

static int channel_of(size_t i, Shape s)
{
    return (int)(i / ((size_t)s.h * s.w) % s.c);
}

/* What norm 0 or 1 and swish make of x, and the slope, with their errors; xhat and |xhat|'s bound. */
typedef struct {
    double *g, *error_g, *slope, *size_slope, *error_slope, *xhat, *size_xhat;
} Activated;

static Activated activated(const Level *l, const double *x, int norm)
{
    const size_t count = shape_count(l->wide);
    const LayerSpec *s = &l->c->spec;
    const double *gamma = s->affine ? l->w + layer_gamma_at(s, l->r) + layer_norm_gamma(s, norm) : NULL;
    Activated a = {doubles(count), doubles(count), doubles(count), doubles(count),
                   doubles(count), doubles(count), doubles(count)};
    for (size_t i = 0; i < count; i++) {
        const int c = channel_of(i, l->wide), at = norm * l->wide.c + c;
        const double scale = 1 / sqrt(l->variance[at] + s->eps), g = gamma ? gamma[c] : 1,
                     beta = gamma ? gamma[l->wide.c + c] : 0;
        const double u = g * scale * (x[i] - l->mean[at]) + beta;
        const double size = fabs(g) * scale * (fabs(x[i]) + fabs(l->mean[at])) + fabs(beta);
        const double sigmoid = 1 / (1 + exp(-u)), slope = fabs(u) * sigmoid * (1 - sigmoid);
        a.g[i] = u * sigmoid;
        a.error_g[i] = unit * (9 * fabs(a.g[i]) + 4 * size);
        a.slope[i] = sigmoid + u * sigmoid * (1 - sigmoid);
        a.size_slope[i] = sigmoid + slope;
        a.error_slope[i] = unit * (20 * a.size_slope[i] + 2 * size);
        a.xhat[i] = scale * (x[i] - l->mean[at]);
        a.size_xhat[i] = scale * (fabs(x[i]) + fabs(l->mean[at]));
    }
    return a;
}

/* The activation as it is stored. */
static double *stored_error(const double *error, const double *value, size_t count)
{
    double *sum = doubles(count);
    for (size_t i = 0; i < count; i++)
        sum[i] = error[i] + store() * fabs(value[i]);
    return sum;
}

/* A convolution of 1x1 filters by the set, whose input is exact. */
static void check_conv(const Level *l, const double *got, const double *x, const double *w, Conv2dShape s,
                       const char *what)
{
    const size_t count = shape_count(conv2d_output(s));
    double *y = doubles(count), *error = doubles(count);
    ref_conv2d_forward(y, x, w, NULL, s);
    ref_conv2d_forward(error, absolute(x, shape_count(conv2d_input(s))), absolute(w, conv2d_filters(s)), NULL,
                       s);
    for (size_t i = 0; i < count; i++)
        error[i] = unit * (s.c + 2) * error[i] + store() * fabs(y[i]);
    layer_check_bounded(got, y, error, count, what);
    (void)l;
}

static void check_filtered(const Level *l, const double *got, const double *expanded)
{
    const size_t count = shape_count(l->wide), filters = 9 * (size_t)l->wide.c;
    const double *w = l->w + l->at.depthwise, *size_w = absolute(w, filters);
    const Activated a = activated(l, expanded, 0);
    double *y = doubles(count), *error = doubles(count), *size = doubles(count);
    ref_depthwise_forward(y, a.g, w, NULL, l->wide);
    ref_depthwise_forward(error, stored_error(a.error_g, a.g, count), size_w, NULL, l->wide);
    ref_depthwise_forward(size, absolute(a.g, count), size_w, NULL, l->wide);
    for (size_t i = 0; i < count; i++)
        error[i] += 11 * unit * size[i] + store() * fabs(y[i]);
    layer_check_bounded(got, y, error, count, "filtered");
}

/* From the averages of g to the gates: (N,E), (N,Q), (N,E), each with its error. */
typedef struct {
    double *average, *error_average, *squeezed, *error_squeezed, *hidden, *error_hidden, *gate, *error_gate;
} Gates;

static Gates gates_of(const Level *l, const Activated *a)
{
    const int n = l->wide.n, e = l->wide.c, q = layer_squeezed(&l->c->spec), pixels = l->wide.h * l->wide.w;
    const size_t channels = (size_t)n * e, units = (size_t)n * q;
    Gates g = {zeros(channels), zeros(channels), zeros(units),    zeros(units),
               zeros(units),    zeros(units),    zeros(channels), zeros(channels)};
    const double *w1 = l->w + l->at.w1, *b1 = l->w + l->at.b1, *w2 = l->w + l->at.w2, *b2 = l->w + l->at.b2;
    for (size_t i = 0; i < shape_count(l->wide); i++) {
        g.average[i / pixels] += a->g[i] / pixels;
        g.error_average[i / pixels] +=
            (a->error_g[i] + (l->wide.h + l->wide.w + 2) * unit * fabs(a->g[i])) / pixels;
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < q; k++) {
            double sum = b1[k], size = fabs(b1[k]), error = 0;
            for (int c = 0; c < e; c++) {
                sum += w1[k * e + c] * g.average[i * e + c];
                size += fabs(w1[k * e + c] * g.average[i * e + c]);
                error += fabs(w1[k * e + c]) * g.error_average[i * e + c];
            }
            g.squeezed[i * q + k] = sum;
            g.error_squeezed[i * q + k] = error + (e + 2) * unit * size;
            g.hidden[i * q + k] = sum / (1 + exp(-sum));
            g.error_hidden[i * q + k] =
                1.1 * g.error_squeezed[i * q + k] + 9 * unit * fabs(g.hidden[i * q + k]);
        }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < e; c++) {
            double sum = b2[c], size = fabs(b2[c]), error = 0;
            for (int k = 0; k < q; k++) {
                sum += w2[c * q + k] * g.hidden[i * q + k];
                size += fabs(w2[c * q + k] * g.hidden[i * q + k]);
                error += fabs(w2[c * q + k]) * g.error_hidden[i * q + k];
            }
            g.gate[i * e + c] = 1 / (1 + exp(-sum));
            g.error_gate[i * e + c] = (error + (q + 2) * unit * size) / 4 + 8 * unit * g.gate[i * e + c];
        }
    return g;
}

void layer_check_mbconv_forward(const LayerCase *c, int r)
{
    const Level l = level_of(c, r);
    const size_t count = shape_count(l.wide), channels = (size_t)l.wide.n * l.wide.c;
    const int pixels = l.wide.h * l.wide.w;
    const double *expanded = layer_case_stage(c, STAGE_EXPANDED, r),
                 *filtered = layer_case_stage(c, STAGE_FILTERED, r);
    const double *gate = layer_case_stage(c, STAGE_GATE, r), *excited = layer_case_stage(c, STAGE_EXCITED, r);
    check_conv(&l, expanded, layer_case_stage(c, STAGE_POOLED, r), l.rounded, conv_of(l.in, l.wide.c),
               "expanded");
    check_filtered(&l, filtered, expanded);
    const Activated a = activated(&l, filtered, 1);
    const Gates gates = gates_of(&l, &a);
    layer_check_bounded(gate, gates.gate, gates.error_gate, channels, "gate");
    double *z = doubles(count), *error = doubles(count);
    for (size_t i = 0; i < count; i++) {
        z[i] = gate[i / pixels] * a.g[i];
        error[i] = gate[i / pixels] * a.error_g[i] + (unit + store()) * fabs(z[i]);
    }
    layer_check_bounded(excited, z, error, count, "excited");
    check_conv(&l, layer_case_stage(c, STAGE_ACTIVATION, r), excited, l.rounded + l.at.project,
               conv_of(l.wide, l.out.c), "projected");
}

/* A gradient, its error, and a bound on its absolute terms. */
typedef struct {
    double *value, *error, *size;
} Gradient;

static Gradient gradient_of(size_t count)
{
    return (Gradient){zeros(count), zeros(count), zeros(count)};
}

/* Through norm 0 or 1 from du, whose values were stored: dx, and the gradients of gamma and beta. */
static Gradient norm_backward(const Level *l, double *dfilters, double *error, const Gradient *du,
                              const Activated *a, int norm)
{
    const size_t count = shape_count(l->wide);
    const LayerSpec *s = &l->c->spec;
    const int channels = l->wide.c;
    const double m = (double)l->wide.n * l->wide.h * l->wide.w;
    const double roundings_of_sums = unit * (6 + m * 0x1p-27 + run_roundings());
    double *sum = zeros(channels), *sum_x = zeros(channels), *error_sum = zeros(channels),
           *error_x = zeros(channels), *size = zeros(channels), *size_x = zeros(channels);
    Gradient dx = gradient_of(count);
    for (size_t i = 0; i < count; i++) {
        const int c = channel_of(i, l->wide);
        sum[c] += du->value[i];
        sum_x[c] += du->value[i] * a->xhat[i];
        error_sum[c] += du->error[i];
        error_x[c] += du->error[i] * a->size_xhat[i];
        size[c] += du->size[i];
        size_x[c] += du->size[i] * a->size_xhat[i];
    }
    const size_t at = layer_gamma_at(s, l->r) + layer_norm_gamma(s, norm);
    for (size_t i = 0; i < count; i++) {
        const int c = channel_of(i, l->wide);
        const double g = (s->affine ? l->w[at + c] : 1) / sqrt(l->variance[norm * channels + c] + s->eps);
        dx.value[i] = g * (du->value[i] - sum[c] / m - a->xhat[i] * sum_x[c] / m);
        dx.error[i] =
            fabs(g) * (du->error[i] + error_sum[c] / m + a->size_xhat[i] * error_x[c] / m +
                       roundings_of_sums * (du->size[i] + size[c] / m + a->size_xhat[i] * size_x[c] / m)) +
            store() * fabs(dx.value[i]);
    }
    for (int c = 0; s->affine && c < channels; c++) {
        dfilters[at + c] += sum_x[c];
        dfilters[at + channels + c] += sum[c];
        error[at + c] += error_x[c] + roundings_of_sums * size_x[c];
        error[at + channels + c] += error_sum[c] + roundings_of_sums * size[c];
    }
    return dx;
}

/* From dexcited to the gradients of squeeze-and-excitation's parameters and to daverage (N,E). */
static Gradient gates_backward(const Level *l, double *dfilters, double *error, const Gradient *dz,
                               const Activated *a, const Gates *g, const double *gate)
{
    const int n = l->wide.n, e = l->wide.c, q = layer_squeezed(&l->c->spec), pixels = l->wide.h * l->wide.w;
    const double *w1 = l->w + l->at.w1, *w2 = l->w + l->at.w2;
    const double batch = unit * (n + 2);
    Gradient dlogit = gradient_of((size_t)n * e), dsqueezed = gradient_of((size_t)n * q),
             daverage = gradient_of((size_t)n * e);
    for (size_t i = 0; i < shape_count(l->wide); i++) {
        const double share = gate[i / pixels] * (1 - gate[i / pixels]), terms = dz->size[i] * fabs(a->g[i]);
        dlogit.value[i / pixels] += share * dz->value[i] * a->g[i];
        dlogit.size[i / pixels] += share * terms;
        dlogit.error[i / pixels] += share * (fabs(a->g[i]) * dz->error[i] + dz->size[i] * a->error_g[i] +
                                             unit * (l->wide.h + l->wide.w + 7) * terms);
    }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < q; k++) {
            const int at = i * q + k;
            const double x = g->squeezed[at], s = 1 / (1 + exp(-x)), size_slope = s + fabs(x) * s * (1 - s);
            for (int c = 0; c < e; c++) {
                dsqueezed.value[at] += w2[c * q + k] * dlogit.value[i * e + c];
                dsqueezed.size[at] += fabs(w2[c * q + k]) * dlogit.size[i * e + c];
                dsqueezed.error[at] +=
                    fabs(w2[c * q + k]) * (dlogit.error[i * e + c] + unit * (e + 2) * dlogit.size[i * e + c]);
                dfilters[l->at.w2 + c * q + k] += dlogit.value[i * e + c] * g->hidden[at];
                error[l->at.w2 + c * q + k] +=
                    fabs(g->hidden[at]) * (dlogit.error[i * e + c] + batch * dlogit.size[i * e + c]) +
                    dlogit.size[i * e + c] * g->error_hidden[at];
            }
            dsqueezed.error[at] = dsqueezed.error[at] * size_slope +
                                  dsqueezed.size[at] * (21 * unit * size_slope + g->error_squeezed[at] / 2);
            dsqueezed.value[at] *= s + x * s * (1 - s);
            dsqueezed.size[at] *= size_slope;
            dfilters[l->at.b1 + k] += dsqueezed.value[at];
            error[l->at.b1 + k] += dsqueezed.error[at] + batch * dsqueezed.size[at];
        }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < e; c++) {
            const int at = i * e + c;
            dfilters[l->at.b2 + c] += dlogit.value[at];
            error[l->at.b2 + c] += dlogit.error[at] + batch * dlogit.size[at];
            for (int k = 0; k < q; k++) {
                const int from = i * q + k;
                daverage.value[at] += w1[k * e + c] * dsqueezed.value[from];
                daverage.size[at] += fabs(w1[k * e + c]) * dsqueezed.size[from];
                daverage.error[at] +=
                    fabs(w1[k * e + c]) * (dsqueezed.error[from] + unit * (q + 2) * dsqueezed.size[from]);
                dfilters[l->at.w1 + k * e + c] += dsqueezed.value[from] * g->average[at];
                error[l->at.w1 + k * e + c] +=
                    fabs(g->average[at]) * (dsqueezed.error[from] + batch * dsqueezed.size[from]) +
                    dsqueezed.size[from] * g->error_average[at];
            }
        }
    return daverage;
}

static void add_conv_weights(double *dw, double *error, const double *dy, const double *x, Conv2dShape s)
{
    const size_t filters = conv2d_filters(s);
    double *gauge = zeros(filters);
    ref_conv2d_backward_weights(dw, NULL, dy, x, s);
    ref_conv2d_backward_weights(gauge, NULL, absolute(dy, shape_count(conv2d_output(s))),
                                absolute(x, shape_count(conv2d_input(s))), s);
    for (size_t i = 0; i < filters; i++)
        error[i] += unit * ((double)s.n * s.h * s.w + lanes_groups(s.n) + 2) * gauge[i];
}

/* dprojected to dfiltered. */
static void check_dfiltered(double *dfilters, double *error, const Level *l, const Activated *a)
{
    const size_t count = shape_count(l->wide);
    const int pixels = l->wide.h * l->wide.w;
    const Conv2dShape s = conv_of(l->wide, l->out.c);
    const double *dprojected = layer_case_stage(l->c, STAGE_DCONV, l->r),
                 *gate = layer_case_stage(l->c, STAGE_GATE, l->r);
    const double *w = l->rounded + l->at.project;
    Gradient dz = gradient_of(count), du = gradient_of(count);
    add_conv_weights(dfilters + l->at.project, error + l->at.project, dprojected,
                     layer_case_stage(l->c, STAGE_EXCITED, l->r), s);
    ref_conv2d_backward_data(dz.value, dprojected, w, s);
    ref_conv2d_backward_data(dz.size, absolute(dprojected, shape_count(l->out)),
                             absolute(w, conv2d_filters(s)), s);
    for (size_t i = 0; i < count; i++)
        dz.error[i] = unit * (s.k + 2) * dz.size[i] + store() * fabs(dz.value[i]);
    const Gates gates = gates_of(l, a);
    const Gradient daverage = gates_backward(l, dfilters, error, &dz, a, &gates, gate);
    for (size_t i = 0; i < count; i++) {
        const size_t nc = i / pixels;
        const double value = gate[nc] * dz.value[i] + daverage.value[nc] / pixels;
        const double size = gate[nc] * dz.size[i] + daverage.size[nc] / pixels;
        du.value[i] = value * a->slope[i];
        du.size[i] = size * a->size_slope[i];
        du.error[i] =
            (gate[nc] * dz.error[i] + daverage.error[nc] / pixels + 5 * unit * size) * a->size_slope[i] +
            size * a->error_slope[i] + store() * fabs(du.value[i]);
    }
    const Gradient dfiltered = norm_backward(l, dfilters, error, &du, a, 1);
    layer_check_bounded(layer_case_stage(l->c, STAGE_DFILTERED, l->r), dfiltered.value, dfiltered.error,
                        count, "dfiltered");
}

void layer_check_mbconv_backward(double *dfilters, double *error, const LayerCase *c, int r)
{
    const Level l = level_of(c, r);
    const size_t count = shape_count(l.wide), filters = 9 * (size_t)l.wide.c;
    const double *expanded = layer_case_stage(c, STAGE_EXPANDED, r),
                 *filtered = layer_case_stage(c, STAGE_FILTERED, r);
    const double *w = l.w + l.at.depthwise;
    const Activated second = activated(&l, filtered, 1), first = activated(&l, expanded, 0);
    check_dfiltered(dfilters, error, &l, &second);

    const double *dfiltered = layer_case_stage(c, STAGE_DFILTERED, r), *size = absolute(dfiltered, count);
    double *dw_error = zeros(filters), *dw_gauge = zeros(filters);
    ref_depthwise_backward_weights(dfilters + l.at.depthwise, NULL, dfiltered, first.g, l.wide);
    ref_depthwise_backward_weights(dw_error, NULL, size, stored_error(first.error_g, first.g, count), l.wide);
    ref_depthwise_backward_weights(dw_gauge, NULL, size, absolute(first.g, count), l.wide);
    for (size_t i = 0; i < filters; i++)
        error[l.at.depthwise + i] += dw_error[i] + unit * depthwise_weights_roundings(l.wide) * dw_gauge[i];

    Gradient dh = gradient_of(count), du = gradient_of(count);
    ref_depthwise_backward_data(dh.value, dfiltered, w, l.wide);
    ref_depthwise_backward_data(dh.size, size, absolute(w, filters), l.wide);
    for (size_t i = 0; i < count; i++) {
        dh.error[i] = 11 * unit * dh.size[i] + store() * fabs(dh.value[i]);
        du.value[i] = dh.value[i] * first.slope[i];
        du.size[i] = dh.size[i] * first.size_slope[i];
        du.error[i] = dh.error[i] * first.size_slope[i] + dh.size[i] * first.error_slope[i] +
                      unit * du.size[i] + store() * fabs(du.value[i]);
    }
    const Gradient dexpanded = norm_backward(&l, dfilters, error, &du, &first, 0);
    const double *got = layer_case_stage(c, STAGE_DEXPANDED, r);
    layer_check_bounded(got, dexpanded.value, dexpanded.error, count, "dexpanded");
    add_conv_weights(dfilters, error, got, layer_case_stage(c, STAGE_POOLED, r), conv_of(l.in, l.wide.c));
}

int layer_check_mbconv_input(double *dpooled, double *gauge, const LayerCase *c, int r)
{
    const Level l = level_of(c, r);
    const Conv2dShape s = conv_of(l.in, l.wide.c);
    const double *dexpanded = layer_case_stage(c, STAGE_DEXPANDED, r);
    ref_conv2d_backward_data(dpooled, dexpanded, l.rounded, s);
    ref_conv2d_backward_data(gauge, absolute(dexpanded, shape_count(l.wide)),
                             absolute(l.rounded, conv2d_filters(s)), s);
    return s.k + 2;
}
