/* Training: epochs of bilevel steps (bilevel.h) on the batches that come in turn (feed.h). Every iteration
 * takes one batch of D_a for the filters and, where alpha is learned, one of D_b for the logits. */
#include "training.h"
#include "../base/job.h"
#include "../base/progress.h"
#include "../network/bilevel.h"
#include "../network/possible.h"
#include "../runs/provenance.h"
#include "../runs/result.h"
#include "../runs/share.h"
#include "dump.h"
#include "estimate.h"
#include "feed.h"
#include "prune.h"
#include "score.h"
#include "source.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A planned run in its folder, and the source that it starts from. */
static bool open_folder(Run *run, const Options *options, Error *error)
{
    char path[4096];
    TrainedNetwork source = {0};
    const char *option, *name = source_name(&option, options);
    const bool pruned = options->prune_from[0] != 0;
    bool ok = true;
    if (name) {
        run_sibling(path, sizeof path, run->folder, name);
        ok = source_load(&source, &run->plan, &run->data, path, error);
    }
    if (ok && pruned)
        prune_plan(&run->plan, &source);
    ok = ok && run_enter(run, error);
    if (ok && run->fresh && pruned)
        prune_start(run->net, &source, &run->plan);
    else if (ok && run->fresh && name)
        network_reverse_alpha(run->net, source.net);
    network_free(source.net);
    return ok;
}

bool training_open(Run *run, const char *folder, const Options *options, Error *error)
{
    const bool planned = run_plan(run, folder, options, error) && share_check(&run->plan, error);
    return job_agrees(planned, error) &&
           job_agrees(!job_writes() || open_folder(run, options, error), error) && share_run(run, error) &&
           (!run->fresh || run_save(run, error));
}

static void count_step(Tally *tally, Step step, int images)
{
    tally->loss += step.loss * images;
    tally->gradient2 += step.gradient * step.gradient;
    tally->decay2 += step.decay * step.decay;
    tally->correct += step.correct;
    tally->images += images;
    tally->steps++;
}

/* What the optimizers are given in an epoch, and what the log says of it. */
static Sgd sgd_of(const Plan *plan, int epoch)
{
    return (Sgd){plan_lr(plan, epoch), plan->options.momentum, plan->options.weight_decay};
}

static Adam adam_of(const Plan *plan)
{
    const Options *o = &plan->options;
    return (Adam){o->logits_lr, o->logits_beta1, o->logits_beta2, o->logits_eps, o->logits_decay};
}

/* What a training program has beside its run. */
typedef struct {
    Feed feed;
    Estimate estimate;
    Dump *dump;               /* NULL where none is asked for */
    double save_every, saved; /* seconds: between checkpoints within an epoch; when the last one was */
} Session;

/* Iterations of the run, from 0, before the next one. */
static long iterations_done(const Run *run)
{
    return (long)run->epoch * run->plan.iterations + run->iteration;
}

/* The next step of the filters, and of the logits. */
static Step step_a(Run *run, Session *session)
{
    const Batch batch = feed_a(&session->feed, run, run->epoch, run->iteration);
    const Step step = filters_step(run->net, batch, sgd_of(&run->plan, run->epoch));
    if (session->dump)
        dump_batch(session->dump, iterations_done(run), DUMP_A, batch, step.loss);
    return step;
}

static Step step_b(Run *run, Session *session)
{
    const long steps = iterations_done(run);
    const Batch batch = feed_b(&session->feed, run, steps);
    const Step step = logits_step(run->net, batch, adam_of(&run->plan), (int)steps + 1);
    if (session->dump)
        dump_batch(session->dump, steps, DUMP_B, batch, step.loss);
    return step;
}

/* The norms of a step, which it needs anyway, show every number that is not finite in the gradients and in
 * the parameters before the step; moments and statistics are looked at before each checkpoint (run_save). */
static bool check_step(const Run *run, Step step, Error *error)
{
    Impossible where;
    char words[96] = "the loss or the norm of a gradient is not finite";
    if (isfinite(step.loss) && isfinite(step.gradient) && isfinite(step.decay))
        return true;
    if ((isfinite(step.decay) && !network_gradients_possible(run->net, &where)) ||
        !network_possible(run->net, &where))
        impossible_words(words, sizeof words, run->net, &where);
    return run_fails(run, run->epoch + 1, run->iteration + 1, words, error);
}

