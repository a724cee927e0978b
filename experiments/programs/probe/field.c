/* The effective filter size (figure 1): how the gradient of a central unit spreads over the image. For each
 * image the absolute gradient, summed over the colours, is a map that is scaled to 1; a square around the
 * centre holds a share of it. The mean over images, then the smallest odd side whose square holds 50, 95, 99
 * %; a bootstrap over images gives the interval. Area before logarithm: the maps are written on a linear
 * scale. */
#include "../../../ref/batchnorm.h"
#include "../../../ref/random.h"
#include "../../base/text.h"
#include "probe.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = IMAGE_SIDE, CENTRE = IMAGE_SIDE / 2, RADII = CENTRE + 1, SHARES = 3, BOOTSTRAPS = 1000 };
static const double share[SHARES] = {0.5, 0.95, 0.99};

/* What is gathered of one layer. */
typedef struct {
    int images;              /* whose gradient is not 0: a unit that ReLU has switched off sees nothing */
    double map[SIDE * SIDE]; /* sum of each pixel's share */
    double *inside;          /* (images, RADII): the share within radius k, a square of side 2k + 1 */
} Field;

/* The gradient of the central unit, all channels added, of image i of the batch. */
static bool gather(Field *field, const float *dx, int i, Error *error)
{
    double pixel[SIDE * SIDE], sum = 0, *inside = field->inside + (size_t)field->images * RADII;
    for (int p = 0; p < SIDE * SIDE; p++) {
        pixel[p] = 0;
        for (int c = 0; c < IMAGE_CHANNELS; c++)
            pixel[p] += fabs((double)dx[((size_t)i * IMAGE_CHANNELS + c) * SIDE * SIDE + p]);
        sum += pixel[p];
    }
    if (!isfinite(sum))
        return fail(error,
                    "the gradient of an image is not finite: the run's parameters are not, or too large");
    if (sum == 0)
        return true;
    for (int p = 0; p < SIDE * SIDE; p++) {
        const int down = abs(p / SIDE - CENTRE), right = abs(p % SIDE - CENTRE);
        field->map[p] += pixel[p] / sum;
        inside[down > right ? down : right] += pixel[p] / sum;
    }
    for (int k = 1; k < RADII; k++)
        inside[k] += inside[k - 1];
    field->images++;
    return true;
}

/* The smallest odd side whose square holds this share of the mean over the images that `pick` lists (NULL:
 * all). */
