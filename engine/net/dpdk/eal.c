#include "engine/net/dpdk/eal.h"

#include "base/log.h"
#include "engine/net/dpdk/eal_words.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ssize_t listen_to(void *cookie, const char *text, size_t size)
{
    char *line = cookie;
    size_t length = strcspn(text, "\n");
    length = length < size ? length : size;
    bool tells = length > 0 && strncmp(text, "EAL: Detected", 13) != 0;
    if (tells && line[0] == '\0') /* the first is nearest to the cause */
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

/* It prints fatal lines and its usage past its log, and we say what is wrong ourselves. */
static void hush(int saved[2])
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        saved[fd - STDOUT_FILENO] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (nowhere >= 0 && saved[fd - STDOUT_FILENO] >= 0)
            dup2(nowhere, fd);
    }
    if (nowhere >= 0)
        close(nowhere);
}

static void speak_again(const int saved[2])
{
    fflush(stdout);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (saved[fd - STDOUT_FILENO] < 0)
            continue;
        dup2(saved[fd - STDOUT_FILENO], fd);
        close(saved[fd - STDOUT_FILENO]);
    }
}

static enum status explain(const char *line, int error, struct fault *fault)
{
    const char *text = line[0] ? line : rte_strerror(error);
    /* For want of huge pages it says EACCES, too. */
    bool denied = (error == EACCES || error == EPERM) && !strstr(text, "huge");
    enum status status = denied ? STATUS_DENIED : STATUS_SYSTEM;
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
    int saved[2];
    fflush(stdout);
    hush(saved);
    int started = rte_eal_init(words.count, words.list);
    speak_again(saved);
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
