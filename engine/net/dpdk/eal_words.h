/* What DPDK's environment is told, and what its words mean: the parts that need no DPDK. */
#ifndef ENGINE_NET_DPDK_EAL_WORDS_H
#define ENGINE_NET_DPDK_EAL_WORDS_H

#include <stddef.h>

#define EAL_WORDS_MAX 64

struct eal_words {
    char *list[EAL_WORDS_MAX + 1]; /* ends with NULL; the first is the program's name */
    int count;
    char text[4096];
};

/* Cuts `arguments` into words as a shell would, with single and double quotes, and adds what is
 * sensible unless it says otherwise: one processor (this one), no telemetry, nothing left behind in
 * the file system, no look at the PCI bus when a virtual device is asked for. Returns NULL, or what
 * is wrong. */
const char *eal_words_parse(struct eal_words *words, const char *arguments, unsigned processor);

/* What to do about the line with which the environment failed. */
const char *eal_words_advice(const char *line);

#endif
