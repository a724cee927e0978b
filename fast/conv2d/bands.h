/* Backward data and backward weights of a 3x3 convolution at stride 1, band by band of rows: for a layer that
 * makes the rows of dy as it goes, so that they are used while a cache has them (fast/engine/bands.c).
 * The passes over whole maps are loops over the same bands. */
#ifndef NOPOOL_FAST_BANDS_H
#define NOPOOL_FAST_BANDS_H

#include "../operations.h"

/* Rows of a map from row `first` on, counted over all groups: the map itself, or some rows of it elsewhere.
 */
typedef struct {
    const Word *words;
    int first;
} Rows;

INLINE Rows all_rows(const Word *map)
{
    return (Rows){map, 0};
}

INLINE const Word *row_of(Rows rows, Shape s, int group, int y)
{
    return rows.words + (size_t)(group * s.h + y - rows.first) * row_words(s);
}

/* Rows from..to-1 of a group. `from` is a multiple of BAND_ROWS, and so is `to`, unless the map ends there.
 */
typedef struct {
    int group, from, to;
} Band;

enum { BAND_ROWS = 4 };

/* Each group of a map of several bands is divided in two, so that threads divide a few groups evenly: the
 * rows of a part are a partial of every sum over the batch, and one thread's work. Which rows, the shape
 * alone says. With 48 images on 2 threads maps of 16x16 and 8x8 in one part each take 1 to 6% of a step with
 * five resolutions; with 192 images they gain nothing. On AMX, where the others are unmeasured, only large
 * maps are divided. */
INLINE int group_parts(Conv2dShape s)
{
#ifdef TILE_PRODUCTS
    const int least = 7 * BAND_ROWS;
#else
    const int least = 2 * BAND_ROWS;
#endif
    return s.side == 3 && s.stride == 1 && s.h >= least && s.w >= least ? 2 : 1;
}

/* Part i of all parts of all groups. */
INLINE Band part_rows(Conv2dShape s, int i)
{
    const Shape out = conv2d_output(s);
    const int parts = group_parts(s), part = i % parts, bands = (out.h + BAND_ROWS - 1) / BAND_ROWS;
    return (Band){i / parts, bands * part / parts * BAND_ROWS,
                  part + 1 < parts ? bands * (part + 1) / parts * BAND_ROWS : out.h};
}

/* What all bands of backward data share: dx to write, or to add to, and what pooling hands back for it. */
typedef struct {
    Conv2dShape s;
    Word *dx;
    bool add;
    Unpooling unpooling;
    const float *packed;
    const MapSums *sums; /* whose partials to make, or NULL */
} DataBands;

/* Words that are needed after a band, to be fetched on the way, where a kernel's bytes leave time for it. */
typedef struct {
    const Word *from[2];
    size_t words;
} Later;

/* Backward data: floats of packed filters and of a thread's room; packing them; dx in the rows of a band from
 * dy in these rows and in one more on either side; the partials of a group that the sums of dx have. */
typedef struct {
    size_t (*packed_floats)(Conv2dShape s);
    size_t (*room_floats)(Conv2dShape s);
    void (*pack)(float *packed, const float *w, Conv2dShape s);
    void (*band)(const DataBands *data, Rows dy, Band band, Later later, float *room);
    int (*sum_parts)(Conv2dShape s);
} DataKernel;

/* Backward weights: floats of a partial gradient, of what a thread keeps from band to band of a part, and of
 * its room; the sums of a band, which starts a part, ends it, or goes on; adding the partials of all ranks,
 * `count` of this one's, to dw. divides: whether each part of a group has its own partial. */
typedef struct {
    bool (*divides)(Conv2dShape s);
    size_t (*partial_floats)(Conv2dShape s);
    size_t (*kept_floats)(Conv2dShape s);
    size_t (*room_floats)(Conv2dShape s);
    void (*band)(float *partial, Rows dy, const Word *x, Band band, bool starts, bool ends, Conv2dShape s,
                 float *kept, float *room);
    void (*add)(float *dw, const float *partials, int count, Conv2dShape s);
} WeightsKernel;

/* What direct sums are like, of single products and of tiles: nothing is kept from band to band, a partial a
 * part, and sums of dx a row. */
INLINE size_t no_floats(Conv2dShape s)
{
    (void)s;
    return 0;
}

INLINE bool every_part(Conv2dShape s)
{
    (void)s;
    return true;
}

INLINE int rows_of_sums(Conv2dShape s)
{
    return s.h;
}

INLINE size_t direct_packed_floats(Conv2dShape s)
{
    return (SET(conv2d_packed)(s) / sizeof(float) + LANES - 1) / LANES * LANES;
}

extern const DataKernel SET(winograd_data), SET(direct_data);
extern const WeightsKernel SET(winograd_weights), SET(direct_weights);

#endif
