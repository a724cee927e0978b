/* DATA=scales: a procedural data set whose class is visible at one resolution only, the planted one, so that
 * a method that learns resolutions can be asked whether it finds it.
 *
 * Bright pixels stand on dark noise. At level p an image is 32/2^p x 32/2^p cells, and max pooling by 2^p
 * shows which of them are bright: those that hold one bright pixel, anywhere in the cell. Each colour has a
 * texture of its own, one bright cell in every block of 2x2 cells:
 *
 *     square    the same cell in every block              rows      every other row of blocks is shifted
 *     columns   every other column of blocks is shifted             sideways by a cell, columns likewise
 *
 * The class is the textures of the three colours. Where a texture starts is random, so each cell is bright in
 * a quarter of the images of every class. Hence, for a layer with 3x3 filters, its average and a linear head:
 *
 *   - at level p two neighbouring bright cells stand two cells apart in one direction or both, within one
 *     filter, and which ones do is the texture;
 *   - at a finer level they are at least 3 pixels apart, so that a filter sees one at most: what it sees has
 * the same distribution in every class, and the best linear head is constant;
 *   - at a coarser level every pixel has a bright one under it: all images look alike.
 *
 * At level 4 there are 2x2 cells, a single block. There two cells are bright, side by side, one over the
 * other or across, the other way round in half of the images; and a bright cell's pixel stands in the 8x8
 * pixels of its corner of the image, so that at level 3 and finer no filter sees two. */
#ifndef NOPOOL_SCALES_H
#define NOPOOL_SCALES_H

#include "data.h"

enum { SCALES_LEVELS = 5 };

/* Whether `data` names one: "scales-0" to "scales-4" (the planted level), "scales" (level 2), "scales-mixed",
 * in which the colours' textures have levels 0, 2 and 3: any one level tells one colour's alone. */
bool scales_named(const char *data);

/* The images of such a name, with name, SHA-256 (that of the same images in CIFAR-10's layout, training then
 * test) and class names: the caller frees the set. They are a function of name, sizes and seed alone. */
bool scales_make(Dataset *d, const char *data, int train, int test, uint64_t seed, Error *error);

#endif
