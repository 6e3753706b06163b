/* The subcommands of the one binary: each takes its own argv (argv[0] is its name), returns an exit
 * code. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "base/status.h"

int blast_main(int argc, char **argv);
int drain_main(int argc, char **argv);
int serve_main(int argc, char **argv);
int store_main(int argc, char **argv);

/* Prints the fault's line on stderr, for wrong usage with the way to the command's help (NULL: the
 * program's); returns the exit code. */
int command_failed(const char *command, const struct fault *fault);

#endif
