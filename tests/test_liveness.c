/* Each claim can change its verdict; what nothing can move is dead. */
#include "../experiments/audit/liveness.h"
#include "court.h"
#include "suites.h"
#include <math.h>

static const Sources no_sources;

static int dead_claims(const Claim *claim, const Sources *sources)
{
    Claim one = *claim;
    const Claims claims = {.claims = &one, .count = 1};
    static const Rows rows;
    const Evidence none = {0};
    const Court court = {.claims = &claims, .sources = sources, .evidence = &none, .rows = &rows};
    FILE *out = tmpfile();
    ck_assert_ptr_nonnull(out);
    const int dead = liveness_check(&court, out);
    fclose(out);
    return dead;
}

START_TEST(test_dead_claims_are_found)
{
    Claim claim = claim_about(RULE_EQUIVALENCE, 0, "diff:t.a,t.b");
    claim.margin = 1e6; /* everything is equal */
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 1);
    claim.margin = 0.5;
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 0);
}
END_TEST

/* Of two premises one is enough: each is broken where the other is broken already. */
START_TEST(test_premises_that_are_enough_are_alive)
{
    Claim claim = claim_about(RULE_PREMISES, NAN, "premises:1");
    claim.requires = "p q";
    for (claim.needed = 0; claim.needed <= 2; claim.needed++)
        ck_assert_int_eq(dead_claims(&claim, &no_sources), 0);
    claim.needed = 3; /* more than there are: nothing upholds it */
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 1);
}
END_TEST

/* What is never worse, however far below, is dead; so is what is always worse. */
START_TEST(test_claims_of_no_loss_live)
{
    Claim claim = claim_about(RULE_NOT_WORSE, NAN, "diff:t.a,t.b");
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 0);
    claim.margin = 1e6;
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 1);
    claim.margin = -1e6;
    ck_assert_int_eq(dead_claims(&claim, &no_sources), 1);
}
END_TEST

Suite *liveness_suite(void)
{
    Suite *suite = suite_create("liveness");
    TCase *tcase = tcase_create("by hand");
    tcase_add_test(tcase, test_dead_claims_are_found);
    tcase_add_test(tcase, test_premises_that_are_enough_are_alive);
    tcase_add_test(tcase, test_claims_of_no_loss_live);
    suite_add_tcase(suite, tcase);
    return suite;
}
