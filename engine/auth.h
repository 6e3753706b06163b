/* Password checking off the event loop.
 *
 * crypt takes milliseconds by design, so shards hand logins to a few worker threads through a
 * bounded queue and go on. Whoever asks receives exactly one answer per accepted request, by
 * callback; the callback only carries the answer home (a queue and a wake). With any_password there
 * are no workers and the same callback comes from inside auth_submit, so that callers know one way
 * only.
 *
 * auth_submit: any thread. open, reload, close: one thread, the service's. Passwords are wiped as
 * soon as they are checked. */
#ifndef ENGINE_AUTH_H
#define ENGINE_AUTH_H

#include "base/span.h"
#include "base/status.h"

#define AUTH_WORKERS_MAX 16u
#define AUTH_USER_BYTES_MAX 320u     /* a mailbox: local part, '@', domain */
#define AUTH_PASSWORD_BYTES_MAX 511u /* what libcrypt takes */

struct auth;

struct auth_options {
    const char *passwd_file; /* engine/passwd.h; not looked at with any_password */
    bool any_password;       /* whoever asks is right */
    uint32_t workers;        /* threads: 1 … AUTH_WORKERS_MAX */
    uint32_t requests_max;   /* that wait for a worker */
};

/* Two workers, 256 requests, no file. */
void auth_options_default(struct auth_options *options);

/* The answer to one request: OK; DENIED: unknown user or wrong password; AGAIN: auth was closed
 * before it was looked at. Comes on a worker's thread, or from inside auth_submit or auth_close;
 * never two at once, so that one SPSC queue per shard can carry them. Must be quick, must not call
 * auth. */
typedef void auth_answer(void *context, uint64_t cookie, enum status status);

/* Loads the file and starts the workers. Faults of passwd_load; CONFIG: neither a file nor
 * any_password; SYSTEM. */
enum status auth_open(struct auth **auth, const struct auth_options *options,
                      struct fault *fault) MUST_CHECK;

/* Asks whether `user` (normalised) has this password; both are copied. OK: `answer` is called once,
 * perhaps before this returns. AGAIN: too many requests are waiting; nothing happened. Never waits
 * for crypt. */
enum status auth_submit(struct auth *auth, struct span user, struct span password, uint64_t cookie,
                        auth_answer *answer, void *context) MUST_CHECK;

/* Loads `file` and checks the requests that come after with it; what is being checked finishes with
 * the old one. Faults of passwd_load: then nothing changes. Not with any_password. */
enum status auth_reload(struct auth *auth, const char *file, struct fault *fault) MUST_CHECK;

/* Waits for the checks under way, answers AGAIN to the requests that still wait, joins the workers.
 * No auth_submit may be under way or follow. */
void auth_close(struct auth *auth);

#endif
