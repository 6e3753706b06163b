/* An empty folder for a test, which becomes the working directory, and files in it. */
#ifndef TESTS_TOOLS_FOLDER_H
#define TESTS_TOOLS_FOLDER_H

#include "base/span.h"

/* For fixtures: the folder and all that is in it goes at the end. */
void folder_open(void);
void folder_close(void);

/* Writes a file; the folder it is in is made if need be. `second`: when it was written, Unix time.
 */
void folder_put(const char *path, struct span text, uint64_t second);
/* Fails unless the file holds just this. */
void folder_assert_holds(const char *path, struct span text);
/* Entries of a folder. */
unsigned folder_count(const char *path);
/* The path of the only entry, in a buffer of the function's own. */
const char *folder_only(const char *path);

#endif
