/* mailrace: one binary, one subcommand per file. */
#include "tools/commands.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* jemalloc looks for this name. A thread of its own gives back what an arena has left when the
 * thread that used it has nothing to do any more, as those that merge runs of the index. */
extern const char *const malloc_conf;
const char *const malloc_conf = "background_thread:true";

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", serve_main, "take mail in over SMTP and LMTP, hand it out over POP3"},
    {"blast", blast_main, "send mail to any server, as load, and account for every message"},
    {"drain", drain_main, "fetch everything back and account for what blast sent"},
    {"store", store_main, "look into a store, take mail out of it and put mail in"},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

int command_failed(const char *command, const struct fault *fault)
{
    fprintf(stderr, "mailrace: %s", fault->text);
    if (fault->status == STATUS_USAGE)
        fprintf(stderr, "; see mailrace %s%s--help", command ? command : "", command ? " " : "");
    fprintf(stderr, "\n");
    return status_exit_code(fault->status);
}

static void print_help(void)
{
    printf("Usage: mailrace COMMAND [flags]\n\n"
           "Takes mail in as fast as the hardware can make it durable.\n\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].help);
    printf("\nmailrace COMMAND --help tells the flags of each; mailrace --version the version.\n");
}

int main(int argc, char **argv)
{
    struct fault fault;
    if (argc < 2) {
        fault_set(&fault, STATUS_USAGE, "which command?");
        return command_failed(NULL, &fault);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("mailrace %s\n", MAILRACE_VERSION);
        return 0;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    char name[64];
    fault_set(&fault, STATUS_USAGE, "there is no command '%s'",
              log_escape(span_text(argv[1]), name, sizeof name));
    return command_failed(NULL, &fault);
}
