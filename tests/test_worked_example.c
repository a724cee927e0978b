/* The worked example of the book: one map of 4 x 4 through two levels, every number followed by hand. Part of
 * the suite "paper_identities".
 *
 * Claims: eq4.worked. */
#include "../ref/conv2d.h"
#include "../ref/mix.h"
#include "../ref/pool.h"
#include "../ref/upsample.h"
#include "compare.h"
#include "suites.h"

TCase *worked_example_case(void);

static void expect(const double *got, const double *by_hand, size_t count)
{
    CK_WITHIN(compare_double(got, by_hand, 1, count), 1e-12, "by hand");
}

// book: worked_example
START_TEST(test_the_worked_example_of_the_book)
{
    /* The map; a filter that adds the pixel and its right neighbour; logits whose weights are 3/4 and 1/4. */
    const double h[16] = {1, 0, 2, 1, 0, 3, 0, 0, 1, 1, 0, 2, 0, 2, 1, 0};
    const double w[9] = {0, 0, 0, 0, 1, 1, 0, 0, 0}, a[2] = {1.0986122886681098, 0}; /* ln 3 */
    const Shape full = {1, 1, 4, 4}, half = {1, 1, 2, 2};

    /* Level 1: the maxima of the four squares, convolved, and copied back to full size. */
    double pooled[4], coarse[4], up[16], fine[16], alpha[2], y[16];
    ref_pool_forward(pooled, h, POOL_MAX, 2, full);
    expect(pooled, (double[]){3, 2, 2, 2}, 4);
    ref_conv2d_forward(coarse, pooled, w, NULL, (Conv2dShape){1, 1, 1, 2, 2, 3, 1});
    expect(coarse, (double[]){5, 2, 4, 2}, 4);
    ref_upsample_forward(up, coarse, UPSAMPLE_NEAREST, 2, half);
    expect(up, (double[]){5, 5, 2, 2, 5, 5, 2, 2, 4, 4, 2, 2, 4, 4, 2, 2}, 16);

    /* Level 0: the same filter at full resolution. */
    ref_conv2d_forward(fine, h, w, NULL, (Conv2dShape){1, 1, 1, 4, 4, 3, 1});
    expect(fine, (double[]){1, 2, 3, 1, 3, 3, 0, 0, 2, 1, 2, 2, 2, 3, 1, 0}, 16);

    /* The mixture: three quarters of level 0 and a quarter of level 1. */
    ref_softmax_forward(alpha, a, 3, 2);
    expect(alpha, (double[]){0.75, 0.25}, 2);
    ref_mix_forward(y, (const double *[]){fine, up}, alpha, 3, 2, 16);
    expect(y, (double[]){2, 2.75, 2.75, 1.25, 3.5, 3.5, 0.5, 0.5, 2.5, 1.75, 2, 2, 2.5, 3.25, 1.25, 0.5}, 16);

    /* Backward from a loss that is the sum of y: each level's dalpha is the sum of its map, 26 and 52. */
    double ones[16], dalpha[2] = {0}, da[2] = {0};
    for (int i = 0; i < 16; i++)
        ones[i] = 1;
    ref_mix_backward(NULL, dalpha, ones, (const double *[]){fine, up}, alpha, 3, 2, 16);
    expect(dalpha, (double[]){26, 52}, 2);
    /* da[r] = alpha[r] (dalpha[r] - mean), mean = 0.75 26 + 0.25 52 = 32.5: more of level 1 raises the sum.
     */
    ref_softmax_backward(da, dalpha, alpha, 3, 2);
    expect(da, (double[]){-4.875, 4.875}, 2);

    /* The pooled pixel that won takes its square's gradient: 4 copies of y[0][0] of level 1, a quarter each,
     * through the filter's two taps. */
    double dcoarse[4] = {0}, dpooled[4] = {0}, dh[16] = {0}, dup[16] = {0};
    for (int i = 0; i < 16; i++)
        dup[i] = alpha[1];
    ref_upsample_backward(dcoarse, dup, UPSAMPLE_NEAREST, 2, half);
    expect(dcoarse, (double[]){1, 1, 1, 1}, 4);
    ref_conv2d_backward_data(dpooled, dcoarse, w, (Conv2dShape){1, 1, 1, 2, 2, 3, 1});
    expect(dpooled, (double[]){1, 2, 1, 2}, 4);
    ref_pool_backward(dh, dpooled, h, POOL_MAX, 2, full);
    expect(dh, (double[]){0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0}, 16);
}
END_TEST
// book: end

TCase *worked_example_case(void)
{
    TCase *tcase = tcase_create("worked example");
    tcase_add_test(tcase, test_the_worked_example_of_the_book);
    return tcase;
}
