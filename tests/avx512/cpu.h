/* Included in front of every source of a build with emulated AVX-512: the CPU has what is asked for. */
#define __builtin_cpu_supports(feature) 1
