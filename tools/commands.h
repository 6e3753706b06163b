/* The subcommands of the one binary: each takes its own argv (argv[0] is its name), returns an exit
 * code. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include "base/status.h"

int serve_main(int argc, char **argv);
int store_main(int argc, char **argv);

/* Prints "mailrace: " and the fault's line on stderr; returns its exit code. */
int command_failed(const struct fault *fault);

#endif
