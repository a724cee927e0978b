/* Training: epochs of bilevel steps (bilevel.h) on the batches that come in turn (feed.h). Every iteration
 * takes one batch of D_a for the filters and, where alpha is learned, one of D_b for the logits. */
#include "training.h"
#include "../base/progress.h"
#include "../network/bilevel.h"
#include "../runs/result.h"
#include "feed.h"
#include "prune.h"
#include "score.h"
#include <math.h>
#include <stdlib.h>

bool training_open(Run *run, const char *folder, const Options *options, Error *error)
{
    char path[4096];
    TrainedNetwork source = {0};
    bool ok = run_plan(run, folder, options, error);
    run_sibling(path, sizeof path, folder, options->prune_from);
    ok = ok && (!options->prune_from[0] || prune_source(&source, &run->plan, path, error)) &&
         run_enter(run, error);
    if (ok && run->fresh && source.net)
        prune_start(run->net, &source, &run->plan);
    network_free(source.net);
    return ok;
}

/* Sums over the steps of an epoch, of one kind. */
typedef struct {
    double loss, gradient2, decay2;
    long correct, images, steps;
} Tally;

static void count_step(Tally *tally, Step step, int images)
{
    tally->loss += step.loss * images;
    tally->gradient2 += step.gradient * step.gradient;
    tally->decay2 += step.decay * step.decay;
    tally->correct += step.correct;
    tally->images += images;
    tally->steps++;
}

static Step step_a(Network *net, Feed *feed, const Run *run, int epoch, int iteration)
{
    const Options *o = &run->plan.options;
    const Sgd sgd = {plan_lr(&run->plan, epoch), o->momentum, o->weight_decay};
    return filters_step(net, feed_a(feed, run, epoch, iteration), sgd);
}

static Step step_b(Network *net, Feed *feed, const Run *run, int epoch, int iteration)
{
    const Options *o = &run->plan.options;
    const long steps = (long)epoch * run->plan.iterations + iteration;
    const Adam adam = {o->logits_lr, o->logits_beta1, o->logits_beta2, o->logits_eps, o->logits_decay};
    return logits_step(net, feed_b(feed, run, steps), adam, (int)steps + 1);
}

/* Shows where the epoch is; `since` is when this run's steps began, of which `done` are done. */
static void show(const Run *run, int iteration, const Tally *a, double since, long done)
{
    const Plan *plan = &run->plan;
    const double seconds = progress_seconds() - since;
    const long left = (long)(plan->epochs - run->epoch) * plan->iterations - iteration - 1;
    progress_show(&(Progress){.epoch = run->epoch + 1,
                              .epochs = plan->epochs,
                              .iteration = iteration + 1,
                              .iterations = plan->iterations,
                              .loss = a->loss / (double)a->images,
                              .accuracy = 100.0 * (double)a->correct / (double)a->images,
                              .images_per_second = (double)done * plan->options.batch / seconds,
                              .seconds_left = seconds / (double)done * (double)left});
}

/* One epoch of steps; a loss that is no number ends the run, and its last checkpoint stays. */
static bool train_epoch(Run *run, Feed *feed, Tally *a, Tally *b, Error *error)
{
    const Plan *plan = &run->plan;
    const double since = progress_seconds();
    for (int i = 0; i < plan->iterations; i++) {
        const bool logits_first = plan->options.order == ORDER_LOGITS_FIRST;
        if (plan->learns_alpha && logits_first)
            count_step(b, step_b(run->net, feed, run, run->epoch, i), plan->options.batch);
        count_step(a, step_a(run->net, feed, run, run->epoch, i), plan->options.batch);
        if (plan->learns_alpha && !logits_first)
            count_step(b, step_b(run->net, feed, run, run->epoch, i), plan->options.batch);
        if (!isfinite(a->loss) || !isfinite(b->loss))
            return fail(error, "the loss is not a number in epoch %d, batch %d, of %s: choose a smaller --lr",
                        run->epoch + 1, i + 1, run->folder);
        show(run, i, a, since, i + 1);
    }
    return true;
}

