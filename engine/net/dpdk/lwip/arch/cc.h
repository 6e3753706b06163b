/* What lwIP wants to know of the compiler and the system. */
#ifndef ENGINE_NET_DPDK_LWIP_ARCH_CC_H
#define ENGINE_NET_DPDK_LWIP_ARCH_CC_H

_Noreturn void invariant_failed(const char *condition, const char *file, int line,
                                const char *function);

#define LWIP_PLATFORM_ASSERT(text) invariant_failed(text, __FILE__, __LINE__, __func__)
#define LWIP_PLATFORM_DIAG(text)

#endif
