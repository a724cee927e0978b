/* The two steps of an iteration: forward, backward for one kind of parameter, and the optimizer of that kind.
 */
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

Step filters_step(Network *net, Batch a, Sgd sgd)
{
    Step step;
    step.loss = network_forward(net, a.images, a.labels, a.n, PASS_FILTERS);
    step.correct = network_correct(net, a.labels, a.n);
    net->engine->vector_clear(net->dfilters);
    network_backward(net, WANT_FILTERS);
    step.gradient = norm_of(net, net->dfilters, net->filters_count);
    step.decay = sgd.weight_decay * norm_of(net, net->filters, net->filters_count);
    net->engine->sgd_step(net->filters, net->velocity, net->dfilters, sgd);
    return step;
}

Step logits_step(Network *net, Batch b, Adam adam, int t)
{
    Step step;
    step.loss = network_forward(net, b.images, b.labels, b.n, PASS_LOGITS);
    step.correct = network_correct(net, b.labels, b.n);
    net->engine->vector_clear(net->dlogits);
    network_backward(net, WANT_LOGITS);
    step.gradient = norm_of(net, net->dlogits, net->logits_count);
    step.decay = adam.weight_decay * norm_of(net, net->logits, net->logits_count);
    net->engine->adam_step(net->logits, net->moment1, net->moment2, net->dlogits, t, adam);
    return step;
}
