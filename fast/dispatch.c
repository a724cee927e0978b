/* Chooses the instruction set at run time, among those that were compiled in and that this CPU has. */
#include "kernels.h"
#include <stdlib.h>
#include <string.h>

extern const Kernels f32_kernels_plain, bf16_kernels_plain;
#ifdef HAVE_avx2
extern const Kernels f32_kernels_avx2, bf16_kernels_avx2;
#endif
#ifdef HAVE_avx512
extern const Kernels f32_kernels_avx512;
#endif
#ifdef HAVE_avx512bf16
extern const Kernels bf16_kernels_avx512bf16;
#endif

#if defined HAVE_avx512 || defined HAVE_avx512bf16
/* x86-64-v4 beyond v3. */
static bool cpu_has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
}
#endif

#ifdef HAVE_avx2
static bool cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}
#endif

static int f32_versions(const Kernels *versions[MAX_ISAS])
{
    int count = 0;
#ifdef HAVE_avx512
    if (cpu_has_avx512())
        versions[count++] = &f32_kernels_avx512;
#endif
#ifdef HAVE_avx2
    if (cpu_has_avx2())
        versions[count++] = &f32_kernels_avx2;
#endif
    versions[count++] = &f32_kernels_plain;
    return count;
}

static int bf16_versions(const Kernels *versions[MAX_ISAS])
{
    int count = 0;
#ifdef HAVE_avx512bf16
    if (cpu_has_avx512() && __builtin_cpu_supports("avx512bf16"))
        versions[count++] = &bf16_kernels_avx512bf16;
#endif
#ifdef HAVE_avx2
    if (cpu_has_avx2())
        versions[count++] = &bf16_kernels_avx2;
#endif
    versions[count++] = &bf16_kernels_plain;
    return count;
}

int kernels_versions(const Kernels *versions[MAX_ISAS], const char *name)
{
    if (strcmp(name, "f32") == 0)
        return f32_versions(versions);
    return strcmp(name, "bf16") == 0 ? bf16_versions(versions) : 0;
}

const Kernels *kernels_best(const char *name)
{
    const Kernels *versions[MAX_ISAS];
    const int count = kernels_versions(versions, name);
    const char *wanted = getenv("NOPOOL_ISA");
    for (int i = 0; i < count; i++)
        if (!wanted || !*wanted || strcmp(versions[i]->instruction_set, wanted) == 0)
            return versions[i];
    return NULL;
}
