/* multires for build/kernel. In the fast sets it is the very layer that a network trains, by way of its
 * engine. */
#include "../../../ref/multires.h"
#include "../../../ref/engine.h"
#include "passes.h"
#include <string.h>

/* A layer with its parameters, gradients, input and output. What could not be made is NULL. */
typedef struct {
    const Engine *engine;
    LayerSpec spec;
    Slices at;
    Tensor *x, *y;
    Layer *layer;
} LayerJob;

/* Of mbconv, whose arrays are these. */
static bool is_mbconv(const Job *job)
{
    return job_array(job, "expand") != NULL;
}

static LayerSpec layer_spec(const Job *job)
{
    const Conv2dShape s = job_conv2d(job);
    if (is_mbconv(job))
        return (LayerSpec){.channels_in = s.c,
                           .channels_out = s.k,
                           .height = s.h,
                           .width = s.w,
                           .levels = 1,
                           .kept = 1,
                           .block = BLOCK_MBCONV,
                           .eps = job_number(job, "eps"),
                           .momentum = 0.1};
    const int levels = job_dimension(job, 'R');
    return (LayerSpec){.channels_in = s.c,
                       .channels_out = s.k,
                       .height = s.h,
                       .width = s.w,
                       .levels = levels,
                       .kept = all_levels(levels),
                       .down = (PoolMode)job_word(job, "down"),
                       .up = (UpsampleMode)job_word(job, "up"),
                       .bias = job_array(job, "b") != NULL,
                       .eps = job_number(job, "eps"),
                       .momentum = 0.1};
}

static void layer_job_free(LayerJob *l)
{
    const Engine *engine = l->engine;
    engine->layer_free(l->layer);
    engine->tensor_free(l->x);
    engine->tensor_free(l->y);
    engine->vector_free(l->at.filters);
    engine->vector_free(l->at.dfilters);
    engine->vector_free(l->at.logits);
    engine->vector_free(l->at.dlogits);
    engine->vector_free(l->at.statistics);
}

/* False if memory ran out; the caller frees it either way. */
static bool layer_job_create(LayerJob *l, const Engine *engine, const Job *job)
{
    const LayerSpec spec = layer_spec(job);
    const Conv2dShape s = job_conv2d(job);
    *l = (LayerJob){
        .engine = engine,
        .spec = spec,
        .at = {.filters = engine->vector_create(layer_filters_count(&spec)),
               .dfilters = engine->vector_create(layer_filters_count(&spec)),
               .logits = engine->vector_create((size_t)spec.levels),
               .dlogits = engine->vector_create((size_t)spec.levels),
               .statistics = engine->vector_create(layer_statistics_count(&spec))},
        .x = engine->tensor_create(conv2d_input(s)),
        .y = engine->tensor_create(conv2d_output(s)),
    };
    if (l->at.filters && l->at.dfilters && l->at.logits && l->at.dlogits && l->at.statistics && l->x && l->y)
        l->layer = engine->layer_create(&spec, l->at, s.n);
    return l->layer != NULL;
}

/* Engines take images as floats. */
static void import(Job *job, Tensor *t, const Engine *engine, const char *name)
{
    const Array *array = job_array(job, name);
    float *images = job_memory(job, array->count, sizeof *images);
    if (images == NULL)
        return;
    for (size_t i = 0; i < array->count; i++)
        images[i] = (float)array->values[i];
    engine->tensor_import(t, images, array->dims[0]);
}

/* MBConv's parameters where they stand in the layer's slice. */
enum { MBCONV_ARRAYS = 7 };
static const char *const mbconv_names[MBCONV_ARRAYS] = {"expand", "depthwise", "w1",     "b1",
                                                        "w2",     "b2",        "project"};
static const char *const mbconv_gradients[MBCONV_ARRAYS] = {"dexpand", "ddepthwise", "dw1",     "db1",
                                                            "dw2",     "db2",        "dproject"};

static void mbconv_places(size_t at[MBCONV_ARRAYS + 1], const LayerSpec *spec)
{
    const MbconvPlaces p = layer_mbconv(spec);
    const size_t places[] = {p.expand, p.depthwise, p.w1, p.b1, p.w2, p.b2, p.project, p.end};
    memcpy(at, places, sizeof places);
}

static void write_parameters(const LayerJob *l, const Job *job)
{
    const Engine *engine = l->engine;
    size_t at[MBCONV_ARRAYS + 1];
    mbconv_places(at, &l->spec);
    for (int i = 0; is_mbconv(job) && i < MBCONV_ARRAYS; i++)
        engine->vector_write(l->at.filters, at[i], job_input(job, mbconv_names[i]), at[i + 1] - at[i]);
    if (is_mbconv(job))
        return;
    const size_t weights = layer_weights_count(&l->spec);
    engine->vector_write(l->at.filters, 0, job_input(job, "w"), weights);
    if (l->spec.bias)
        engine->vector_write(l->at.filters, weights, job_input(job, "b"), (size_t)l->spec.channels_out);
    engine->vector_write(l->at.logits, 0, job_input(job, "a"), (size_t)l->spec.levels);
}

