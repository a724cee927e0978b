/* oneDNN on the same convolution, in the layouts that it prefers: its time is that of its primitive alone.
 * Built in where libdnnl-dev is installed. */
#include "bench.h"

#ifndef HAVE_ONEDNN

double onednn_seconds(ConvolutionPass pass, Algorithm algorithm, bool bf16, Conv2dShape s)
{
    (void)pass, (void)algorithm, (void)bf16, (void)s;
    return 0;
}

#else

#include <dnnl.h>

/* Handles of one measurement; those that were made are destroyed. */
typedef struct {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t forward, description;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[3];
    dnnl_exec_arg_t arguments[3];
} Handles;

/* bf16: maps and filters are bfloat16, the gradient of the filters is float. */
static bool describe(Handles *h, ConvolutionPass pass, Algorithm algorithm, bool bf16, Conv2dShape s)
{
    const Shape out = conv2d_output(s);
    const dnnl_dims_t x = {s.n, s.c, s.h, s.w}, w = {s.k, s.c, s.side, s.side}, y = {s.n, s.k, out.h, out.w};
    const dnnl_dims_t strides = {s.stride, s.stride}, pad = {(s.side - 1) / 2, (s.side - 1) / 2};
    const dnnl_alg_kind_t kind =
        algorithm == ALGORITHM_WINOGRAD ? dnnl_convolution_winograd : dnnl_convolution_direct;
    const dnnl_data_type_t type = bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t xd, wd, yd, dwd;
    dnnl_convolution_desc_t forward, backward;
    dnnl_memory_desc_init_by_tag(&xd, 4, x, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&wd, 4, w, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&yd, 4, y, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&dwd, 4, w, dnnl_f32, dnnl_format_tag_any);
    if (dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, kind, &xd, &wd, NULL, &yd,
                                           strides, pad, pad) != dnnl_success ||
        dnnl_primitive_desc_create(&h->forward, &forward, NULL, h->engine, NULL) != dnnl_success)
        return false;
    if (pass == PASS_FORWARD)
        return dnnl_primitive_desc_clone(&h->description, h->forward) == dnnl_success;
    const dnnl_status_t status =
        pass == PASS_BACKWARD_DATA
            ? dnnl_convolution_backward_data_desc_init(&backward, kind, &xd, &wd, &yd, strides, pad, pad)
            : dnnl_convolution_backward_weights_desc_init(&backward, kind, &xd, &dwd, NULL, &yd, strides, pad,
                                                          pad);
    return status == dnnl_success && dnnl_primitive_desc_create(&h->description, &backward, NULL, h->engine,
                                                                h->forward) == dnnl_success;
}

/* An array in the layout that the primitive asks for, filled with small numbers. */
static bool add_memory(Handles *h, int i, int argument, dnnl_query_t query)
{
    const dnnl_memory_desc_t *description = dnnl_primitive_desc_query_md(h->description, query, 0);
    void *data = NULL;
    if (!description ||
        dnnl_memory_create(&h->memory[i], description, h->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        dnnl_memory_get_data_handle(h->memory[i], &data) != dnnl_success || !data)
        return false;
    const size_t bytes = dnnl_memory_desc_get_size(description);
    if (description->data_type == dnnl_bf16) /* numbers from 0.25 to 1 */
        for (size_t k = 0; k < bytes / sizeof(uint16_t); k++)
            ((uint16_t *)data)[k] = (uint16_t)(0x3e80 + k % 251);
    else
        for (size_t k = 0; k < bytes / sizeof(float); k++)
            ((float *)data)[k] = (float)(k % 17) / 17 - 0.5f;
    h->arguments[i] = (dnnl_exec_arg_t){argument, h->memory[i]};
    return true;
}

static bool add_memories(Handles *h, ConvolutionPass pass)
{
    switch (pass) {
    case PASS_FORWARD:
        return add_memory(h, 0, DNNL_ARG_SRC, dnnl_query_src_md) &&
               add_memory(h, 1, DNNL_ARG_WEIGHTS, dnnl_query_weights_md) &&
               add_memory(h, 2, DNNL_ARG_DST, dnnl_query_dst_md);
    case PASS_BACKWARD_DATA:
        return add_memory(h, 0, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md) &&
               add_memory(h, 1, DNNL_ARG_WEIGHTS, dnnl_query_weights_md) &&
               add_memory(h, 2, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md);
    default:
        return add_memory(h, 0, DNNL_ARG_SRC, dnnl_query_src_md) &&
               add_memory(h, 1, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md) &&
               add_memory(h, 2, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md);
    }
}

static void execute(void *context)
{
    Handles *h = context;
    dnnl_primitive_execute(h->primitive, h->stream, 3, h->arguments);
    dnnl_stream_wait(h->stream);
}

double onednn_seconds(ConvolutionPass pass, Algorithm algorithm, bool bf16, Conv2dShape s)
{
    Handles h = {0};
    double seconds = 0;
    if (dnnl_engine_create(&h.engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&h.stream, h.engine, dnnl_stream_default_flags) == dnnl_success &&
        describe(&h, pass, algorithm, bf16, s) &&
        dnnl_primitive_create(&h.primitive, h.description) == dnnl_success && add_memories(&h, pass))
        seconds = measure_seconds(execute, &h);
    for (int i = 0; i < 3; i++)
        if (h.memory[i])
            dnnl_memory_destroy(h.memory[i]);
    if (h.primitive)
        dnnl_primitive_destroy(h.primitive);
    if (h.description)
        dnnl_primitive_desc_destroy(h.description);
    if (h.forward)
        dnnl_primitive_desc_destroy(h.forward);
    if (h.stream)
        dnnl_stream_destroy(h.stream);
    if (h.engine)
        dnnl_engine_destroy(h.engine);
    return seconds;
}

#endif
