/* Users and their password hashes, from a file in the format of Dovecot's passwd-file:
 *
 *     user:{SCHEME}hash:uid:gid:gecos:home:shell:extra
 *
 * Fields after the hash are optional and ignored; blank lines and lines that begin with '#' are
 * skipped. Schemes: PLAIN, CLEARTEXT, CRYPT (the default: any hash crypt(5) knows), MD5-CRYPT,
 * BLF-CRYPT, SHA256-CRYPT, SHA512-CRYPT. A table is immutable once loaded: any number of threads
 * may check against it. User names are compared byte by byte: normalise them first. */
#ifndef ENGINE_PASSWD_H
#define ENGINE_PASSWD_H

#include "base/span.h"
#include "base/status.h"

#include <crypt.h>

struct passwd;

/* Reads the whole file. ABSENT, DENIED, IO: it can't be read; CONFIG: a line is wrong or a user is
 * there twice. The fault names file and line, and the user, but never a hash. */
enum status passwd_load(struct passwd **passwd, const char *path, struct fault *fault) MUST_CHECK;

/* Wipes and frees it; NULL is harmless. */
void passwd_free(struct passwd *passwd);

/* Users in the file. */
uint32_t passwd_count(const struct passwd *passwd);

/* Whether this is the user's password. Takes as long as crypt does, milliseconds or more, also for
 * an unknown user: then the hash of a user with the file's commonest scheme is computed for
 * nothing. A password that is empty, holds NUL, or is not shorter than CRYPT_MAX_PASSPHRASE_SIZE
 * (512) is never right. `scratch`, one per thread and zeroed at first, is wiped afterwards. */
bool passwd_check(const struct passwd *passwd, struct span user, struct span password,
                  struct crypt_data *scratch) MUST_CHECK;

#endif
