/* Chooses the instruction set at run time, among those that were compiled in and that this CPU has. */
#include "f32.h"
#include <stdlib.h>
#include <string.h>

extern const F32 f32_plain;
#ifdef HAVE_avx2
extern const F32 f32_avx2;
#endif
#ifdef HAVE_avx512
extern const F32 f32_avx512;
#endif

int f32_sets(const F32 *sets[3])
{
    int count = 0;
#ifdef HAVE_avx512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512cd"))
        sets[count++] = &f32_avx512;
#endif
#ifdef HAVE_avx2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2"))
        sets[count++] = &f32_avx2;
#endif
    sets[count++] = &f32_plain;
    return count;
}

const F32 *f32_best(void)
{
    const F32 *sets[3];
    const int count = f32_sets(sets);
    const char *wanted = getenv("NOPOOL_ISA");
    if (!wanted || !*wanted)
        return sets[0];
    for (int i = 0; i < count; i++)
        if (strcmp(sets[i]->instruction_set, wanted) == 0)
            return sets[i];
    return NULL;
}
