/* The backward pass of one level of a layer, from dsum on (numbers 3 to 1 of fast/engine/layer_backward.c),
 * band by band: the rows of dconv that a band of dx and of the filters' sums needs are made in a buffer of
 * the thread's own, used, and forgotten. dsum, z and x are read and dx is written; dconv is no map.
 *
 * A thread's work is a part of a group of 16 images (fast/conv2d/bands.h), a partial of every sum: which rows
 * these are, and which bands, the shape alone says, so the same images give the same bits for any number of
 * threads and ranks. Of each part one row on either side is made twice. Between bands of a part the last two
 * rows stay in the buffer.
 *
 * Where the parts do not divide evenly among the threads, and where a partial of the filters' sums takes
 * several groups (small maps, Winograd's algorithm), dconv takes the place of dsum, and each of the passes
 * its own way of dividing the work, over the same rows in the same order: the bits are the same. Ranks whose
 * threads are not equally many may differ in this, so what they gather is the same, the bias first. */
#include "../conv2d/bands.h"
#include "../conv2d/partials.h"
#include "../ranks.h"
#include "layer.h"
#include <assert.h>
#include <omp.h>
#include <string.h>

/* The rows of dconv that a thread holds: what the second and third cache keep while it uses them. Fewer are
 * slower: each kernel drives the other's filters and sums out of the second cache, and they are fetched again
 * for every band. Winograd's, whose operands fill that cache anyway, take 3 to 6% of a step of bf16 more at
 * 4 rows of 32 columns and 64 channels than at 16. */
enum { MOST_BYTES = 1280 << 10, MOST_ROWS = 16 };

static size_t whole_lines(size_t floats)
{
    return (floats + LANES - 1) / LANES * LANES;
}

static const DataKernel *data_kernel(Conv2dShape s)
{
    return SET(winograd_pays)(s) ? &SET(winograd_data) : &SET(direct_data);
}

static const WeightsKernel *weights_kernel(Conv2dShape s)
{
    return SET(winograd_weights_pays)(s) ? &SET(winograd_weights) : &SET(direct_weights);
}

/* Scratch, in floats: packed filters, which stay in their place from level to level; a thread's buffers; and
 * the partials of all. A thread's are its rows of dconv, sums of the bias, what backward weights keeps and
 * the room that either kernel uses in turn. */
typedef struct {
    size_t packed, rows, bias, kept, room, partial;
    int parts, band; /* of the batch; rows of a band */
} Plan;

/* Rows of a band, which two more stand beside. */
static int band_rows(Conv2dShape s)
{
    const size_t row = row_words(conv2d_output(s)) * sizeof(Word);
    int rows = BAND_ROWS;
    while (rows < MOST_ROWS && (rows + BAND_ROWS + 2) * row <= MOST_BYTES)
        rows += BAND_ROWS;
    return rows;
}

static Plan plan_of(Conv2dShape s)
{
    const DataKernel *data = data_kernel(s);
    const WeightsKernel *weights = weights_kernel(s);
    const size_t one = data->room_floats(s), other = weights->room_floats(s);
    const int band = band_rows(s), most = band + 2 < s.h ? band + 2 : s.h;
    return (Plan){.packed = whole_lines(data->packed_floats(s)),
                  .rows = most * row_words(conv2d_output(s)),
                  .bias = (size_t)units_of(s.k) * UNIT * LANES,
                  .kept = whole_lines(weights->kept_floats(s)),
                  .room = whole_lines(one > other ? one : other),
                  .partial = whole_lines(weights->partial_floats(s)),
                  .parts = lanes_groups(s.n) * group_parts(s),
                  .band = band};
}

static size_t thread_floats(const Plan *p)
{
    return p->rows + p->bias + p->kept + p->room;
}

static size_t bias_floats_of(const Plan *p, Conv2dShape s)
{
    return whole_lines((size_t)p->parts * s.k);
}

/* Behind the packed filters there is room for either way, and for the passes over whole maps. */
size_t SET(bands_scratch)(Conv2dShape s, int threads)
{
    const Plan p = plan_of(s);
    const size_t rolled = bias_floats_of(&p, s) + p.partial * p.parts + thread_floats(&p) * threads,
                 in_place = bias_floats_of(&p, s) + p.bias * threads;
    size_t bytes = (rolled > in_place ? rolled : in_place) * sizeof(float);
    const size_t direct = SET(conv2d_scratch)(s, threads), winograd = SET(winograd_scratch)(s, threads);
    bytes = direct > bytes ? direct : bytes;
    bytes = winograd > bytes ? winograd : bytes;
    return p.packed * sizeof(float) + bytes;
}

