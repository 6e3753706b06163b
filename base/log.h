/* Lines for the operator on stderr: "<level> message", one write(2) each, any thread.
 *
 * With systemd's journal (JOURNAL_STREAM set) lines begin with its "<N>" priorities. Never
 * credentials or content; whatever came from the network goes through log_escape first: control and
 * non-ASCII bytes become \xNN and long fields are cut. Rate-limit what a peer can cause with
 * log_allowed. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Lines less urgent than `level` are dropped. Any thread. */
void log_set_level(enum log_level level);
/* printf into one line; what is too long is cut. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Writes at most `capacity`-1 bytes and a NUL; returns `out`. */
const char *log_escape(struct span bytes, char *out, size_t capacity);

/* At most `per_second` lines in each second; embedded where the lines come from. `suppressed`
 * counts all that were kept back. Single-threaded. */
struct log_limit {
    uint64_t second;
    uint32_t count, suppressed;
};
bool log_allowed(struct log_limit *limit, uint64_t now_ns, uint32_t per_second);

#endif
