/* Looking through a store's directory: cold, blocking, by readdir. */
#ifndef STORAGE_MEDIUM_FILE_DIRECTORY_H
#define STORAGE_MEDIUM_FILE_DIRECTORY_H

#include "storage/medium/medium.h"

/* Calls `visit` for every object under the open directory `root` with its size in bytes, in no
 * order. Foreign names are left alone. What disappears meanwhile is not reported. A fault's text
 * begins with `directory`, the name the user knows. */
enum status file_directory_list(int root, const char *directory,
                                void (*visit)(void *context, struct medium_name name,
                                              uint64_t bytes),
                                void *context, struct fault *fault) MUST_CHECK;

/* Removes what interrupted publishes left. Only for the store's one writer. */
enum status file_directory_sweep(int root, const char *directory, struct fault *fault) MUST_CHECK;

/* Whether files there can be written with O_DIRECT. */
bool file_directory_has_direct(int root);

#endif
