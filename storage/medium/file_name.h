/* What objects are called in a directory, and back: STORE, shard-03/00000007.seg, .idx,
 * spare.tmp, rewrite.tmp, retired.tmp.
 *
 * Parsing is strict: a name that is not exactly what would be written is somebody else's file. */
#ifndef STORAGE_MEDIUM_FILE_NAME_H
#define STORAGE_MEDIUM_FILE_NAME_H

#include "storage/medium/medium.h"

/* The longest path, "shard-4294967295/4294967295.idx.tmp", with its NUL. */
#define FILE_PATH_BYTES 40

/* The object's path in the store's directory. */
void file_name_path(struct medium_name name, char out[FILE_PATH_BYTES]);
/* The path under which it is written before it is published. */
void file_name_temporary(struct medium_name name, char out[FILE_PATH_BYTES]);
/* The directory that holds it: "." for STORE, "shard-03" for the others. */
void file_name_home(struct medium_name name, char out[FILE_PATH_BYTES]);

/* True for the name of a shard's directory. */
bool file_name_is_home(const char *text, uint32_t *shard);
/* True for the name of an object in its home; `in` is STORE's name or any of the shard's. */
bool file_name_parse(const char *text, struct medium_name in, struct medium_name *name);
/* True for what an interrupted publish leaves in that home. */
bool file_name_is_temporary(const char *text, struct medium_name in);

#endif
