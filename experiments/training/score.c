/* Testing: whole batches and the rest, weighted by their images. */
#include "score.h"
#include "../base/job.h"
#include "../data/batch.h"
#include <stdlib.h>

bool score_network(Score *score, int *predictions, Network *net, const Dataset *data, const ImageSet *set,
                   const uint32_t *indices, int count, Error *error)
{
    float *images = malloc((size_t)net->batch * IMAGE_BYTES * sizeof *images);
    int *labels = malloc((size_t)net->batch * sizeof *labels);
    uint32_t *first = malloc((size_t)net->batch * sizeof *first);
    const bool ready = job_agrees(
        (images && labels && first) || fail(error, "not enough memory to evaluate %d images", count), error);
    *score = (Score){0};
    for (int at = 0; ready && at < count && !job_stop(); at += net->batch) {
        const int n = count - at < net->batch ? count - at : net->batch;
        for (int i = 0; i < n; i++)
            first[i] = indices ? indices[at + i] : (uint32_t)(at + i);
        batch_assemble(images, labels, data, set, first, n, (BatchMode){.augment = false});
        score->loss += network_forward(net, images, labels, n, PASS_INFERENCE) * n;
        score->correct += network_correct(net, labels, n);
        score->images += n;
        if (predictions)
            network_predictions(net, predictions + at, n);
    }
    free(images);
    free(labels);
    free(first);
    score->loss /= score->images ? score->images : 1;
    return ready;
}
