#include "engine/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status privileges_drop(const char *user, const char *directory, struct fault *fault)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL)
        return fault_set(fault, STATUS_ABSENT, "--user: there is no user '%s'", user);
    if (geteuid() == entry->pw_uid)
        return STATUS_OK;
    if (geteuid() != 0)
        return fault_set(fault, STATUS_DENIED, "--user: only root can become '%s'", user);
    if (mkdir(directory, 0700) == 0 && chown(directory, entry->pw_uid, entry->pw_gid) != 0)
        return fault_set(fault, STATUS_DENIED, "%s: cannot be given to %s: %s", directory, user,
                         strerror(errno));
    if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0 || setuid(0) == 0)
        return fault_set(fault, STATUS_DENIED, "--user: cannot become '%s': %s", user,
                         strerror(errno));
    return STATUS_OK;
}
