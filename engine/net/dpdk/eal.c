#include "engine/net/dpdk/eal.h"

#include "base/log.h"
#include "engine/net/dpdk/eal_words.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static ssize_t listen_to(void *cookie, const char *text, size_t size)
{
    char *line = cookie;
    size_t length = strcspn(text, "\n");
    length = length < size ? length : size;
    if (length > 0)
        snprintf(line, EAL_LINE_BYTES, "%.*s", (int)length, text);
    return (ssize_t)size;
}

/* Once it runs, errors of drivers are lines of our log. */
static ssize_t pass_on(void *cookie, const char *text, size_t size)
{
    (void)cookie;
    log_warning("dpdk: %.*s", (int)strcspn(text, "\n"), text);
    return (ssize_t)size;
}

static FILE *open_stream(void *cookie, cookie_write_function_t *write)
{
    FILE *stream = fopencookie(cookie, "w", (cookie_io_functions_t){.write = write});
    if (stream)
        setvbuf(stream, NULL, _IOLBF, 0);
    return stream;
}

static enum status explain(const char *line, int error, struct fault *fault)
{
    enum status status = error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_SYSTEM;
    const char *text = line[0] ? line : rte_strerror(error);
    return fault_set(fault, status, "--io dpdk: %s: %s", text, eal_words_advice(text));
}

enum status eal_start(const char *arguments, char said[EAL_LINE_BYTES], struct fault *fault)
{
    struct eal_words words;
    int processor = sched_getcpu();
    const char *wrong = eal_words_parse(&words, arguments ? arguments : "",
                                        processor >= 0 ? (unsigned)processor : 0);
    if (wrong)
        return fault_set(fault, STATUS_USAGE, "--dpdk-args: %s", wrong);
    said[0] = '\0';
    FILE *stream = open_stream(said, listen_to);
    if (!stream)
        return fault_set(fault, STATUS_SYSTEM, "--io dpdk: no memory");
    /* the environment pins the thread that starts it */
    cpu_set_t processors;
    sched_getaffinity(0, sizeof processors, &processors);
    rte_openlog_stream(stream);
    int started = rte_eal_init(words.count, words.list);
    sched_setaffinity(0, sizeof processors, &processors);
    fflush(stream);
    rte_openlog_stream(started >= 0 ? open_stream(NULL, pass_on) : NULL);
    fclose(stream);
    return started >= 0 ? STATUS_OK : explain(said, rte_errno, fault);
}

void eal_stop(void)
{
    rte_eal_cleanup();
}