static bool iterate(Run *run, Session *session, Error *error)
{
    const Plan *plan = &run->plan;
    for (int turn = 0; turn < 2; turn++) {
        const bool filters = (turn == 0) == (plan->options.order == ORDER_FILTERS_FIRST);
        if (!filters && !plan->learns_alpha)
            continue;
        const Step step = filters ? step_a(run, session) : step_b(run, session);
        count_step(filters ? &run->tally_a : &run->tally_b, step, plan->options.batch);
        if (!check_step(run, step, error))
            return false;
    }
    if (session->dump)
        dump_mixes(session->dump, iterations_done(run), run->net);
    run->iteration++;
    return true;
}

/* Shows where the epoch is; `since` is when this program's steps of it began, of which `done` are done. */
static void show(const Run *run, double since, int done)
{
    const Plan *plan = &run->plan;
    const Tally *a = &run->tally_a;
    const double seconds = progress_seconds() - since;
    const long left = (long)(plan->epochs - run->epoch) * plan->iterations - run->iteration;
    progress_show(&(Progress){.run = run->folder,
                              .epoch = run->epoch + 1,
                              .epochs = plan->epochs,
                              .iteration = run->iteration,
                              .iterations = plan->iterations,
                              .loss = a->loss / (double)a->images,
                              .accuracy = 100.0 * (double)a->correct / (double)a->images,
                              .images_per_second = done * (double)plan->options.batch / seconds,
                              .seconds_left = seconds / done * (double)left});
}

static bool save(Run *run, Session *session, Error *error)
{
    session->saved = progress_seconds();
    return run_save(run, error);
}

/* The steps of an epoch that are left, or until a signal asks to stop. */
static bool train_epoch(Run *run, Session *session, Error *error)
{
    double since = progress_seconds();
    const double before = run->seconds;
    const int from = run->iteration;
    while (run->iteration < run->plan.iterations && !job_stop()) {
        const double start = progress_seconds();
        if (!iterate(run, session, error))
            return false;
        const double step = progress_seconds() - start;
        run->seconds = before + progress_seconds() - since;
        show(run, since, run->iteration - from);
        const double told = progress_seconds();
        if (!estimate_step(&session->estimate, run, step, error))
            return false;
        since += progress_seconds() - told;
        if (job_decides(progress_seconds() - session->saved >= session->save_every) &&
            !save(run, session, error))
            return false;
    }
    return true;
}

/* The lines of the epoch that is done now. */
static void record_epoch(Run *run, const Score *test)
{
    const Plan *plan = &run->plan;
    const Tally *a = &run->tally_a, *b = &run->tally_b;
    const double steps_b = b->steps ? (double)b->steps : 1, images_b = b->images ? (double)b->images : 1;
    double alpha[MAX_LAYERS * MAX_LEVELS];
    text_add(&run->log, "%d\t%.9g\t%.9g\t%.9g\t%.6f\t%.9g\t%.6f\t%d\t%.9g\t%.6f\t%.9g\t%.9g\t%.9g\t%.9g\n",
             run->epoch + 1, sgd_of(plan, run->epoch).lr, plan->learns_alpha ? adam_of(plan).lr : 0,
             a->loss / (double)a->images, 100.0 * (double)a->correct / (double)a->images, b->loss / images_b,
             100.0 * (double)b->correct / images_b, test->images, test->loss,
             100.0 * test->correct / test->images, sqrt(a->gradient2 / (double)a->steps),
             sqrt(a->decay2 / (double)a->steps), sqrt(b->gradient2 / steps_b), sqrt(b->decay2 / steps_b));
    network_alpha(run->net, alpha);
    /* A fabric has no alpha, and nothing stands for an epoch: a line without its number could not be cut
     * back. */
    for (int l = 0; l < plan->network.layers && plan->network.levels > 0; l++) {
        text_add(&run->alpha, "%d\t%d", run->epoch + 1, l + 1);
        for (int r = 0; r < plan->network.levels; r++)
            text_add(&run->alpha, "\t%.9g", alpha[l * plan->network.levels + r]);
        text_add(&run->alpha, l + 1 < plan->network.layers ? "\n" : "\n\n");
    }
    if (!plan->network.depth)
        return;
    double beta[MAX_LAYERS];
    network_beta(run->net, beta);
    text_add(&run->beta, "%d", run->epoch + 1);
    for (int l = 0; l < plan->network.layers - 1; l++)
        text_add(&run->beta, "\t%.9g", beta[l]);
    text_add(&run->beta, "\n");
}

