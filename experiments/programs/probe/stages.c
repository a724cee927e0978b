/* One image through one layer (figure 2), stage by stage: lines `stage <tab> level <tab> y <tab> x <tab>
 * value`. Where the layer is the first, the pooled input is the image itself, three colours as bytes: stages
 * red, green, blue. */
#include "../../base/text.h"
#include "probe.h"
#include <math.h>
#include <stdlib.h>

/* One channel of the first image of a tensor. */
static bool write_channel(Text *text, const char *stage, int level, const Probe *probe, const Word *tensor,
                          Shape s, int channel, double scale, double shift, Error *error)
{
    float *plain = malloc(shape_count(s) * sizeof *plain);
    if (!plain)
        return fail(error, "not enough memory for a map of %d x %d", s.h, s.w);
    probe->kernels->export(plain, tensor, s);
    for (int y = 0; y < s.h; y++)
        for (int x = 0; x < s.w; x++)
            text_add(text, "%s\t%d\t%d\t%d\t%.5g\n", stage, level, y, x,
                     scale * (double)plain[((size_t)channel * s.h + y) * s.w + x] + shift);
    free(plain);
    return true;
}

static bool write_input(Text *text, const Probe *probe, const TrainedNetwork *trained, int layer, int r,
                        int channel, Error *error)
{
    const ProbeLayer *l = &probe->layer[layer];
    static const char *const colours[IMAGE_CHANNELS] = {"red", "green", "blue"};
    const Shape in = probe_input(probe, layer, 1), coarse = shape_coarser(in, 1 << r);
    Word *pooled = probe_tensor(coarse);
    probe->kernels->pool_forward(pooled, probe->map[layer], l->spec.down, 1 << r, in);
    bool ok = true;
    for (int c = 0; ok && layer == 0 && c < IMAGE_CHANNELS; c++)
        ok = write_channel(text, colours[c], r, probe, pooled, coarse, c, 255 * trained->state.deviation[c],
                           255 * trained->state.mean[c], error);
    if (layer > 0)
        ok = write_channel(text, "input", r, probe, pooled, coarse, channel, 1, 0, error);
    free(pooled);
    return ok;
}

static bool write_level(Text *text, const Probe *probe, int layer, int r, int channel, Error *error)
{
    const ProbeLayer *l = &probe->layer[layer];
    const Shape out = probe_output(probe, layer, 1);
    Word *upsampled = probe_tensor(out);
    probe_level(probe, upsampled, layer, r, 1);
    const bool ok =
        write_channel(text, "response", r, probe, l->activation[r], shape_coarser(out, 1 << r), channel, 1, 0,
                      error) &&
        write_channel(text, "upsampled", r, probe, upsampled, out, channel, 1, 0, error) &&
        write_channel(text, "weighted", r, probe, upsampled, out, channel, (double)l->alpha[r], 0, error);
    free(upsampled);
    return ok;
}

bool probe_stages(TrainedNetwork *trained, const ImageSet *set, const char *folder, char **arguments,
                  Error *error)
{
    Text text = {0};
    Probe probe;
    float image[IMAGE_BYTES];
    int layer, at, channel;
    const NetworkSpec *s = &trained->net->spec;
    if (!number_of(&layer, arguments[0], "LAYER", 1, s->layers, error) ||
        !number_of(&at, arguments[1], "IMAGE", 0, set->count - 1, error) ||
        !number_of(&channel, arguments[2], "CHANNEL", 0, network_layer(s, layer - 1).channels_out - 1,
                   error) ||
        !probe_create(&probe, trained->net, error))
        return false;
    normalised_images(image, trained, set, at, 1);
    probe_forward(&probe, image, 1);
    text_add(&text, "stage\tlevel\ty\tx\tvalue\n");
    bool ok = true;
    for (int r = 0; ok && r < s->levels; r++)
        if (level_kept(s->kept[layer - 1], r)) {
            text_add(&text, "alpha\t%d\t0\t0\t%.6f\n", r, (double)probe.layer[layer - 1].alpha[r]);
            ok = write_input(&text, &probe, trained, layer - 1, r,
                             channel % network_layer(s, layer - 1).channels_in, error) &&
                 write_level(&text, &probe, layer - 1, r, channel, error);
        }
    ok = ok && write_channel(&text, "sum", 0, &probe, probe.map[layer], probe_output(&probe, layer - 1, 1),
                             channel, 1, 0, error);
    ok = ok && text_write(&text, folder, "stages.tsv", error);
    text_free(&text);
    probe_free(&probe);
    return ok;
}