bool SET(bands_roll)(Conv2dShape s, bool dx, bool dw)
{
    const int parts = lanes_groups(s.n) * group_parts(s), threads = omp_get_max_threads();
    const int turns = (parts + threads - 1) / threads;
    return (dx || dw) && (!dw || weights_kernel(s)->divides(s)) && 8 * parts >= 7 * turns * threads;
}

/* What one thread works on: a part of the batch. */
typedef struct {
    const BandsPass *pass;
    const Plan *plan;
    DataBands data;
    Band part;
    float *partial, *bias; /* of this part */
    float *rows, *sums, *kept, *room;
} Task;

/* The rows that a band needs: those that are in the buffer already move to its beginning, the others are
 * made. A part's own rows count for the bias. */
static Rows make_rows(const Task *t, Rows before, int *made, Band band)
{
    const Shape s = conv2d_output(t->pass->block);
    const int first = band.from > 0 ? band.from - 1 : 0, end = band.to < s.h ? band.to + 1 : s.h;
    const Rows now = {t->rows, band.group * s.h + first};
    if (*made > first)
        memmove(t->rows, row_of(before, s, band.group, first), (*made - first) * row_words(s) * sizeof(Word));
    for (int y = *made > first ? *made : first; y < end; y++) {
        const bool own = y >= t->part.from && y < t->part.to;
        SET(multires_gradient_row)
        ((Word *)row_of(now, s, band.group, y), &t->pass->maps, 0, units_of(s.c),
         own && t->pass->db ? t->sums : NULL, s, band.group, y);
    }
    *made = end;
    return now;
}

/* The rows of dsum and z that the next band needs, which may be those of another group: backward data, bound
 * by arithmetic, has time to fetch them. Without, 2 threads wait for memory together: 3% of a step of f32
 * with 5 levels of 64 channels. In bf16 it gained nothing: half the bytes, but as many instructions. */
static Later later_than(const Task *t, int made)
{
    if (UNIT > 1)
        return (Later){{NULL, NULL}, 0};
    const Shape s = conv2d_output(t->pass->block);
    const long first = (long)t->part.group * s.h + made, all = (long)lanes_groups(s.n) * s.h,
               rows = first + t->plan->band < all ? t->plan->band : all - first;
    const size_t at = first * row_words(s);
    return (Later){{t->pass->maps.dsum + at, t->pass->maps.z + at}, 2 * rows * row_words(s)};
}

/* The sums over the images in use, from [channel][image], of channels from..to-1. */
static void add_images(float *bias, const float *sums, int from, int to, int used)
{
    for (int k = from; k < to; k++) {
        bias[k] = 0;
        for (int lane = 0; lane < used; lane++)
            bias[k] += sums[(size_t)k * LANES + lane];
    }
}

static void part_backward(const Task *t)
{
    const BandsPass *pass = t->pass;
    const Conv2dShape s = pass->block;
    const Band part = t->part;
    Rows rows = {0};
    int made = 0;
    memset(t->sums, 0, t->plan->bias * sizeof *t->sums);
    for (int from = part.from; from < part.to; from += t->plan->band) {
        const int end = from + t->plan->band;
        const Band band = {part.group, from, end < part.to ? end : part.to};
        rows = make_rows(t, rows, &made, band);
        if (pass->dx)
            data_kernel(s)->band(&t->data, rows, band, later_than(t, made), t->room);
        if (pass->dw)
            weights_kernel(s)->band(t->partial, rows, pass->x, band, from == part.from, band.to == part.to, s,
                                    t->kept, t->room);
    }
    if (pass->db)
        add_images(t->bias, t->sums, 0, s.k, lanes_used(s.n, part.group));
}

static void add_bias(const BandsPass *pass, const float *partials, int parts)
{
    const size_t bytes = (size_t)parts * pass->block.k * sizeof *partials;
    SET(add_bias)
    (pass->db, ranks_gathered(partials, bytes, RANKS_FIRST), parts * ranks_count(), pass->block.k);
}

