/* A layer for tests. */
#include "layer_case.h"
#include "inputs.h"
#include "lanes.h"
#include <check.h>

#define SPEC(c, k, h, w, levels, kept, down, up, bias, affine, shared)                         \
    {                                                                                          \
        c, k, h, w, levels, kept, down, up, bias, affine, shared, 1e-5, 0.1, BLOCK_CONV, false \
    }

/* The same with filters of its own at each level. */
#define UNSHARED(c, k, h, w, levels, kept, down, up, bias, affine, shared)                    \
    {                                                                                         \
        c, k, h, w, levels, kept, down, up, bias, affine, shared, 1e-5, 0.1, BLOCK_CONV, true \
    }

#define MBCONV(c, k, h, w, levels, kept, down, up, affine, shared)                                \
    {                                                                                             \
        c, k, h, w, levels, kept, down, up, false, affine, shared, 1e-5, 0.1, BLOCK_MBCONV, false \
    }

const LayerRow layer_table[] = {
    {SPEC(3, 6, 8, 8, 1, 1, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 17},
    {SPEC(5, 7, 8, 16, 4, 15, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 18},
    {SPEC(4, 4, 16, 8, 4, 10, POOL_MAX, UPSAMPLE_NEAREST, false, false, false), 5},
    {SPEC(4, 3, 8, 8, 3, 4, POOL_MAX, UPSAMPLE_NEAREST, true, true, false), 16},
    {SPEC(3, 5, 8, 8, 3, 7, POOL_AVERAGE, UPSAMPLE_NEAREST, true, true, true), 20},
    {SPEC(6, 2, 8, 8, 3, 6, POOL_SUBSAMPLE, UPSAMPLE_NEAREST, true, true, false), 33},
    {SPEC(4, 6, 8, 8, 3, 7, POOL_MAX, UPSAMPLE_BILINEAR, true, true, false), 19},
    {SPEC(2, 3, 16, 16, 5, 30, POOL_AVERAGE, UPSAMPLE_BILINEAR, false, false, false), 3},
    {SPEC(16, 16, 16, 16, 5, 31, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 16},
    {SPEC(24, 25, 8, 8, 2, 3, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 17},
    {SPEC(12, 10, 8, 12, 2, 3, POOL_AVERAGE, UPSAMPLE_NEAREST, false, true, false), 19},
    {SPEC(24, 26, 16, 16, 4, 13, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 18},
    {SPEC(25, 24, 16, 16, 4, 11, POOL_SUBSAMPLE, UPSAMPLE_NEAREST, true, true, false), 16},
    {SPEC(25, 26, 16, 16, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 16},
    {SPEC(12, 10, 8, 8, 2, 3, POOL_MAX, UPSAMPLE_BILINEAR, true, false, false), 16},
    {SPEC(3, 66, 4, 4, 2, 3, POOL_MAX, UPSAMPLE_NEAREST, true, true, false), 33},
    {SPEC(8, 10, 2, 2, 2, 3, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 21},
    {MBCONV(4, 4, 4, 8, 1, 1, POOL_MAX, UPSAMPLE_NEAREST, false, false), 17},
    {MBCONV(5, 5, 8, 8, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, false), 18},
    {MBCONV(3, 6, 8, 4, 3, 6, POOL_AVERAGE, UPSAMPLE_NEAREST, true, true), 5},
    {MBCONV(9, 9, 4, 4, 3, 5, POOL_SUBSAMPLE, UPSAMPLE_BILINEAR, true, false), 20},
    {MBCONV(16, 16, 4, 4, 2, 2, POOL_MAX, UPSAMPLE_NEAREST, false, false), 33},
    {UNSHARED(3, 5, 8, 8, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, true, false), 18},
    {UNSHARED(4, 6, 8, 8, 4, 11, POOL_AVERAGE, UPSAMPLE_BILINEAR, false, true, true), 17},
    {UNSHARED(16, 16, 16, 16, 5, 29, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 16},
    {UNSHARED(24, 26, 16, 16, 3, 7, POOL_MAX, UPSAMPLE_NEAREST, true, false, false), 17},
};
const int layer_rows = sizeof layer_table / sizeof *layer_table;

Shape layer_case_in(const LayerCase *c, int r)
{
    return (Shape){c->n, c->spec.channels_in, c->spec.height >> r, c->spec.width >> r};
}

Shape layer_case_out(const LayerCase *c, int r)
{
    return (Shape){c->n, c->spec.channels_out, c->spec.height >> r, c->spec.width >> r};
}

Conv2dShape layer_case_block(const LayerCase *c, int r)
{
    return (Conv2dShape){
        c->n, c->spec.channels_in, c->spec.channels_out, c->spec.height >> r, c->spec.width >> r, 3, 1};
}

const double *layer_case_gamma(const LayerCase *c, int r)
{
    const LayerSpec *s = &c->spec;
    return s->affine ? c->filters + layer_gamma_at(s, r) + layer_norm_gamma(s, layer_block_norms(s) - 1)
                     : NULL;
}

const double *layer_case_beta(const LayerCase *c, int r)
{
    return c->spec.affine ? layer_case_gamma(c, r) + c->spec.channels_out : NULL;
}

static Vector *vector_of(const Engine *engine, const double *values, size_t count)
{
    Vector *v = engine->vector_create(count);
    ck_assert_ptr_nonnull(v);
    engine->vector_write(v, 0, values, count);
    return v;
}

void layer_case_make(LayerCase *c, const Engine *engine, LayerRow row)
{
    *c = (LayerCase){.engine = engine, .spec = row.spec, .n = row.n};
    c->filters_count = layer_filters_count(&c->spec);
    c->logits_count = (size_t)c->spec.levels;
    c->statistics_count = layer_statistics_count(&c->spec);
    c->filters = random_doubles(c->filters_count, 1);
    c->dfilters = random_doubles(c->filters_count, 2);
    c->logits = random_doubles(c->logits_count, 3);
    c->dlogits = random_doubles(c->logits_count, 4);
    c->input = random_doubles(shape_count(layer_case_in(c, 0)), 5);
    c->cotangent = random_doubles(shape_count(layer_case_out(c, 0)), 6);
    c->output = doubles(shape_count(layer_case_out(c, 0)));
    c->at = (Slices){.filters = vector_of(engine, c->filters, c->filters_count),
                     .dfilters = vector_of(engine, c->dfilters, c->filters_count),
                     .logits = vector_of(engine, c->logits, c->logits_count),
                     .dlogits = vector_of(engine, c->dlogits, c->logits_count),
                     .statistics = engine->vector_create(c->statistics_count)};
    c->layer = engine->layer_create(&c->spec, c->at, c->n);
    c->x = engine->tensor_create(layer_case_in(c, 0));
    c->y = engine->tensor_create(layer_case_out(c, 0));
    c->dx = engine->tensor_create(layer_case_in(c, 0));
    c->dy = engine->tensor_create(layer_case_out(c, 0));
    ck_assert(c->at.statistics && c->layer && c->x && c->y && c->dx && c->dy);
    engine->tensor_import(c->x, as_floats(c->input, shape_count(layer_case_in(c, 0))), c->n);
    engine->tensor_import(c->dy, as_floats(c->cotangent, shape_count(layer_case_out(c, 0))), c->n);
}

void layer_case_free(LayerCase *c)
{
    c->engine->layer_free(c->layer);
    c->engine->tensor_free(c->x);
    c->engine->tensor_free(c->y);
    c->engine->tensor_free(c->dx);
    c->engine->tensor_free(c->dy);
    c->engine->vector_free(c->at.filters);
    c->engine->vector_free(c->at.dfilters);
    c->engine->vector_free(c->at.logits);
    c->engine->vector_free(c->at.dlogits);
    c->engine->vector_free(c->at.statistics);
}

void layer_case_forward(LayerCase *c, Pass pass)
{
    c->engine->layer_forward(c->layer, c->y, c->x, pass);
    c->engine->tensor_export(c->output, c->y);
}

void layer_case_backward(LayerCase *c, unsigned wanted)
{
    c->engine->layer_backward(c->layer, c->dx, c->dy, wanted);
}

double *layer_case_stage(const LayerCase *c, Stage stage, int r)
{
    double *values = doubles(shape_count(layer_stage_shape(&c->spec, stage, r, c->n)));
    ck_assert_msg(c->engine->layer_stage(c->layer, stage, r, values), "no stage %d at level %d", (int)stage,
                  r);
    return values;
}

double *layer_case_vector(const LayerCase *c, const Vector *v, size_t count)
{
    double *values = doubles(count);
    c->engine->vector_read(values, v, 0, count);
    return values;
}
