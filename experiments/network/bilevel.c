/* The step of an iteration, told once: forward, backward for one kind of parameter, and the optimizer of that
 * kind. */
#include "bilevel.h"
#include <math.h>

static double norm_of(const Network *net, const Vector *v, size_t count)
{
    double sum = 0;
    net->engine->vector_read(net->numbers, v, 0, count);
    for (size_t i = 0; i < count; i++)
        sum += net->numbers[i] * net->numbers[i];
    return sqrt(sum);
}

/* The gradient of the batch's loss in the parameters w (count), left in dw for the optimizer. */
static Step measure(Network *net, Batch batch, Pass pass, Wanted wanted, const Vector *w, Vector *dw,
                    size_t count, double weight_decay)
{
    Step step;
    step.loss = network_forward(net, batch.images, batch.labels, batch.n, pass);
    step.correct = network_correct(net, batch.labels, batch.n);
    net->engine->vector_clear(dw);
    network_backward(net, wanted);
    step.gradient = norm_of(net, dw, count);
    step.decay = weight_decay * norm_of(net, w, count);
    return step;
}

Step filters_step(Network *net, Batch a, Sgd sgd)
{
    const Step step = measure(net, a, PASS_FILTERS, WANT_FILTERS, net->filters, net->dfilters,
                              net->filters_count, sgd.weight_decay);
    net->engine->sgd_step(net->filters, net->velocity, net->dfilters, sgd);
    return step;
}

Step logits_step(Network *net, Batch b, Adam adam, int t)
{
    const Step step = measure(net, b, PASS_LOGITS, WANT_LOGITS, net->logits, net->dlogits, net->logits_count,
                              adam.weight_decay);
    net->engine->adam_step(net->logits, net->moment1, net->moment2, net->dlogits, t, adam);
    return step;
}
