/* How an operation that depends on the world can end, and the sentence that explains it.
 *
 * `enum status` is for callers that act on the outcome; `struct fault` adds one line for a person
 * and is used while starting, by the tools, and wherever a refusal must name its cause. Each
 * status has one exit code (sysexits.h), so every command fails alike. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>

enum status {
    STATUS_OK = 0,
    STATUS_AGAIN,   /* a pool or batch is full: nothing happened, try later; exit 75 */
    STATUS_FULL,    /* no space left on the medium; exit 74 */
    STATUS_IO,      /* the medium or the system failed; exit 74 */
    STATUS_CORRUPT, /* stored bytes fail their checks; exit 65 */
    STATUS_NEWER,   /* a format newer than this program; exit 65 */
    STATUS_ABSENT,  /* no such thing; exit 66 */
    STATUS_EXISTS,  /* there already is one; exit 73 */
    STATUS_BUSY,    /* another process or session has it; exit 75 */
    STATUS_DENIED,  /* no permission; exit 77 */
    STATUS_USAGE,   /* the command line is wrong; exit 64 */
    STATUS_CONFIG,  /* a configuration file is wrong; exit 78 */
    STATUS_SYSTEM,  /* the operating system refused something needed; exit 71 */
    STATUS_NETWORK, /* address in use, unreachable, …; exit 69 */
    STATUS_COUNT,
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* "no space left", for logs: never NULL. */
const char *status_text(enum status status);

/* The sysexits code that a command ending with this status returns (0 for STATUS_OK). */
int status_exit_code(enum status status);

/* Sorts an errno value (positive) into a status. ENOSPC, EDQUOT: FULL; EACCES, EPERM, EROFS:
 * DENIED; ENOENT: ABSENT; EEXIST; EAGAIN, EBUSY, EWOULDBLOCK: BUSY; EADDR*: NETWORK; else IO. */
enum status status_from_errno(int error);

struct fault {
    enum status status;
    char text[512]; /* one line, no newline, NUL-terminated */
};

/* Fills `fault` (may be NULL) and returns `status`, so that `return fault_set(…)` reads well. */
enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