static int side_of(const Field *field, const uint32_t *pick, double wanted)
{
    const int images = field->images;
    for (int k = 0; k < RADII; k++) {
        double mean = 0;
        for (int i = 0; i < images; i++)
            mean += field->inside[(size_t)(pick ? (int)pick[i] : i) * RADII + k] / images;
        if (mean >= wanted)
            return 2 * k + 1;
    }
    return 2 * RADII - 1;
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The 2.5th and 97.5th of 100 sides over resampled images. */
static void interval(int ends[2], const Field *field, double wanted, uint32_t *pick)
{
    const int images = field->images;
    static int sides[BOOTSTRAPS];
    for (int b = 0; b < BOOTSTRAPS; b++) {
        for (int i = 0; i < images; i++) {
            uint32_t words[4];
            random_words(words, 1, STREAM_AUGMENT, (uint32_t)b, (uint32_t)i);
            pick[i] = (uint32_t)((uint64_t)words[0] * (uint32_t)images >> 32);
        }
        sides[b] = side_of(field, pick, wanted);
    }
    qsort(sides, BOOTSTRAPS, sizeof *sides, ascending);
    ends[0] = sides[BOOTSTRAPS * 25 / 1000];
    ends[1] = sides[BOOTSTRAPS * 975 / 1000 - 1];
}

/* The theoretical field of a layer's unit, in pixels: of the coarsest levels that are kept. A layer at level
 * r takes steps of 2^r pixels: two of them for the filter, and the difference to the last step for the
 * pooling. */
static int theoretical(const NetworkSpec *s, int layer)
{
    int field = 1, last = 1;
    for (int l = 0; l <= layer; l++) {
        int step = 1;
        for (int r = 0; r < s->levels; r++)
            step = level_kept(s->kept[l], r) ? 1 << r : step;
        field += 2 * step + (step > last ? step - last : 0);
        last = step;
    }
    return field;
}

static bool measure_layer(Field *field, Probe *probe, int layer, int n, Error *error)
{
    const Shape out = probe_output(probe, layer, n), in = probe_input(probe, 0, n);
    float *ones = calloc(shape_count(out), sizeof *ones),
          *gradient = malloc(shape_count(in) * sizeof *gradient);
    bool ok = ones && gradient;
    if (ok) {
        for (int nc = 0; nc < out.n * out.c; nc++)
            ones[((size_t)nc * out.h + CENTRE) * out.w + CENTRE] = 1;
        Word *dy = probe_tensor(out), *dx = probe_tensor(in);
        probe->kernels->import(dy, ones, out);
        probe_backward(probe, dx, dy, layer, n);
        probe->kernels->export(gradient, dx, in);
        for (int i = 0; ok && i < n; i++)
            ok = gather(field, gradient, i, error);
        free(dy);
        free(dx);
    } else
        fail(error, "not enough memory for the gradient of %d images", n);
    free(ones);
    free(gradient);
    return ok;
}

static void write_field(Text *sides, Text *maps, const char *when, const Field *field, const NetworkSpec *s,
                        int layer, uint32_t *pick)
{
    text_add(sides, "%s\t%d\t%d", when, layer + 1, theoretical(s, layer));
    for (int i = 0; i < SHARES; i++) {
        int ends[2];
        interval(ends, field, share[i], pick);
        text_add(sides, "\t%d\t%d\t%d", side_of(field, NULL, share[i]), ends[0], ends[1]);
    }
    text_add(sides, "\t%d\n", field->images);
    const bool shown = layer == 0 || layer == s->layers / 2 || layer == s->layers - 1;
    for (int p = 0; shown && p < SIDE * SIDE; p++)
        text_add(maps, "%s\t%d\t%d\t%d\t%.4g\n", when, layer + 1, p / SIDE, p % SIDE,
                 field->map[p] / field->images);
}

/* Every layer of the net as it is. */
static bool measure(Text *sides, Text *maps, const char *when, const TrainedNetwork *trained,
                    const ImageSet *set, int images, Error *error)
{
    Probe probe;
    Field field[MAX_LAYERS] = {0};
    const int layers = trained->net->spec.layers;
    uint32_t *pick = malloc((size_t)images * sizeof *pick);
    float *batch = malloc((size_t)PROBE_BATCH * IMAGE_BYTES * sizeof *batch);
    if (!probe_create(&probe, trained->net, error))
        return false;
    bool ok = pick && batch;
    for (int l = 0; l < layers; l++)
        ok = (field[l].inside = calloc((size_t)images * RADII, sizeof(double))) && ok;
    if (!ok)
        fail(error, "not enough memory for %d images", images);
    for (int at = 0; ok && at < images; at += PROBE_BATCH) {
        const int n = images - at < PROBE_BATCH ? images - at : PROBE_BATCH;
        normalised_images(batch, trained, set, at, n);
        probe_forward(&probe, batch, n);
        for (int l = 0; ok && l < layers; l++)
            ok = measure_layer(&field[l], &probe, l, n, error);
    }
    for (int l = 0; l < layers; l++) {
        if (ok && field[l].images == 0)
            ok = fail(error, "layer %d does not depend on the image: its units are all switched off", l + 1);
        if (ok)
            write_field(sides, maps, when, &field[l], &trained->net->spec, l, pick);
        free(field[l].inside);
    }
    free(pick);
    free(batch);
    probe_free(&probe);
    return ok;
}

/* The net as it was before training: its first filters and logits, statistics of one batch. */
static bool untrain(TrainedNetwork *trained, const ImageSet *set, Error *error)
{
    Network *net = trained->net;
    const int n = set->count < PROBE_BATCH ? set->count : PROBE_BATCH;
    float *batch = malloc((size_t)n * IMAGE_BYTES * sizeof *batch);
    int labels[PROBE_BATCH];
    if (!batch)
        return fail(error, "not enough memory for %d images", n);
    normalised_images(batch, trained, set, 0, n);
    for (int i = 0; i < n; i++)
        labels[i] = set->labels[i];
    network_initialise(net, (uint64_t)trained->plan.options.seed);
    net->engine->vector_clear(net->statistics);
    network_forward(net, batch, labels, n, PASS_FILTERS);
    free(batch);
    return true;
}

bool probe_field(TrainedNetwork *trained, const ImageSet *set, const char *folder, const char *images_text,
                 Error *error)
{
    Text sides = {0}, maps = {0};
    int images;
    if (!number_of(&images, images_text, "IMAGES", 1, set->count, error))
        return false;
    text_add(&sides, "when\tlayer\ttheoretical\tside50\tlow50\thigh50\tside95\tlow95\thigh95\tside99\tlow99\t"
                     "high99\timages\n");
    text_add(&maps, "when\tlayer\ty\tx\tshare\n");
    const bool ok =
        measure(&sides, &maps, "after", trained, set, images, error) && untrain(trained, set, error) &&
        measure(&sides, &maps, "before", trained, set, images, error) &&
        text_write(&maps, folder, "field.tsv.maps", error) && text_write(&sides, folder, "field.tsv", error);
    text_free(&sides);
    text_free(&maps);
    return ok;
}
