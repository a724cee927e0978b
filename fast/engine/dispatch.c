/* Chooses the instruction set at run time, among those that were compiled in and that this CPU has. */
#define _DEFAULT_SOURCE /* syscall */
#include "../kernels.h"
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_amx
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const Kernels f32_kernels_plain, bf16_kernels_plain, bf16_kernels_amx_emulated;
#ifdef HAVE_avx2
extern const Kernels f32_kernels_avx2, bf16_kernels_avx2;
#endif
#ifdef HAVE_avx512
extern const Kernels f32_kernels_avx512;
#endif
#ifdef HAVE_avx512bf16
extern const Kernels bf16_kernels_avx512bf16;
#endif
#ifdef HAVE_amx
extern const Kernels bf16_kernels_amx;
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

#ifdef HAVE_amx
/* The state that the system saves and restores for this process's threads: its bits in XCR0. */
static unsigned enabled_state(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* That the CPU has tiles is not enough. The system must have enabled their configuration and their data, 8 KB
 * a thread, in XCR0, or the instructions fault. And Linux leaves the data off until a process asks for it,
 * since it does not fit what programs may have reserved for the frames of signal handlers: the first use
 * without permission is SIGILL. The permission holds for all threads of the process and its children. */
static bool cpu_has_amx(void)
{
    enum { OSXSAVE = 1 << 27, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILE_STATE = 3 << 17 };
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE))
        return false;
    return (enabled_state() & TILE_STATE) == TILE_STATE &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
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
#ifdef HAVE_amx
    if (cpu_has_avx512() && __builtin_cpu_supports("avx512bf16") && cpu_has_amx())
        versions[count++] = &bf16_kernels_amx;
#endif
#ifdef HAVE_avx512bf16
    if (cpu_has_avx512() && __builtin_cpu_supports("avx512bf16"))
        versions[count++] = &bf16_kernels_avx512bf16;
#endif
#ifdef HAVE_avx2
    if (cpu_has_avx2())
        versions[count++] = &bf16_kernels_avx2;
#endif
    versions[count++] = &bf16_kernels_plain;
    versions[count++] = &bf16_kernels_amx_emulated;
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
