/* Convolution, backward weights by tile products (fast/conv2d/tiles.h), 3x3 filters at stride 1: the core of
 * fast/conv2d/backward_weights.c in bf16 on AMX.
 *
 * The sum runs over images and pixels. Two neighbouring pixels of 8 pairs of images are the 16 pairs of one
 * product: 16 channels of dy x those pairs, times those pairs x 16 channels of x, both packed so
 * (fast/conv2d/tiles_pairs.h). Rows outside are skipped.
 *
 * Bound by arithmetic, if operands come from the caches nearby: a product takes 16 cycles, a load 8 at best.
 * A tile of dy x the three taps of one filter row, whose operands are x at pixels 2p - 1, 2p and 2p + 1: the
 * last of these is the first of the next pair, and stays in its register. So 3 loads (3 KB, 2 KB of them new)
 * go with 3 products, half the time of these; three sums in flight take 52 cycles, the latency, instead of
 * 48. A tile of 16 channels of x meets all of dy before the next one: a row of it (17 KB at width 32) stays
 * in the first cache, dy comes from the second, 1 KB each 3 products. Two by two channels would load as much
 * but read twice the bytes for each tap anew.
 *
 * Of at most 4 channels a tile of x holds the three taps of a row, and the three products are those of three
 * rows of x: 4 loads go with 3 products, and there are 3 of them, not 9, for a pair of pixels and 16 channels
 * of dy (counted, not timed). Packing takes longer than these.
 *
 * A band is as many rows as make about BAND pixels. The sums of a group, 9 tiles for every 16 x 16 channels,
 * are loaded and stored once a band and filter row: 3 KB each way for 48 products. Packing takes about 80
 * cycles a pair of pixels and 16 channels of x, where the products of 64 channels of dy take 576.
 *
 * Images beyond the batch are masked to 0 in both operands. Each group of 16 images has its own partial
 * gradient; the partials are added in group order, by lines of 16 channels. Number by number that took 0.86
 * ms for 12 groups of 64 x 64 filters, so 0.10 (one thread of an AVX-512 CPU), where their products at 2x2
 * pixels are 37,000 cycles: on small maps these sums decide.
 *
 * Error: n = N H W products a filter, in tiles of at most 32, then G groups. Additions of 0 are exact, so a
 * product is rounded at most n - 1 times within its group: |got - ref| <= (n + G + 2) 2^-24 gauge. Denormals:
 * fast/kernels.h. */
#include "bands.h"

#ifdef TILE_PRODUCTS
#include "../ranks.h"
#include "partials.h"
#include "tiles_pairs.h"
#include <assert.h>
#include <omp.h>

/* The tile registers: sums of the three taps of a filter row; dy of two pairs of pixels in turn; x left of,
 * at and right of a pair of pixels, where left and right change places from pair to pair. By windows: sums of
 * the three filter rows, dy, x above, at and below. */
#define SUM_LEFT   0
#define SUM_MIDDLE 1
#define SUM_RIGHT  2
#define EVEN_DY    3
#define ODD_DY     4
#define X_EVEN     5
#define X_ODD      6
#define X_MIDDLE   7

/* Words of one tap's sums, or those of a row of taps in windows; of one group's partial gradient: [tap][k
 * tile][c tile][16 k][16 c]. */
static size_t tap_words(const Plan *p)
{
    return (size_t)p->k_tiles * p->c_tiles * TILE_WORDS;
}

static int tap_count(const Plan *p)
{
    return p->windows ? SIDE : SIDE * SIDE;
}

static size_t partial_words(const Plan *p)
{
    return tap_count(p) * tap_words(p);
}

size_t SET(conv2d_backward_weights_tiles_scratch)(Conv2dShape s, int threads)
{
    const Plan p = plan_of(all_rows(NULL), NULL, s);
    return (partial_words(&p) * lanes_groups(s.n) * group_parts(s) + bias_floats(s) +
            (dy_words(&p) + x_words(&p)) * threads) *
           sizeof(Word);
}

/* The products of pair number `pair` at its three taps; the operand of the first is in its register. */
#define ADD_PAIR(dy_register, left, right)                                    \
    do {                                                                      \
        tile_load(dy_register, dy + pair * TILE_WORDS, TILE_STRIDE);          \
        tile_load(X_MIDDLE, x + pair * TILE_WORDS + ITEM_WORDS, TILE_STRIDE); \
        tile_load(right, x + (pair + 1) * TILE_WORDS, TILE_STRIDE);           \
        tile_dot(SUM_LEFT, dy_register, left);                                \
        tile_dot(SUM_MIDDLE, dy_register, X_MIDDLE);                          \
        tile_dot(SUM_RIGHT, dy_register, right);                              \
    } while (0)

