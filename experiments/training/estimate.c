/* Timing the first steps of a run. */
#include "estimate.h"
#include "../base/job.h"
#include "../base/progress.h"
#include "faster.h"
#include "score.h"
#include <stdio.h>

/* Says which kernel set would be faster, if one would. */
static void tell_faster(const Run *run)
{
    char words[64], line[PROGRESS_WIDTH + 1];
    if (!faster_set(words, &run->plan.network, run->net->engine))
        return;
    progress_text(line, run->folder, words);
    progress_note("%s", line);
}

static bool tell(const Estimate *e, Run *run, Error *error)
{
    const Plan *plan = &run->plan;
    const Options *o = &plan->options;
    const int batch = o->batch < o->images_test ? o->batch : o->images_test;
    const double start = progress_seconds();
    Score test;
    if (!score_network(&test, NULL, run->net, &run->data, &run->data.test, NULL, batch, error))
        return false;
    const double image = (progress_seconds() - start) / batch;
    const int epochs = plan->epochs - run->epoch;
    const double steps = (double)epochs * plan->iterations - run->iteration;
    const double minute = 60,
                 left = steps * e->step + image * (o->images_test + (epochs - 1.0) * o->images_epoch);
    char figures[128], duration[32], line[PROGRESS_WIDTH + 1];
    progress_duration(duration, left);
    snprintf(figures, sizeof figures, "%d epochs of %d batches, %.3f s each: about %s", epochs,
             plan->iterations, e->step, duration);
    progress_text(line, run->folder, figures);
    progress_note("%s", line);
    /* Ranks would each take their own time for it, and wait for each other's sums. */
    if (e->starts && left >= minute && job_ranks() == 1)
        tell_faster(run);
    return true;
}

bool estimate_step(Estimate *e, Run *run, double seconds, Error *error)
{
    enum { ENOUGH_STEPS = 5 };
    const double enough = 1; /* second */
    if (e->told)
        return true;
    e->step = e->steps < 2 || seconds < e->step ? seconds : e->step;
    e->seconds += seconds;
    e->steps++;
    e->told = job_decides(e->steps >= ENOUGH_STEPS || (e->steps >= 2 && e->seconds >= enough) ||
                          run->iteration == run->plan.iterations);
    return !e->told || tell(e, run, error);
}
