/* The data set scales: see scales.h. */
#include "scales.h"
#include "../../ref/random.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { SQUARE, ROWS, COLUMNS, TEXTURES } Texture;

enum { DARK = 32, BRIGHT = 176, NOISE = 64, PLANE = IMAGE_SIDE * IMAGE_SIDE, COARSEST = SCALES_LEVELS - 1 };

/* The textures of the colours, a row a class. Two colours tell apart half of the classes or fewer. */
static const Texture classes[CLASSES][IMAGE_CHANNELS] = {
    {SQUARE, SQUARE, SQUARE}, {SQUARE, SQUARE, ROWS},     {SQUARE, ROWS, SQUARE}, {SQUARE, ROWS, ROWS},
    {ROWS, SQUARE, SQUARE},   {ROWS, SQUARE, ROWS},       {ROWS, ROWS, SQUARE},   {ROWS, ROWS, ROWS},
    {COLUMNS, COLUMNS, ROWS}, {COLUMNS, COLUMNS, COLUMNS}};

/* The levels of the colours' textures. */
static bool levels_of(int levels[IMAGE_CHANNELS], const char *data)
{
    static const int mixed[IMAGE_CHANNELS] = {0, 2, 3};
    const bool plain = strcmp(data, "scales") == 0;
    if (strcmp(data, "scales-mixed") == 0) {
        memcpy(levels, mixed, sizeof mixed);
        return true;
    }
    const int level = plain ? 2 : strlen(data) == 8 ? data[7] - '0' : -1;
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        levels[c] = level;
    return strncmp(data, "scales-", plain ? 6 : 7) == 0 && 0 <= level && level < SCALES_LEVELS;
}

bool scales_named(const char *data)
{
    int levels[IMAGE_CHANNELS];
    return levels_of(levels, data);
}

/* The draws of one image, a byte at a time. */
typedef struct {
    uint64_t seed;
    uint32_t image, turn;
    uint32_t words[4];
} Draws;

static unsigned draw(Draws *d)
{
    const uint32_t at = d->turn++;
    if (at % 16 == 0)
        random_words(d->words, d->seed, STREAM_SCALES, d->image, at / 16);
    return d->words[at / 4 % 4] >> 8 * (at % 4) & 255;
}

/* Lets a cell of level p be bright: one of its pixels, of those in the image's corner at the coarsest level.
 */
static void brighten(uint8_t *plane, Draws *d, int p, int row, int column)
{
    const int side = p == COARSEST ? 1 << (p - 1) : 1 << p;
    const int y = (row << p) + (p == COARSEST && row ? side : 0) + (int)(draw(d) % (unsigned)side);
    const int x = (column << p) + (p == COARSEST && column ? side : 0) + (int)(draw(d) % (unsigned)side);
    plane[y * IMAGE_SIDE + x] += BRIGHT - DARK;
}

/* One colour's texture at level p. */
static void add_texture(uint8_t *plane, Draws *d, int p, Texture texture)
{
    const int start = (int)draw(d), row = start & 1, column = start >> 1 & 1;
    const int blocks = (IMAGE_SIDE >> p) / 2;
    if (p ==
        COARSEST) { /* two cells of the only block: the second is beside the first, below it, or across */
        brighten(plane, d, p, row, column);
        brighten(plane, d, p, row ^ (texture != ROWS), column ^ (texture != COLUMNS));
        return;
    }
    for (int i = 0; i < blocks; i++)
        for (int j = 0; j < blocks; j++)
            brighten(plane, d, p, 2 * i + (row ^ (texture == COLUMNS && j & 1)),
                     2 * j + (column ^ (texture == ROWS && i & 1)));
}

static void make_image(uint8_t *image, uint8_t *label, const int levels[IMAGE_CHANNELS], uint64_t seed,
                       uint32_t index)
{
    Draws d = {.seed = seed, .image = index};
    const unsigned high = draw(&d);
    *label = (uint8_t)((high << 8 | draw(&d)) % CLASSES);
    for (int i = 0; i < IMAGE_BYTES; i++)
        image[i] = (uint8_t)(DARK + draw(&d) % NOISE);
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        add_texture(image + c * PLANE, &d, levels[c], classes[*label][c]);
}

/* Images first, first + 1, .. of all. */
static bool make_set(ImageSet *set, int count, int first, const int levels[IMAGE_CHANNELS], uint64_t seed)
{
    set->images = malloc((size_t)count * IMAGE_BYTES);
    set->labels = malloc((size_t)count);
    if (!set->images || !set->labels)
        return false;
    set->count = count;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; i++)
        make_image(set->images + (size_t)i * IMAGE_BYTES, set->labels + i, levels, seed,
                   (uint32_t)(first + i));
    return true;
}

static bool hash_set(EVP_MD_CTX *digest, const ImageSet *set)
{
    bool ok = true;
    for (int i = 0; ok && i < set->count; i++)
        ok = EVP_DigestUpdate(digest, set->labels + i, 1) == 1 &&
             EVP_DigestUpdate(digest, set->images + (size_t)i * IMAGE_BYTES, IMAGE_BYTES) == 1;
    return ok;
}

static bool hash(Dataset *d)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    const bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                    hash_set(digest, &d->train) && hash_set(digest, &d->test) &&
                    EVP_DigestFinal_ex(digest, bytes, &length) == 1 && length == 32;
    EVP_MD_CTX_free(digest);
    for (unsigned i = 0; ok && i < length; i++)
        snprintf(d->sha256 + 2 * i, 3, "%02x", bytes[i]);
    return ok;
}

bool scales_make(Dataset *d, const char *data, int train, int test, uint64_t seed, Error *error)
{
    static const char *const words[TEXTURES] = {"square", "rows", "columns"};
    int levels[IMAGE_CHANNELS];
    if (!levels_of(levels, data))
        return fail(
            error,
            "data set '%.100s' is unknown: the planted level is scales-0 to scales-%d, or scales-mixed", data,
            COARSEST);
    snprintf(d->name, sizeof d->name, "%s", strcmp(data, "scales") == 0 ? "scales-2" : data);
    for (int k = 0; k < CLASSES; k++)
        snprintf(d->class_names[k], sizeof d->class_names[k], "%s %s %s", words[classes[k][0]],
                 words[classes[k][1]], words[classes[k][2]]);
    return (make_set(&d->train, train, 0, levels, seed) && make_set(&d->test, test, train, levels, seed))
               ? hash(d) || fail(error, "libcrypto could not finish a SHA-256; install libssl-dev anew")
               : fail(error, "not enough memory for %d images", train + test);
}