/* The class and the predicted one of each test image, in the order of the data set. */
static void record_predictions(Run *run, const int *predictions, int images)
{
    text_add(&run->predictions, "label\tpredicted\n");
    for (int i = 0; i < images; i++)
        text_add(&run->predictions, "%d\t%d\n", run->data.test.labels[i], predictions[i]);
}

static void note_epoch(const Run *run, const Score *test, double seconds)
{
    const Tally *a = &run->tally_a;
    char figures[128], line[PROGRESS_WIDTH + 1];
    snprintf(figures, sizeof figures, "epoch %d/%d  loss %.4g  %.2f %%  test %.2f %% of %d  %.1f s",
             run->epoch + 1, run->plan.epochs, a->loss / (double)a->images,
             100.0 * (double)a->correct / (double)a->images, 100.0 * test->correct / test->images,
             test->images, seconds);
    progress_text(line, run->folder, figures);
    progress_note("%s", line);
}

/* Tests the network after its last step of the epoch, records the epoch and starts the next. Nothing of this
 * is done if a signal asks to stop before all images are tested. */
static bool finish_epoch(Run *run, Session *session, Error *error)
{
    const Plan *plan = &run->plan;
    const bool last = run->epoch + 1 == plan->epochs;
    const int images = last ? plan->options.images_test : plan->options.images_epoch;
    const double start = progress_seconds();
    Score test;
    int *predictions = malloc((size_t)images * sizeof *predictions);
    const bool tested =
        job_agrees(predictions || fail(error, "not enough memory for the predictions of %.400s", run->folder),
                   error) &&
        score_network(&test, predictions, run->net, &run->data, &run->data.test, NULL, images, error);
    if (tested && last && test.images == images)
        record_predictions(run, predictions, images);
    free(predictions);
    if (!tested)
        return false;
    if (test.images < images)
        return true;
    if (!isfinite(test.loss))
        return run_fails(run, run->epoch + 1, run->iteration, "the loss on the test set is not finite",
                         error);
    const double seconds = progress_seconds() - start;
    record_epoch(run, &test);
    text_add(&run->timing, "%d\t%.3f\t%.3f\t%.1f\n", run->epoch + 1, run->seconds, seconds,
             (double)run->tally_a.images / run->seconds);
    note_epoch(run, &test, run->seconds + seconds);
    run->epoch++;
    run->iteration = 0;
    run->tally_a = run->tally_b = (Tally){0};
    run->seconds = 0;
    return save(run, session, error);
}

/* The epochs that are left, or until a signal asks to stop. */
static bool train_epochs(Run *run, Session *session, Error *error)
{
    bool ok = true;
    while (ok && run->epoch < run->plan.epochs && !job_stop()) {
        ok = train_epoch(run, session, error);
        if (ok && !job_stop())
            ok = finish_epoch(run, session, error);
    }
    if (ok && run->epoch < run->plan.epochs)
        return run_save(run, error);
    return ok && job_agrees(!session->dump || dump_write(session->dump, error), error);
}

static bool write_result(const Run *run, Error *error)
{
    Text result = {0};
    const bool ok = (result_text(&result, &run->plan, run->log.bytes, run->beta.bytes) ||
                     fail(error, "not enough memory for the log of %.400s", run->folder)) &&
                    provenance_finish(run->folder, error) &&
                    text_write(&result, run->folder, "result.tsv", error);
    text_free(&result);
    return ok;
}

bool training_finish(Run *run, double save_every, const char *dump, Error *error)
{
    Session session = {.save_every = save_every, .saved = progress_seconds()};
    session.estimate.starts = iterations_done(run) == 0;
    if (dump && !job_agrees(!job_writes() || (session.dump = dump_begin(run, dump, error)), error)) {
        dump_free(session.dump);
        return false;
    }
    const bool fed = feed_make(&session.feed, &run->plan, error);
    const bool ok = job_agrees(fed, error) && train_epochs(run, &session, error);
    if (fed)
        feed_free(&session.feed);
    dump_free(session.dump);
    if (!ok || run->epoch < run->plan.epochs)
        return ok;
    run->finished = true;
    return job_agrees(!job_writes() || write_result(run, error), error);
}
