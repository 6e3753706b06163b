/* The files of a Maildir or of a folder of .eml files, oldest first. */
#ifndef TOOLS_MAIL_FILES_H
#define TOOLS_MAIL_FILES_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct mail_file {
    char *path;
    uint64_t written_ns; /* its time of modification */
};

struct mail_files {
    struct mail_file *files;
    size_t count, capacity;
};

/* What is in `path`, a folder: in its cur and new when it has them, else every *.eml. Other folders
 * and what is no regular file is passed over. ABSENT (also: neither a Maildir nor any such file),
 * DENIED, IO, SYSTEM with a line. */
enum status mail_files_list(struct mail_files *files, const char *path,
                            struct fault *fault) MUST_CHECK;
void mail_files_deinit(struct mail_files *files);

#endif