/* One row of dy with one of x. */
INLINE void accumulate_row(const Word *dy, const Word *x, size_t pairs)
{
    tile_load(X_EVEN, x, TILE_STRIDE);
    for (size_t pair = 0; pair < pairs; pair++) {
        ADD_PAIR(EVEN_DY, X_EVEN, X_ODD);
        if (++pair == pairs)
            break;
        ADD_PAIR(ODD_DY, X_ODD, X_EVEN);
    }
}

/* A row of dy with the windows of the row above it, of its own and of the one below, where there are such. */
INLINE void accumulate_windows(const Word *dy, const Word *above, const Word *at, const Word *below,
                               size_t pairs)
{
    for (size_t word = 0; word < pairs * TILE_WORDS; word += TILE_WORDS) {
        tile_load(EVEN_DY, dy + word, TILE_STRIDE);
        tile_load(X_MIDDLE, at + word, TILE_STRIDE);
        tile_dot(SUM_MIDDLE, EVEN_DY, X_MIDDLE);
        if (above) {
            tile_load(X_EVEN, above + word, TILE_STRIDE);
            tile_dot(SUM_LEFT, EVEN_DY, X_EVEN);
        }
        if (below) {
            tile_load(X_ODD, below + word, TILE_STRIDE);
            tile_dot(SUM_RIGHT, EVEN_DY, X_ODD);
        }
    }
}

/* Filter row i of one tile of sums, or all three by windows, over the `rows` rows of the band that starts at
 * y. */
static void accumulate_band(const Task *task, int k, int c, int i, int y, int rows)
{
    const Plan *p = task->plan;
    const size_t tap = tap_words(p);
    float *sums = task->partial + SIDE * i * tap + ((size_t)k * p->c_tiles + c) * TILE_WORDS;
    if (task->starts && y == task->rows.from) {
        tile_zero(SUM_LEFT);
        tile_zero(SUM_MIDDLE);
        tile_zero(SUM_RIGHT);
    } else {
        tile_load(SUM_LEFT, sums, TILE_STRIDE);
        tile_load(SUM_MIDDLE, sums + tap, TILE_STRIDE);
        tile_load(SUM_RIGHT, sums + 2 * tap, TILE_STRIDE);
    }
    for (int row = 0; row < rows; row++) {
        const Word *dy = dy_tile(task, k, row, 0), *above = x_inside(task, y + row - 1, c),
                   *at = x_inside(task, y + row, c), *below = x_inside(task, y + row + 1, c),
                   *meets = i == 0   ? above
                            : i == 1 ? at
                                     : below;
        if (p->windows)
            accumulate_windows(dy, above, at, below, p->pairs);
        else if (meets)
            accumulate_row(dy, meets, p->pairs);
    }
    tile_store(sums, TILE_STRIDE, SUM_LEFT);
    tile_store(sums + tap, TILE_STRIDE, SUM_MIDDLE);
    tile_store(sums + 2 * tap, TILE_STRIDE, SUM_RIGHT);
}

/* All tiles of a task over one band: a row of x and 16 of its channels for all of dy. */
static void accumulate_tiles(const Task *task, int y, int rows)
{
    const int k_tiles = task->plan->k_tiles;
    for (int c = task->from / k_tiles; c * k_tiles < task->to; c++)
        for (int i = 0; SIDE * i < tap_count(task->plan); i++)
            for (int k = 0; k < k_tiles; k++)
                if (c * k_tiles + k >= task->from && c * k_tiles + k < task->to)
                    accumulate_band(task, k, c, i, y, rows);
}

/* The partial gradient of a task's tiles, a few rows at a time. */
static void add_rows(const Task *task)
{
    const Plan *p = task->plan;
    const int tiles = task->to - task->from, end = task->rows.to;
    int packed = task->rows.from > 0 ? task->rows.from - 1 : 0; /* rows of x */
    for (int y = task->rows.from; tiles > 0 && y < end; y += p->rows) {
        const int rows = end - y < p->rows ? end - y : p->rows;
        for (; packed < p->in.h && packed <= y + rows; packed++)
            for (int c = task->from / p->k_tiles; c * p->k_tiles < task->to; c++)
                pack_x(task, packed, c);
        for (int row = 0; row < rows; row++)
            for (int k = 0; k < p->k_tiles && k < tiles; k++)
                pack_dy(task, y + row, row, (task->from + k) % p->k_tiles);
        accumulate_tiles(task, y, rows);
    }
}

/* The sums over `count` partials of row k % 16 of a tile, of every tap. */
static void add_taps(float sums[SIDE * SIDE][TILE_COLUMNS], const float *at, int count, const Plan *p)
{
    for (int i = 0; i < tap_count(p); i++, at += tap_words(p))
        for (int part = 0; part < TILE_COLUMNS; part += VL) {
            Vec sum = {0};
            for (int partial = 0; partial < count; partial++)
                sum += load(at + partial * partial_words(p) + part);
            store(sums[i] + part, sum);
        }
}

