/* Batches in turn. */
#include "feed.h"
#include "../../ref/random.h"
#include "../data/batch.h"
#include <stdlib.h>

void feed_free(Feed *feed)
{
    free(feed->images);
    free(feed->labels);
    free(feed->order_a);
    free(feed->order_b);
}

bool feed_make(Feed *feed, const Plan *plan, Error *error)
{
    const size_t batch = (size_t)plan->options.batch;
    *feed = (Feed){.images = malloc(batch * IMAGE_BYTES * sizeof(float)),
                   .labels = malloc(batch * sizeof(int)),
                   .order_a = malloc((size_t)plan->images * sizeof(uint32_t)),
                   .order_b = malloc((size_t)plan->options.images_b * sizeof(uint32_t)),
                   .turn_a = -1,
                   .turn_b = -1};
    if (feed->images && feed->labels && feed->order_a && feed->order_b)
        return true;
    feed_free(feed);
    return fail(error, "not enough memory for batches of %zu images: choose a smaller --batch", batch);
}

/* order (count) = the images of a part of the training set, in the order of this epoch or pass. */
static void draw_order(uint32_t *order, const uint32_t *part, int count, uint64_t seed, Stream stream,
                       long turn)
{
    random_permutation(order, count, seed, stream, (uint32_t)turn);
    for (int i = 0; i < count; i++)
        order[i] = part[order[i]];
}

/* Epochs as the streams of D_a count them: fine-tuning goes on where its source stopped, and does not see
 * again the orders and crops of the source's first epochs. */
static int key_of(const Run *run, int epoch)
{
    return run->plan.source_epochs + epoch;
}

const uint32_t *feed_indices_a(Feed *feed, const Run *run, int epoch, int iteration)
{
    const Options *o = &run->plan.options;
    const int key = key_of(run, epoch);
    if (feed->turn_a != key)
        draw_order(feed->order_a, run->a, run->plan.images, (uint64_t)o->seed, STREAM_ORDER_A, key);
    feed->turn_a = key;
    return feed->order_a + (size_t)iteration * o->batch;
}

const uint32_t *feed_indices_b(Feed *feed, const Run *run, long iteration)
{
    const Options *o = &run->plan.options;
    const int in_pass = o->images_b / o->batch;
    const long pass = iteration / in_pass;
    if (feed->turn_b != pass)
        draw_order(feed->order_b, run->b, o->images_b, (uint64_t)o->seed, STREAM_ORDER_B, pass);
    feed->turn_b = pass;
    return feed->order_b + (size_t)(iteration % in_pass) * o->batch;
}

Batch feed_a(Feed *feed, const Run *run, int epoch, int iteration)
{
    const Options *o = &run->plan.options;
    const BatchMode mode = {o->augment, (uint64_t)o->seed, (uint32_t)key_of(run, epoch)};
    batch_assemble(feed->images, feed->labels, &run->data, &run->data.train,
                   feed_indices_a(feed, run, epoch, iteration), o->batch, mode);
    return (Batch){feed->images, feed->labels, o->batch};
}

Batch feed_b(Feed *feed, const Run *run, long iteration)
{
    const int batch = run->plan.options.batch;
    batch_assemble(feed->images, feed->labels, &run->data, &run->data.train,
                   feed_indices_b(feed, run, iteration), batch, (BatchMode){.augment = false});
    return (Batch){feed->images, feed->labels, batch};
}