static bool rolled(const BandsPass *pass)
{
    const Conv2dShape s = pass->block;
    const Plan p = plan_of(s);
    float *packed = pass->scratch, *bias = packed + p.packed, *partials = bias + bias_floats_of(&p, s),
          *buffers = partials + p.partial * p.parts;
    /* What Winograd's tiles cover at a coarser level they cover at this one. */
    assert(!pass->packed || SET(winograd_pays)(s));
    if (pass->dx && !pass->packed)
        data_kernel(s)->pack(packed, pass->w, s);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < p.parts; i++) {
        float *own = buffers + omp_get_thread_num() * thread_floats(&p);
        part_backward(&(Task){.pass = pass,
                              .plan = &p,
                              .data = {s, pass->dx, false, pass->unpooling, packed, pass->sums},
                              .part = part_rows(s, i),
                              .partial = partials + i * p.partial,
                              .bias = bias + (size_t)i * s.k,
                              .rows = own,
                              .sums = own + p.rows,
                              .kept = own + p.rows + p.bias,
                              .room = own + p.rows + p.bias + p.kept});
    }
    if (pass->db)
        add_bias(pass, bias, p.parts);
    if (pass->dw)
        weights_kernel(s)->add(pass->dw, partials, p.parts, s);
    if (pass->sums)
        SET(map_sums_finish)
    (pass->sums->sum, pass->sums->product, pass->sums->partials, data_kernel(s)->sum_parts(s),
     conv2d_input(s));
    return pass->dx && SET(winograd_pays)(s);
}

/* dconv in the place of dsum, and the bias: parts of the batch, and where threads do not divide these evenly,
 * parts of the channels. */
static void make_map(const BandsPass *pass, const Plan *p, float *scratch)
{
    const Shape s = conv2d_output(pass->block);
    const int threads = omp_get_max_threads(), shares = parts_of(p->parts, threads), units = units_of(s.c);
    float *bias = scratch, *sums = bias + bias_floats_of(p, pass->block);
    Word *dconv = (Word *)pass->maps.dsum;
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < p->parts; i++)
        for (int share = 0; share < shares; share++) {
            const Band part = part_rows(pass->block, i);
            const int from = part_from(units, 1, share, shares), to = part_from(units, 1, share + 1, shares);
            float *own = sums + omp_get_thread_num() * p->bias;
            memset(own, 0, p->bias * sizeof *own);
            for (int y = part.from; y < part.to; y++)
                SET(multires_gradient_row)
            (dconv + row_at(s, part.group, y), &pass->maps, from, to, pass->db ? own : NULL, s, part.group,
             y);
            if (pass->db)
                add_images(bias + (size_t)i * s.c, own, from * UNIT, to * UNIT < s.c ? to * UNIT : s.c,
                           lanes_used(s.n, part.group));
        }
    if (pass->db)
        add_bias(pass, bias, p->parts);
}

/* Returns whether scratch holds the filters. */
static bool data_of_map(const BandsPass *pass, const Word *dconv)
{
    const Conv2dShape s = pass->block;
    if (SET(winograd_pays)(s)) {
        SET(winograd_layer_backward_data)
        (pass->dx, pass->unpooling, dconv, pass->w, pass->packed, pass->sums, s, pass->scratch);
        return true;
    }
    if (pass->unpooling.dy)
        SET(unpool)(pass->dx, &pass->unpooling, conv2d_input(s));
    SET(conv2d_backward_data_from)
    (pass->dx, pass->unpooling.dy != NULL, dconv, pass->w, pass->sums, s, pass->scratch);
    return false;
}

static bool by_maps(const BandsPass *pass)
{
    const Conv2dShape s = pass->block;
    const Plan p = plan_of(s);
    const Word *dconv = pass->maps.dsum;
    float *rest = (float *)pass->scratch + p.packed;
    make_map(pass, &p, rest);
    if (pass->dw)
        (SET(winograd_weights_pays)(s) ? SET(winograd_backward_weights) : SET(conv2d_backward_weights))(
            pass->dw, NULL, dconv, pass->x, s, rest);
    return pass->dx && data_of_map(pass, dconv);
}

bool SET(bands_backward)(const BandsPass *pass)
{
    return SET(bands_roll)(pass->block, pass->dx, pass->dw) ? rolled(pass) : by_maps(pass);
}
