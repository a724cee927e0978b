/* Tile products of bfloat16: eight tile registers of at most 16 rows x 64 bytes, each configured to a shape.
 *
 *     tile_dot(sum, a, b):  sum[m][n] += sum over k of a[m][k] . b[k][n]
 *
 * where sum holds floats, and a and b hold pairs of bfloat16, whose product is a[0] b[0] + a[1] b[1]. Within
 * one call the first products of the pairs are added up, and the second ones, each addition a fused
 * multiply-add; then the two sums, then those to what was there: M x N numbers of 2 K products each, with at
 * most K + 1 roundings on the path of a product. Denormals are taken as 0 and become 0.
 *
 * A tile's number is a part of the instruction, so it must be a literal or a macro. Each thread configures
 * its own tiles and releases them at the end, or the system saves 8 KB more of it at every switch.
 *
 * AMX_EMULATED: the same in plain C, so that what is built on tiles is tested on every CPU: as documented for
 * TDPBF16PS, except that a product below 2^-126 is lost before the addition instead of after it. What the
 * instructions would refuse is asserted. */
#ifndef NOPOOL_FAST_AMX_H
#define NOPOOL_FAST_AMX_H

#include "../simd/isa.h"
#include <string.h>

/* Words of a row of a tile, rows, words of a whole tile. */
enum { TILE_COLUMNS = 16, TILE_ROWS = 16, TILE_WORDS = TILE_ROWS * TILE_COLUMNS, TILES_COUNT = 8 };

/* Bytes from row to row where tiles are packed. */
enum { TILE_STRIDE = 4 * TILE_COLUMNS };

/* The shape of one tile register: rows, and words of each. */
typedef struct {
    int rows, columns;
} TileShape;

#ifndef AMX_EMULATED
#include <immintrin.h>

/* The compiler does not know what these instructions read: everything that was written up to here must be in
 * memory. */
#define TILE_READS(from) __asm__ volatile("" : : "r"(from) : "memory")

INLINE void tiles_configure(const TileShape shapes[TILES_COUNT])
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int tile = 0; tile < TILES_COUNT; tile++) {
        config.rows[tile] = (uint8_t)shapes[tile].rows;
        config.bytes[tile] = (uint16_t)(4 * shapes[tile].columns);
    }
    TILE_READS(&config);
    _tile_loadconfig(&config);
}

INLINE void tiles_release(void)
{
    _tile_release();
}

#define tile_zero(tile) _tile_zero(tile)

/* Rows are `stride` bytes apart. */
#define tile_load(tile, from, stride)      \
    do {                                   \
        TILE_READS(from);                  \
        _tile_loadd(tile, (from), stride); \
    } while (0)

#define tile_store(to, stride, tile) _tile_stored(tile, (to), stride)

#define tile_dot(sum, a, b)          _tile_dpbf16ps(sum, a, b)

#else
#include <assert.h>

typedef struct {
    TileShape shape;
    Word row[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
} Tile;

static _Thread_local Tile emulated[TILES_COUNT];

INLINE void tiles_configure(const TileShape shapes[TILES_COUNT])
{
    memset(emulated, 0, sizeof emulated);
    for (int tile = 0; tile < TILES_COUNT; tile++) {
        assert(shapes[tile].rows <= TILE_ROWS && shapes[tile].columns <= TILE_COLUMNS);
        emulated[tile].shape = shapes[tile];
    }
}

INLINE void tiles_release(void)
{
    memset(emulated, 0, sizeof emulated);
}

INLINE void tile_zero(int tile)
{
    assert(emulated[tile].shape.rows > 0);
    memset(emulated[tile].row, 0, sizeof emulated[tile].row);
}

INLINE void tile_load(int tile, const void *from, size_t stride)
{
    tile_zero(tile);
    for (int i = 0; i < emulated[tile].shape.rows; i++)
        memcpy(emulated[tile].row[i], (const char *)from + i * stride,
               4 * (size_t)emulated[tile].shape.columns);
}

INLINE void tile_store(void *to, size_t stride, int tile)
{
    assert(emulated[tile].shape.rows > 0);
    for (int i = 0; i < emulated[tile].shape.rows; i++)
        memcpy((char *)to + i * stride, emulated[tile].row[i], 4 * (size_t)emulated[tile].shape.columns);
}

/* A denormal becomes 0 of its sign. */
INLINE Vec flushed(Vec v)
{
    const VecBits bits = (VecBits)v;
    return choose((VecMask)((bits & 0x7f800000u) == 0), (Vec)(bits & 0x80000000u), v);
}

INLINE Unit flushed_unit(const Word *p)
{
    const Unit u = load_unit(p);
    return (Unit){{flushed(u.channel[0]), flushed(u.channel[1])}};
}

static inline void tile_dot(int sum, int a, int b)
{
    const TileShape shape = emulated[sum].shape, left = emulated[a].shape, right = emulated[b].shape;
    assert(sum != a && sum != b && a != b && shape.rows > 0 && left.rows == shape.rows &&
           left.columns == right.rows && right.columns == shape.columns);
    for (int part = 0; part < TILE_COLUMNS; part += VL) {
        Unit factors[TILE_ROWS];
        for (int k = 0; k < right.rows; k++)
            factors[k] = flushed_unit(emulated[b].row[k] + part);
        for (int m = 0; m < shape.rows; m++) {
            Vec first = {0}, second = {0}, *to = (Vec *)(emulated[sum].row[m] + part);
            for (int k = 0; k < left.columns; k++) {
                uint32_t pair;
                memcpy(&pair, &emulated[a].row[m][k], sizeof pair);
                first = flushed(first + flushed((Vec)((pair << 16) + (VecBits){0})) * factors[k].channel[0]);
                second = flushed(second +
                                 flushed((Vec)((pair & 0xffff0000u) + (VecBits){0})) * factors[k].channel[1]);
            }
            *to = flushed(flushed(*to) + flushed(first + second));
        }
    }
}
#endif

#endif
