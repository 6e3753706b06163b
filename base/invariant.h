/* INVARIANT(condition): what must hold unless mailrace itself has a bug. Checked in release too;
 * a failure prints the place and aborts: a mail store that goes on after a broken assumption
 * loses mail. Never for what the network, a file or a user can cause: that gets a status. */
#ifndef BASE_INVARIANT_H
#define BASE_INVARIANT_H

#define INVARIANT(condition)                                                                       \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : invariant_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void invariant_failed(const char *condition, const char *file, int line,
                                const char *function) __attribute__((cold));

#endif