static void record_epoch(Run *run, const Tally *a, const Tally *b, const Score *test)
{
    const Plan *plan = &run->plan;
    const double steps_b = b->steps ? (double)b->steps : 1, images_b = b->images ? (double)b->images : 1;
    double alpha[MAX_LAYERS * MAX_LEVELS];
    text_add(&run->log, "%d\t%.9g\t%.9g\t%.9g\t%.6f\t%.9g\t%.6f\t%d\t%.9g\t%.6f\t%.9g\t%.9g\t%.9g\t%.9g\n",
             run->epoch, plan_lr(plan, run->epoch - 1), plan->learns_alpha ? plan->options.logits_lr : 0,
             a->loss / (double)a->images, 100.0 * (double)a->correct / (double)a->images, b->loss / images_b,
             100.0 * (double)b->correct / images_b, test->images, test->loss,
             100.0 * test->correct / test->images, sqrt(a->gradient2 / (double)a->steps),
             sqrt(a->decay2 / (double)a->steps), sqrt(b->gradient2 / steps_b), sqrt(b->decay2 / steps_b));
    network_alpha(run->net, alpha);
    for (int l = 0; l < plan->network.layers; l++) {
        text_add(&run->alpha, "%d\t%d", run->epoch, l + 1);
        for (int r = 0; r < plan->network.levels; r++)
            text_add(&run->alpha, "\t%.9g", alpha[l * plan->network.levels + r]);
        text_add(&run->alpha, "\n");
    }
    text_add(&run->alpha, "\n");
}

bool training_finish(Run *run, Error *error)
{
    const Plan *plan = &run->plan;
    Feed feed;
    if (!feed_make(&feed, plan, error))
        return false;
    bool ok = true;
    while (ok && run->epoch < plan->epochs) {
        Tally a = {0}, b = {0};
        Score test;
        const double start = progress_seconds();
        ok = train_epoch(run, &feed, &a, &b, error);
        const double trained = progress_seconds();
        const bool last = run->epoch + 1 == plan->epochs;
        ok = ok && score_network(&test, NULL, run->net, &run->data, &run->data.test, NULL,
                                 last ? plan->options.images_test : plan->options.images_epoch, error);
        if (!ok)
            break;
        run->epoch++;
        record_epoch(run, &a, &b, &test);
        text_add(&run->timing, "%d\t%.3f\t%.3f\t%.1f\n", run->epoch, trained - start,
                 progress_seconds() - trained, (double)a.images / (trained - start));
        ok = run_save(run, error);
        progress_note("epoch %d/%d  loss %.4f  accuracy %.2f %%  test %.2f %% of %d images  %.1f s",
                      run->epoch, plan->epochs, a.loss / (double)a.images,
                      100.0 * (double)a.correct / (double)a.images, 100.0 * test.correct / test.images,
                      test.images, progress_seconds() - start);
    }
    feed_free(&feed);
    return ok && result_write(run, error);
}

bool training_estimate(const Run *run, Error *error)
{
    enum { MOST_STEPS = 4 };
    const Plan *plan = &run->plan;
    const double enough = 1.0; /* seconds of timed steps */
    Feed feed;
    Score test;
    if (!feed_make(&feed, plan, error))
        return false;
    Network *net = network_create(plan->engine, &plan->network, plan->options.batch, error);
    if (!net) {
        feed_free(&feed);
        return false;
    }
    network_initialise(net, 0);
    double start = progress_seconds(), step = 0;
    for (int i = 0; i < MOST_STEPS && i < plan->iterations && (i < 2 || progress_seconds() - start < enough);
         i++) {
        const double before = progress_seconds();
        step_a(net, &feed, run, 0, i);
        if (plan->learns_alpha)
            step_b(net, &feed, run, 0, i);
        step = i == 1 || progress_seconds() - before < step ? progress_seconds() - before : step;
    }
    start = progress_seconds();
    const int batch = plan->options.batch < run->data.test.count ? plan->options.batch : run->data.test.count;
    const bool ok = score_network(&test, NULL, net, &run->data, &run->data.test, NULL, batch, error);
    const double image = (progress_seconds() - start) / batch;
    const int epochs = plan->epochs - run->epoch;
    const double seconds = epochs * (plan->iterations * step) +
                           image * (plan->options.images_test + (epochs - 1.0) * plan->options.images_epoch);
    char text[32];
    progress_duration(text, seconds);
    progress_note("%s: %d epochs of %d iterations at %.3f s, tests included: about %s", run->folder, epochs,
                  plan->iterations, step, text);
    network_free(net);
    feed_free(&feed);
    return ok;
}
