/* Copies of the TCP stack, each with a state of its own.
 *
 * The stack is built as a shared object and carried inside the program. Each copy is written to an
 * anonymous file and loaded from there, so that the loader takes it for another library: its
 * globals are its own, everything else (libc, the allocator) is shared. */
#ifndef ENGINE_NET_DPDK_MODULE_H
#define ENGINE_NET_DPDK_MODULE_H

#include "engine/net/dpdk/net_stack.h"

struct module {
    int fd; /* stays open: its number is the copy's name to the loader */
    void *handle;
    /* its net_stack_open */
    enum status (*open)(struct net **net, const struct net_stack_options *options,
                        struct fault *fault);
};

/* SYSTEM with a line. Any thread, one at a time. */
enum status module_load(struct module *module, struct fault *fault) MUST_CHECK;
/* Nothing of it may be in use any more. */
void module_unload(struct module *module);

#endif
