/* build/probe: looks into a trained net, for figures 1 and 2. `field` measures the effective filter size of
 * every layer, before and after training; `layer` leads one image through one layer, stage by stage. The
 * images are those of the run's own test set; the tables go into its folder. */
#include "probe.h"
#include "../../base/program.h"
#include "../../base/threads.h"
#include <stdlib.h>
#include <string.h>

static int usage(FILE *out)
{
    fprintf(out, "probe field RUN [IMAGES]\n"
                 "    Side of the centred square that holds 50, 95 and 99 %% of the gradient of a central "
                 "unit with respect\n"
                 "    to the image, for every layer of the net in the folder RUN, before and after training, "
                 "over the\n"
                 "    first IMAGES (1000) of the test set that it depends on, with a 95 %% bootstrap "
                 "interval: RUN/field.tsv; "
                 "and the maps\n"
                 "    themselves, of the first, middle and last layer: RUN/field.tsv.maps\n"
                 "probe layer RUN [LAYER IMAGE CHANNEL]\n"
                 "    The stages of layer LAYER (1 is the first) for image number IMAGE (0) of the test set: "
                 "pooled input,\n"
                 "    response, normalised and brought back to full size, weighted by alpha, and their sum, "
                 "of channel\n"
                 "    CHANNEL (0): RUN/stages.tsv\n");
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    Error error;
    Dataset data = {0};
    TrainedNetwork trained;
    char *first[] = {"1", "0", "0"};
    threads_wait_briefly(argv);
    program_begin();
    if (program_asks_help(argc, argv)) {
        usage(stdout);
        return program_end("probe");
    }
    const bool field = (argc == 3 || argc == 4) && strcmp(argv[1], "field") == 0;
    const bool layer = (argc == 3 || argc == 6) && strcmp(argv[1], "layer") == 0;
    if (!field && !layer)
        return usage(stderr);
    threads_set(0);
    if (!run_load(&trained, argv[2], PROBE_BATCH, &error) ||
        !dataset_load(&data, trained.plan.options.data, &error) ||
        !(field ? probe_field(&trained, &data.test, argv[2], argc == 4 ? argv[3] : "1000", &error)
                : probe_stages(&trained, &data.test, argv[2], argc == 6 ? argv + 3 : first, &error)))
        die("probe", &error);
    network_free(trained.net);
    dataset_free(&data);
    return program_end("probe");
}
