/* build/evaluate RUN FILE...: a trained run on any files in CIFAR-10 binary layout: accuracy, and per class.
 */
#include "../base/program.h"
#include "../base/threads.h"
#include "../runs/run.h"
#include "../training/score.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void print_classes(const ImageSet *set, const int *predictions)
{
    int images[CLASSES] = {0}, correct[CLASSES] = {0}, predicted[CLASSES] = {0};
    for (int i = 0; i < set->count; i++) {
        images[set->labels[i]]++;
        correct[set->labels[i]] += predictions[i] == set->labels[i];
        predicted[predictions[i]]++;
    }
    printf("class\timages\tcorrect\trecall\tprecision\n");
    for (int k = 0; k < CLASSES; k++)
        printf("%d\t%d\t%d\t%.2f\t%.2f\n", k, images[k], correct[k],
               images[k] ? 100.0 * correct[k] / images[k] : 0,
               predicted[k] ? 100.0 * correct[k] / predicted[k] : 0);
}

static bool evaluate(TrainedNetwork *trained, int count, char **files, Error *error)
{
    ImageSet set = {0};
    Dataset data = {0};
    Score score;
    for (int i = 0; i < count; i++)
        if (!read_cifar10(&set, files[i], error)) {
            image_set_free(&set);
            return false;
        }
    memcpy(data.mean, trained->state.mean, sizeof data.mean);
    memcpy(data.deviation, trained->state.deviation, sizeof data.deviation);
    int *predictions = malloc((size_t)set.count * sizeof *predictions);
    bool ok = predictions
                  ? score_network(&score, predictions, trained->net, &data, &set, NULL, set.count, error)
                  : fail(error, "not enough memory for %d images", set.count);
    if (ok && !isfinite(score.loss))
        ok = fail(error, "the loss on these images is not finite: the network's numbers are too large");
    if (ok) {
        printf("images\t%d\nepoch\t%d\nloss\t%.6f\naccuracy\t%.4f\n\n", score.images, trained->state.epoch,
               score.loss, 100.0 * score.correct / score.images);
        print_classes(&set, predictions);
    }
    free(predictions);
    image_set_free(&set);
    return ok;
}

int main(int argc, char **argv)
{
    Error error;
    TrainedNetwork trained;
    threads_wait_briefly(argv);
    program_begin();
    const bool help = program_asks_help(argc, argv);
    if (argc < 3 || help) {
        fprintf(help ? stdout : stderr,
                "evaluate RUN FILE...\n\nAccuracy and per-class figures (in per cent) of the "
                "network in the folder RUN, as of its last\ncheckpoint, on the images of "
                "all FILEs together: CIFAR-10 binary layout, per image 1 label "
                "byte\nand 3 x 32 x 32 bytes.\n");
        return help ? program_end("evaluate") : 2;
    }
    threads_set(0);
    if (!run_load(&trained, argv[1], 0, &error) || !evaluate(&trained, argc - 2, argv + 2, &error))
        die("evaluate", &error);
    network_free(trained.net);
    return program_end("evaluate");
}
