/* The backward pass of the whole multi-resolution layer against central differences.
 *
 * Claims: abs.differentiable eq4. */
#include "inputs.h"
#include "multires_case.h"
#include "suites.h"

typedef struct {
    MultiresShape shape;
    bool bias;
    Affine affine;
} Description;

/* What is kept of R levels, by its place in a list: all, the finest, the coarsest, all but one in between. */
static unsigned mask(int which, int levels)
{
    const unsigned all = all_levels(levels);
    const unsigned masks[4] = {all, 1u, 1u << (levels - 1), levels > 2 ? all & ~(1u << (levels - 2)) : all};
    return masks[which];
}

enum { MASKS = 4, LEVELS = 4, DOWNS = 3, UPS = 2, CASES = MASKS * LEVELS * DOWNS * UPS };

/* Every mask, R, S and U together; bias and affine map take turns, so that each meets each of those. The
 * large eps keeps batch norm of the few pixels of a coarse map smooth over the step. */
static Description description(int i)
{
    const int which = i % MASKS, levels = i / MASKS % LEVELS + 1, down = i / MASKS / LEVELS % DOWNS,
              up = i / MASKS / LEVELS / DOWNS;
    const int turn = which + levels + down + up, height = levels > 3 ? 8 : 4;
    return (Description){
        .shape = {.block = {4, 2, 3, height, 2 * height, turn % 5 ? 3 : 1, 1},
                  .levels = levels,
                  .kept = mask(which, levels),
                  .down = (PoolMode)down,
                  .up = (UpsampleMode)up,
                  .eps = 0.1},
        .bias = turn % 2,
        .affine = (Affine)(turn % 3),
    };
}

typedef struct {
    double *dx;
    MultiresGradients d;
} Gradients;

/* Prefilled gradients of everything; levels share dgamma and dbeta where they share gamma and beta. */
static Gradients gradients_create(const MultiresCase *m)
{
    Gradients g = {.dx = prefilled(shape_count(conv2d_input(m->s.block)))};
    const int k = m->s.block.k;
    g.d.dw = prefilled(multires_filters(m));
    g.d.db = m->b ? g.d.dw + conv2d_filters(m->s.block) : NULL;
    g.d.da = prefilled(m->s.levels);
    for (int r = 0; r < m->s.levels; r++) {
        if (!m->gamma[r])
            continue;
        for (int earlier = 0; earlier < r; earlier++)
            if (m->gamma[earlier] == m->gamma[r])
                g.d.dgamma[r] = g.d.dgamma[earlier], g.d.dbeta[r] = g.d.dbeta[earlier];
        if (!g.d.dgamma[r])
            g.d.dgamma[r] = prefilled(k), g.d.dbeta[r] = prefilled(k);
    }
    return g;
}

static void backward(MultiresCase *m, double *dx, MultiresGradients d)
{
    ref_multires_backward(dx, d, &m->scratch, m->cotangent, m->x, &m->cache, multires_parameters(m), m->s);
}

static void check(MultiresCase *m, double *x, double *gradient, size_t count, const char *what)
{
    subtract_prefill(gradient, count);
    CK_GRADIENT(((GradientCheck){multires_loss, m, x, gradient, count}), what);
}

/* Seeds for which no tensor's whole gradient happens to vanish: it would leave no unit to measure in. */
static MultiresCase case_of(int i)
{
    const Description d = description(i);
    return multires_case(d.shape, d.bias, d.affine, 1000 + 100 * i);
}

START_TEST(test_multires_backward_matches_differences)
{
    MultiresCase m = case_of(_i);
    Gradients g = gradients_create(&m);
    const int k = m.s.block.k;
    multires_loss(&m);
    backward(&m, g.dx, g.d);
    check(&m, m.x, g.dx, shape_count(conv2d_input(m.s.block)), "dx");
    /* Batch norm takes the bias of a channel off again where it is active everywhere: such a gradient of 0
     * has no unit of its own, so filters and biases are one tensor. */
    check(&m, m.w, g.d.dw, multires_filters(&m), "dw, db");
    check(&m, m.a, g.d.da, m.s.levels, "da");
    const double *checked = NULL;
    for (int r = 0; r < m.s.levels; r++) {
        if (!m.gamma[r] || m.gamma[r] == checked)
            continue;
        checked = m.gamma[r];
        check(&m, m.gamma[r], g.d.dgamma[r], k, "dgamma");
        check(&m, m.beta[r], g.d.dbeta[r], k, "dbeta");
    }
}
END_TEST

/* What is not wanted is not touched, and what is wanted does not change by it. */
START_TEST(test_multires_backward_forms_only_what_is_wanted)
{
    MultiresCase m = case_of(_i);
    const size_t in = shape_count(conv2d_input(m.s.block)), filters = multires_filters(&m);
    const int k = m.s.block.k;
    Gradients all = gradients_create(&m), no_dx = gradients_create(&m), no_dw = gradients_create(&m),
              no_da = gradients_create(&m), untouched = gradients_create(&m);
    no_dw.d.dw = NULL;
    no_da.d.da = NULL;
    multires_loss(&m);
    backward(&m, all.dx, all.d);
    backward(&m, NULL, no_dx.d);
    backward(&m, no_dw.dx, no_dw.d);
    backward(&m, no_da.dx, no_da.d);

    CK_WITHIN(compare_exact_double(no_dx.d.dw, all.d.dw, filters), 0, "dw, db without dx");
    CK_WITHIN(compare_exact_double(no_dx.d.da, all.d.da, m.s.levels), 0, "da without dx");
    CK_WITHIN(compare_exact_double(no_dw.dx, all.dx, in), 0, "dx without dw");
    CK_WITHIN(compare_exact_double(no_dw.d.da, all.d.da, m.s.levels), 0, "da without dw");
    CK_WITHIN(compare_exact_double(no_da.dx, all.dx, in), 0, "dx without da");
    CK_WITHIN(compare_exact_double(no_da.d.dw, all.d.dw, filters), 0, "dw, db without da");
    if (m.b)
        CK_WITHIN(compare_exact_double(no_dw.d.db, untouched.d.db, k), 0, "db without dw");
    for (int r = 0; r < m.s.levels; r++) {
        if (!level_kept(m.s.kept, r))
            CK_WITHIN(compare_exact_double(all.d.da + r, untouched.d.da + r, 1), 0, "da of no level");
        if (!m.gamma[r])
            continue;
        CK_WITHIN(compare_exact_double(no_dw.d.dgamma[r], untouched.d.dgamma[r], k), 0, "dgamma without dw");
        CK_WITHIN(compare_exact_double(no_dw.d.dbeta[r], untouched.d.dbeta[r], k), 0, "dbeta without dw");
    }
}
END_TEST

Suite *multires_gradients_suite(void)
{
    Suite *suite = suite_create("multires_gradients");
    TCase *tcase = tcase_create("differences");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, NULL, arrays_free);
    tcase_add_loop_test(tcase, test_multires_backward_matches_differences, 0, CASES);
    tcase_add_loop_test(tcase, test_multires_backward_forms_only_what_is_wanted, 0, CASES);
    suite_add_tcase(suite, tcase);
    return suite;
}
