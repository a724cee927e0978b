/* Groups, rows and grades. See evidence.h. */
#include "evidence.h"
#include "../base/files.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Group *evidence_group(Evidence *evidence, const char *key)
{
    for (int g = 0; g < evidence->groups_count; g++)
        if (strcmp(evidence->groups[g].key, key) == 0)
            return &evidence->groups[g];
    Group *more = realloc(evidence->groups, (size_t)(evidence->groups_count + 1) * sizeof *more);
    if (!more)
        return NULL;
    evidence->groups = more;
    Group *group = &more[evidence->groups_count];
    *group = (Group){.grade = 'D', .rows = calloc(GROUP_ROWS, sizeof *group->rows)};
    if (!group->rows)
        return NULL;
    snprintf(group->key, sizeof group->key, "%s", key);
    evidence->groups_count++;
    return group;
}

RowRuns *group_row(Group *group, const char *id, bool make)
{
    for (int r = 0; r < group->count; r++)
        if (strcmp(group->rows[r].id, id) == 0)
            return &group->rows[r];
    if (!make || group->count == GROUP_ROWS)
        return NULL;
    RowRuns *row = &group->rows[group->count++];
    *row = (RowRuns){.slope_p = NAN};
    snprintf(row->id, sizeof row->id, "%s", id);
    return row;
}

void evidence_free(Evidence *evidence)
{
    for (int g = 0; g < evidence->groups_count; g++)
        free(evidence->groups[g].rows);
    free(evidence->groups);
    free(evidence->folders);
    free(evidence->bench_lines);
    *evidence = (Evidence){0};
}

char protocol_grade(const char *data, bool printed, bool whole, int epochs)
{
    if (strncmp(data, "cifar10", 7) != 0 || !whole || epochs < 10)
        return 'D';
    if (epochs < 40)
        return 'C';
    return printed && strcmp(data, "cifar10") == 0 ? 'A' : 'B';
}

char evidence_grade(const Group *group, int seeds)
{
    return seeds < 3 && group->grade < 'C' ? 'C' : group->grade;
}

/* The rank of each number among n, 1 for the smallest; equal numbers share their mean rank. False if one of
 * them is NaN, which has none. */
static bool ranks_of(double *rank, const double *x, int n)
{
    for (int i = 0; i < n; i++) {
        int below = 0, equal = 0;
        if (isnan(x[i]))
            return false;
        for (int j = 0; j < n; j++) {
            below += x[j] < x[i];
            equal += x[j] == x[i];
        }
        rank[i] = below + (equal + 1) / 2.0;
    }
    return true;
}

double spearman(const double *x, int n)
{
    double rank[128], xy = 0, xx = 0, yy = 0;
    if (n < 2 || n > 128 || !ranks_of(rank, x, n))
        return NAN;
    for (int i = 0; i < n; i++) {
        const double a = rank[i] - (n + 1) / 2.0, b = i + 1 - (n + 1) / 2.0;
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    return xx > 0 ? xy / sqrt(xx * yy) : NAN;
}

/* Orders are counted, not visited: those of a set of items on the first places, by their sum, follow from
 * those of the set without its last one. Twice a rank is whole, so sums are. */
enum { MOST_ORDERED = 10, LARGEST_SUM = 220, SUMS = 2 * LARGEST_SUM + 1 };

static void count_orders(long (*orders)[SUMS], const int *weight, int n)
{
    orders[0][LARGEST_SUM] = 1;
    for (unsigned set = 1; set < 1u << n; set++) {
        int place = 0;
        for (int i = 0; i < n; i++)
            place += (int)(set >> i & 1);
        for (int i = 0; i < n; i++) {
            const int step = weight[i] * place;
            for (int sum = 0; set >> i & 1 && sum < SUMS; sum++)
                if (orders[set & ~(1u << i)][sum])
                    orders[set][sum + step] += orders[set & ~(1u << i)][sum];
        }
    }
}

double spearman_p(const double *x, int n)
{
    double rank[MOST_ORDERED];
    int weight[MOST_ORDERED], observed = 0;
    long all = 0, reach = 0;
    if (n < 2 || n > MOST_ORDERED || !ranks_of(rank, x, n))
        return NAN;
    long(*orders)[SUMS] = calloc((size_t)1 << n, sizeof *orders);
    if (!orders)
        return NAN;
    for (int i = 0; i < n; i++) {
        weight[i] = (int)(2 * rank[i]) - (n + 1);
        observed += weight[i] * (i + 1);
    }
    count_orders(orders, weight, n);
    for (int sum = -LARGEST_SUM; sum <= LARGEST_SUM; sum++) {
        const long count = orders[(1u << n) - 1][sum + LARGEST_SUM];
        all += count;
        reach += abs(sum) >= abs(observed) ? count : 0;
    }
    free(orders);
    return (double)reach / (double)all;
}

Sample row_sample(const RowRuns *row, Quantity quantity)
{
    double known[ROW_SEEDS];
    int n = 0;
    for (int i = 0; i < row->n; i++)
        if (isfinite(row->x[quantity][i]))
            known[n++] = row->x[quantity][i];
    return n > 0 ? sample_of(known, n) : (Sample){0};
}

Spread group_spread(const Group *group, const char *row, Quantity quantity)
{
    Sample rows[GROUP_ROWS];
    int count = 0;
    const size_t table = strcspn(row, ".");
    for (int r = 0; r < group->count; r++)
        if (strncmp(group->rows[r].id, row, table + 1) == 0)
            rows[count++] = row_sample(&group->rows[r], quantity);
    return spread_pooled(rows, count);
}

bool evidence_bench(Evidence *evidence, const char *path, Error *error)
{
    size_t size;
    static const char header[] = "what\tkernels\tshape\tthreads\t";
    snprintf(evidence->bench, sizeof evidence->bench, "%s", path);
    if (!file_read(&evidence->bench_lines, &size, path, error))
        return false;
    if (strncmp(evidence->bench_lines, header, strlen(header)) == 0)
        return true;
    return fail(error,
                "%s: not what build/bench prints, whose first line is what, kernels, shape, threads, ..",
                path);
}

double evidence_share(const Evidence *evidence, const char *what, int *lines)
{
    double largest = NAN;
    *lines = 0;
    for (const char *line = evidence->bench_lines; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char name[64], shape[64];
        double value;
        if (sscanf(line, "%63[^\t]\t%*[^\t]\t%63[^\t]\t%*[^\t]\t%lf\t%% of", name, shape, &value) != 3 ||
            strcmp(name, what) != 0 || !strstr(shape, "10x64"))
            continue;
        largest = value > largest || *lines == 0 ? value : largest;
        ++*lines;
    }
    return largest;
}
