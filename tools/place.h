/* Where what is written out of a store may go: names that are safe, folders that were empty. */
#ifndef TOOLS_PLACE_H
#define TOOLS_PLACE_H

#include "base/span.h"
#include "base/status.h"

#define PLACE_BYTES 4096u

/* Makes the folder, or takes one that is empty. EXISTS (also when its parent is missing), DENIED,
 * FULL, IO with a line. */
enum status place_make_folder(const char *path, struct fault *fault) MUST_CHECK;

/* Makes the folders on the way to `path` below `root`, which is there; the last part is left. */
enum status place_make_way(const char *root, const char *path, struct fault *fault) MUST_CHECK;

/* The folder that holds `path`, or the folder itself, made durable. */
enum status place_sync_parent(const char *path, struct fault *fault) MUST_CHECK;
enum status place_sync_folder(const char *path, struct fault *fault) MUST_CHECK;

/* The path of mailbox `name` below `folder`: letters, digits and @._+-= as they are, other bytes
 * (and a dot at the beginning) as %XX. A name too long for one file name goes on in a folder: the
 * folder's name ends with a lone %. So the name can always be told from the path. False: longer
 * than any path. */
bool place_of_mailbox(const char *folder, struct span name, const char *suffix,
                      char out[PLACE_BYTES]);

/* The line for a failed system call: "what path: why"; what can't be created is EXISTS. */
enum status place_failed(const char *what, const char *path, int error, struct fault *fault);

#endif