/* Adds the partials of all ranks, `count` of this one, to dw (K,C,3,3) in the order of groups and rows. */
static void add_partials(float *dw, const float *own, int count, const Plan *p)
{
    const int channels = p->in.c, all = count * ranks_count();
    const float *partials = ranks_gathered(own, count * partial_words(p) * sizeof *own, RANKS_FIRST);
#pragma omp parallel for schedule(static)
    for (int k = 0; k < p->out.c; k++)
        for (int tile = 0; tile < p->c_tiles; tile++) {
            float sums[SIDE * SIDE][TILE_COLUMNS] __attribute__((aligned(64)));
            const size_t at = (size_t)k / TILE_ROWS * p->c_tiles + tile;
            const int first = tile * TILE_COLUMNS, wide = UNIT * units_of(channels);
            add_taps(sums, partials + at * TILE_WORDS + k % TILE_ROWS * TILE_COLUMNS, all, p);
            float *to = dw + ((size_t)k * channels + first) * SIDE * SIDE;
            for (int c = 0; c < TILE_COLUMNS && first + c < channels; c++)
                for (int tap = 0; tap < SIDE * SIDE; tap++)
                    *to++ += p->windows ? sums[tap / SIDE][tap % SIDE * wide + c] : sums[tap][c];
        }
}

void SET(conv2d_backward_weights_tiles)(float *dw, float *db, const Word *dy, const Word *x, Conv2dShape s,
                                        void *scratch)
{
    assert(s.side == SIDE && s.stride == 1);
    const Plan p = plan_of(all_rows(dy), x, s);
    const int count = lanes_groups(s.n) * group_parts(s), tiles = p.c_tiles * p.k_tiles;
    float *partials = scratch;
    float *bias = partials + partial_words(&p) * count;
    Word *operands = bias + bias_floats(s);

    /* Where threads do not divide the partials evenly, each is split by tiles of its gradient: the order of
     * every sum stays the same. */
    const int threads = omp_get_max_threads(), parts = parts_of(count, threads);
#pragma omp parallel num_threads(threads)
    {
        const TileShape full = {TILE_ROWS, TILE_COLUMNS};
        Word *own = operands + omp_get_thread_num() * (dy_words(&p) + x_words(&p));
        tiles_configure((TileShape[TILES_COUNT]){full, full, full, full, full, full, full, full});
#pragma omp for collapse(2) schedule(static)
        for (int i = 0; i < count; i++)
            for (int part = 0; part < parts; part++) {
                const Band rows = part_rows(s, i);
                add_rows(&(Task){.plan = &p,
                                 .partial = partials + i * partial_words(&p),
                                 .dy = own,
                                 .x = own + dy_words(&p),
                                 .used = lanes_mask(lanes_used(s.n, rows.group)),
                                 .rows = rows,
                                 .starts = true,
                                 .from = tiles * part / parts,
                                 .to = tiles * (part + 1) / parts});
                if (db && part == 0 && rows.from == 0)
                    SET(bias_partial)(bias, dy, p.out, rows.group);
            }
        tiles_release();
    }
    add_partials(dw, partials, count, &p);
    if (db)
        SET(add_ranks_bias)(db, bias, s.n, s.k);
}

static size_t weights_partial_floats(Conv2dShape s)
{
    const Plan p = plan_of(all_rows(NULL), NULL, s);
    return partial_words(&p);
}

static size_t weights_room_floats(Conv2dShape s)
{
    const Plan p = plan_of(all_rows(NULL), NULL, s);
    return dy_words(&p) + x_words(&p);
}

static void weights_band(float *partial, Rows dy, const Word *x, Band band, bool starts, bool ends,
                         Conv2dShape s, float *kept, float *room)
{
    (void)kept;
    (void)ends;
    const Plan p = plan_of(dy, x, s);
    const TileShape full = {TILE_ROWS, TILE_COLUMNS};
    tiles_configure((TileShape[TILES_COUNT]){full, full, full, full, full, full, full, full});
    add_rows(&(Task){.plan = &p,
                     .partial = partial,
                     .dy = (Word *)room,
                     .x = (Word *)room + dy_words(&p),
                     .used = lanes_mask(lanes_used(s.n, band.group)),
                     .rows = band,
                     .starts = starts,
                     .to = p.c_tiles * p.k_tiles});
    tiles_release();
}

static void weights_add(float *dw, const float *partials, int count, Conv2dShape s)
{
    const Plan p = plan_of(all_rows(NULL), NULL, s);
    add_partials(dw, partials, count, &p);
}

const WeightsKernel SET(direct_weights) = {every_part,          weights_partial_floats, no_floats,
                                           weights_room_floats, weights_band,           weights_add};

#endif