static void read_gradients(Job *job, const LayerJob *l)
{
    const Engine *engine = l->engine;
    size_t at[MBCONV_ARRAYS + 1];
    mbconv_places(at, &l->spec);
    for (int i = 0; is_mbconv(job) && i < MBCONV_ARRAYS; i++)
        engine->vector_read(job_output(job, mbconv_gradients[i]), l->at.dfilters, at[i], at[i + 1] - at[i]);
    if (is_mbconv(job))
        return;
    const size_t weights = layer_weights_count(&l->spec);
    engine->vector_read(job_output(job, "dw"), l->at.dfilters, 0, weights);
    if (l->spec.bias)
        engine->vector_read(job_output(job, "db"), l->at.dfilters, weights, (size_t)l->spec.channels_out);
    engine->vector_read(job_output(job, "da"), l->at.dlogits, 0, (size_t)l->spec.levels);
}

/* y takes the cotangent in the backward pass: the layer does not read it again. */
static void layer_backward(Job *job, LayerJob *l, Tensor *dx)
{
    import(job, l->y, l->engine, "dy");
    if (job->memory_failed)
        return;
    l->engine->layer_backward(l->layer, dx, l->y, WANT_FILTERS | WANT_LOGITS);
    l->engine->tensor_export(job_output(job, "dx"), dx);
    read_gradients(job, l);
}

static void by_engine(Job *job, const Engine *engine)
{
    LayerJob l;
    bool made = layer_job_create(&l, engine, job);
    Tensor *dx = made && job->backward ? engine->tensor_create(conv2d_input(job_conv2d(job))) : NULL;
    if (made)
        import(job, l.x, engine, "x");
    if (!made || (job->backward && dx == NULL))
        job->memory_failed = true;
    if (!job->memory_failed) {
        write_parameters(&l, job);
        engine->layer_forward(l.layer, l.y, l.x, PASS_FILTERS);
        if (job->backward)
            layer_backward(job, &l, dx);
        else
            engine->tensor_export(job_output(job, "y"), l.y);
    }
    engine->tensor_free(dx);
    layer_job_free(&l);
}

void pass_mbconv_by_engine(Job *job)
{
    by_engine(job, job->kernels->engine);
}

static MultiresShape multires_shape(const Job *job)
{
    const int levels = job_dimension(job, 'R');
    return (MultiresShape){.block = job_conv2d(job),
                           .levels = levels,
                           .kept = all_levels(levels),
                           .down = (PoolMode)job_word(job, "down"),
                           .up = (UpsampleMode)job_word(job, "up"),
                           .eps = job_number(job, "eps")};
}

/* Runs the forward pass into y; false if memory ran out. */
static bool multires_run(Job *job, double *y, MultiresCache *cache, MultiresParameters *p)
{
    const MultiresShape s = multires_shape(job);
    const Shape in = conv2d_input(s.block), out = conv2d_output(s.block);
    for (int r = 0; r < s.levels; r++) {
        cache->pooled[r] = job_memory(job, shape_count(shape_coarser(in, 1 << r)), sizeof(double));
        cache->activation[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        cache->mean[r] = job_memory(job, (size_t)out.c, sizeof(double));
        cache->variance[r] = job_memory(job, (size_t)out.c, sizeof(double));
        cache->upsampled[r] = job_memory(job, shape_count(out), sizeof(double));
    }
    if (job->memory_failed)
        return false;
    *p = (MultiresParameters){.w = job_input(job, "w"), .b = job_input(job, "b"), .a = job_input(job, "a")};
    ref_multires_forward(y, cache, job_input(job, "x"), *p, true, s);
    return true;
}

static void ref_forward(Job *job)
{
    MultiresCache cache;
    MultiresParameters p;
    multires_run(job, job_output(job, "y"), &cache, &p);
}

static void ref_backward(Job *job)
{
    const MultiresShape s = multires_shape(job);
    const Shape in = conv2d_input(s.block), out = conv2d_output(s.block);
    MultiresCache cache;
    MultiresParameters p;
    MultiresScratch scratch;
    double *y = job_memory(job, shape_count(out), sizeof *y);
    for (int r = 0; r < s.levels; r++) {
        scratch.dpooled[r] = job_memory(job, shape_count(shape_coarser(in, 1 << r)), sizeof(double));
        scratch.dactivation[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dnormalised[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dconv[r] = job_memory(job, shape_count(shape_coarser(out, 1 << r)), sizeof(double));
        scratch.dupsampled[r] = job_memory(job, shape_count(out), sizeof(double));
    }
    if (job->memory_failed || !multires_run(job, y, &cache, &p))
        return;
    MultiresGradients d = {
        .dw = job_output(job, "dw"), .db = job_output(job, "db"), .da = job_output(job, "da")};
    ref_multires_backward(job_output(job, "dx"), d, &scratch, job_input(job, "dy"), job_input(job, "x"),
                          &cache, p, s);
}

void pass_multires_forward(Job *job)
{
    if (job->kernels)
        by_engine(job, job->kernels->engine);
    else
        ref_forward(job);
}

void pass_multires_backward(Job *job)
{
    if (job->kernels)
        by_engine(job, job->kernels->engine);
    else
        ref_backward(job);
}
