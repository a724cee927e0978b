/* The ranks of this process. Compiled once, for all kernel sets. */
#include "../ranks.h"
#include "../kernels.h"
#include <assert.h>

static struct {
    int count, own;
    RanksGather *gather;
} ranks = {1, 0, NULL};

void ranks_join(int count, int own, RanksGather *gather)
{
    assert(0 <= own && own < count);
    ranks.count = count;
    ranks.own = own;
    ranks.gather = gather;
}

int ranks_count(void)
{
    return ranks.count;
}

int ranks_batch(int n)
{
    return n * ranks.count;
}

int ranks_share(int n)
{
    return ranks.count == 1 ? n : (lanes_groups(n) + ranks.count - 1) / ranks.count * LANES;
}

RanksPart ranks_part(int n)
{
    const int share = ranks_share(n), begin = ranks.own * share, first = begin < n ? begin : 0;
    return (RanksPart){first, n - first < share ? n - first : share};
}

const void *ranks_gathered(const void *own, size_t bytes, int place)
{
    return ranks.count == 1 ? own : ranks.gather(own, bytes, place);
}
