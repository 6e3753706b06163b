#include "engine/net/dpdk/eal_words.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A word is copied without its quotes to `to`; returns where it ended, NULL: a quote is open. */
static const char *copy_word(const char *from, char **to)
{
    char quote = '\0';
    for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
        if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? '\0' : *from;
        else
            *(*to)++ = *from;
    }
    *(*to)++ = '\0';
    return quote ? NULL : from;
}

/* `--name`, `--name=…` or, for one letter, `-n…`. */
static bool has(const struct eal_words *words, const char *name)
{
    size_t size = strlen(name);
    for (int i = 1; i < words->count; i++) {
        const char *word = words->list[i];
        if (strncmp(word, name, size) == 0 &&
            (name[1] != '-' || word[size] == '\0' || word[size] == '='))
            return true;
    }
    return false;
}

static void add(struct eal_words *words, const char *word)
{
    /* what is added is never written to; getopt has no const */
    words->list[words->count++] = (char *)(size_t)word;
}

static void add_defaults(struct eal_words *words, char *spare, size_t spare_bytes,
                         unsigned processor)
{
    bool processors = has(words, "-l") || has(words, "-c") || has(words, "--lcores");
    bool devices = has(words, "-a") || has(words, "--allow") || has(words, "--no-pci");
    if (!processors) {
        snprintf(spare, spare_bytes, "--lcores=0@%u", processor);
        add(words, spare);
    }
    if (!has(words, "--telemetry") && !has(words, "--no-telemetry"))
        add(words, "--no-telemetry");
    if (!has(words, "--in-memory") && !has(words, "--no-huge"))
        add(words, "--in-memory");
    if (has(words, "--no-huge") && !has(words, "-m")) /* 64 MiB otherwise */
        add(words, "-m512");
    if (has(words, "--vdev") && !devices)
        add(words, "--no-pci");
    if (!has(words, "--log-level"))
        add(words, "--log-level=error");
}

enum { ADDED_MAX = 6, SPARE_BYTES = 32 };

const char *eal_words_parse(struct eal_words *words, const char *arguments, unsigned processor)
{
    if (strlen(arguments) >= sizeof words->text - SPARE_BYTES)
        return "too long";
    char *to = words->text;
    words->count = 0;
    add(words, "mailrace");
    for (const char *from = arguments;;) {
        from += strspn(from, " \t\n");
        if (*from == '\0')
            break;
        if (words->count == EAL_WORDS_MAX - ADDED_MAX)
            return "too many words";
        words->list[words->count++] = to;
        from = copy_word(from, &to);
        if (!from)
            return "a quote is open";
    }
    add_defaults(words, to, SPARE_BYTES, processor);
    words->list[words->count] = NULL;
    return NULL;
}

const char *eal_words_advice(const char *line)
{
    static const struct {
        const char *sign, *advice;
    } table[] = {
        {"hugepage", "sysctl vm.nr_hugepages=256, or --dpdk-args '--no-huge …'"},
        {"hugetlb", "sysctl vm.nr_hugepages=256, or --dpdk-args '--no-huge …'"},
        {"huge page", "sysctl vm.nr_hugepages=256, or --dpdk-args '--no-huge …'"},
        {"memory", "more huge pages (sysctl vm.nr_hugepages), or --dpdk-args '--no-huge -m 512 …'"},
        {"ermission", "start as root, or see docs/KERNEL-BYPASS.md for what may be given instead"},
        {"runtime dir", "set XDG_RUNTIME_DIR to a folder of this user"},
        {"driver", "apt-get install librte-net-… for that device, or libdpdk-dev for all"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strstr(line, table[i].sign))
            return table[i].advice;
    return "look at --dpdk-args; with --log-level=info there it says more";
}
