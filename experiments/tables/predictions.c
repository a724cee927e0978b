/* Reading predictions.tsv. See predictions.h. */
#include "predictions.h"
#include "../base/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char header[] = "label\tpredicted\n";

static bool path_of(char path[4096], const RunRecord *run)
{
    snprintf(path, 4096, "%.500s/predictions.tsv", run->folder);
    return file_exists(path);
}

/* One line, two digits: the class and the predicted one; NULL behind the last, or where a line is none. */
static const char *next(int *label, int *predicted, const char *line)
{
    if (line[0] < '0' || line[0] > '9' || line[1] != '\t' || line[2] < '0' || line[2] > '9' ||
        line[3] != '\n')
        return NULL;
    *label = line[0] - '0';
    *predicted = line[2] - '0';
    return line + 4;
}

bool predictions_check(bool *there, const RunRecord *run, Error *error)
{
    char path[4096], *text;
    size_t size;
    int images = 0, correct = 0, label, predicted;
    *there = path_of(path, run);
    if (!*there)
        return true;
    if (!file_read(&text, &size, path, error))
        return false;
    const bool begins = strncmp(text, header, sizeof header - 1) == 0;
    const char *line = begins ? text + sizeof header - 1 : text, *after;
    for (; begins && (after = next(&label, &predicted, line)); line = after, images++)
        correct += label == predicted;
    const bool whole = line == text + size && images == run->test_images;
    free(text);
    return (whole && fabs(100.0 * correct / images - run->accuracy) < 1e-5) ||
           fail(error,
                "%s does not give the accuracy of the run on its %d test images: it was edited; restore it "
                "from a copy",
                path, run->test_images);
}

bool predictions_discordant(int *only_a, int *only_b, const RunRecord *a, const RunRecord *b)
{
    char path_a[4096], path_b[4096], *text_a, *text_b;
    size_t size;
    Error error;
    bool same = strcmp(a->data_sha256, b->data_sha256) == 0 && a->test_images == b->test_images;
    if (!same || !path_of(path_a, a) || !path_of(path_b, b) || !file_read(&text_a, &size, path_a, &error))
        return false;
    if (!file_read(&text_b, &size, path_b, &error)) {
        free(text_a);
        return false;
    }
    int label_a, label_b, predicted_a, predicted_b;
    const char *line_a = text_a + sizeof header - 1, *line_b = text_b + sizeof header - 1;
    *only_a = *only_b = 0;
    while (same && (line_a = next(&label_a, &predicted_a, line_a)) &&
           (line_b = next(&label_b, &predicted_b, line_b))) {
        same = label_a == label_b;
        *only_a += predicted_a == label_a && predicted_b != label_b;
        *only_b += predicted_b == label_b && predicted_a != label_a;
    }
    free(text_a);
    free(text_b);
    return same;
}
