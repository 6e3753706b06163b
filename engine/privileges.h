/* Becoming somebody with fewer rights once the ports are bound. */
#ifndef ENGINE_PRIVILEGES_H
#define ENGINE_PRIVILEGES_H

#include "base/status.h"

/* The whole process becomes `user` with its groups, for good; `directory` is created if absent and
 * given to that user first. ABSENT: no such user; DENIED: not root. */
enum status privileges_drop(const char *user, const char *directory,
                            struct fault *fault) MUST_CHECK;

#endif
