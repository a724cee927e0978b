/* Memory of the engine's tensors and buffers. */
#define _DEFAULT_SOURCE /* madvise */
#include "layer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages of 2 MiB for what is larger than a few of them, where the system has them on request. A pixel of 64
 * floats by 16 images is a page of 4 KiB, and a tile of pixels more pages than the first table of addresses
 * holds: measured, steps are 2 to 3% faster. Advice only. */
enum { HUGE_PAGE = 1 << 21, LARGE = 4 * HUGE_PAGE };

static void *allocate(size_t bytes)
{
    void *data = aligned_alloc(bytes < LARGE ? 64 : HUGE_PAGE, bytes);
#ifdef MADV_HUGEPAGE
    if (data && bytes >= LARGE)
        (void)madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return data;
}

bool SET(buffer_grow)(Buffer *b, size_t bytes)
{
    const size_t unit = bytes < LARGE ? 64 : HUGE_PAGE,
                 rounded = bytes ? (bytes + unit - 1) / unit * unit : unit;
    if (b->data && rounded <= b->bytes)
        return true;
    free(b->data);
    *b = (Buffer){allocate(rounded), rounded};
    if (b->data)
        memset(b->data, 0, rounded);
    return b->data != NULL;
}
