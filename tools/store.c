/* mailrace store: what is in a store, and ways into it and out of it. */
#include "tools/commands.h"

#include "storage/store.h"
#include "tools/options.h"
#include "tools/store_action.h"
#include "tools/store_opened.h"
#include "tools/text.h"

#include <stdio.h>
#include <string.h>

enum { OPERANDS_MAX = 4 }; /* the action's name and DIR included */

static const struct action {
    const char *name;
    enum status (*look)(const struct store_opened *opened, struct store_call *call,
                        struct fault *fault);
    enum status (*run)(struct store_call *call, struct fault *fault); /* without the store */
    int operands_min, operands_max;                                   /* after DIR */
    const char *flags; /* those that it knows, each between blanks */
} actions[] = {
    {"info", store_look_info, NULL, 0, 0, " json "},
    {"mailboxes", store_look_mailboxes, NULL, 0, 0, " json "},
    {"ls", store_look_ls, NULL, 1, 1, " json "},
    {"cat", store_look_cat, NULL, 1, 1, ""},
    {"verify", store_look_verify, NULL, 0, 0, " json "},
    {"export", store_export, NULL, 0, 1, " maildir mbox "},
    {"import", NULL, store_import, 2, 2, " max-message segment skip "},
    {"compact", NULL, store_compact, 0, 0, " json "},
    {"expire", NULL, store_expire, 0, 0, " older-than keep json "},
    {"tail", NULL, store_tail, 0, 0, " from follow json "},
};

#define FIELD(name) offsetof(struct store_flags, name)

static const struct option_row rows[] = {
    {"json", NULL, "info, mailboxes, ls, verify, tail, compact, expire: as JSON", OPTION_FLAG,
     FIELD(json), 0, 0, NULL},
    {"maildir", "OUT", "export: write a Maildir, or a folder of one for each mailbox", OPTION_TEXT,
     FIELD(maildir), 0, 0, NULL},
    {"mbox", "OUT", "export: write an mbox, or a folder of one for each mailbox", OPTION_TEXT,
     FIELD(mbox), 0, 0, NULL},
    {"max-message", "SIZE", "import: larger ones are left out (default 64M)", OPTION_SIZE,
     FIELD(message_bytes_max), 1, 4095ull << 20, NULL},
    {"segment", "SIZE", "import: of a piece of the log on disk (default 256M)", OPTION_SIZE,
     FIELD(segment_bytes), 8 << 20, 1ull << 32, NULL},
    {"skip", "N", "import: begin behind the first N messages (default 0)", OPTION_NUMBER,
     FIELD(skip), 0, UINT32_MAX, NULL},
    {"older-than", "DURATION", "expire: delete messages that are older", OPTION_DURATION,
     FIELD(older_than_ms), 1, 1ull << 45, NULL},
    {"keep", "N", "expire: of a mailbox, delete all but the newest N", OPTION_NUMBER, FIELD(keep),
     1, UINT32_MAX, NULL},
    {"from", "POSITION", "tail: begin behind this line's position (default: the beginning)",
     OPTION_TEXT, FIELD(from), 0, 0, NULL},
    {"follow", NULL, "tail: wait for more, until SIGINT or SIGTERM", OPTION_FLAG, FIELD(follow), 0,
     0, NULL},
};

static const struct command command = {
    .name = "store",
    .synopsis = "store ACTION DIR [operands] [flags]",
    .summary =
        "Looks into a store, takes mail out of it and puts mail into it. All but import, compact\n"
        "and expire work offline and while it is being served, and change nothing.\n\n"
        "  info DIR          segments, messages, mailboxes, bytes, per shard\n"
        "  mailboxes DIR     every mailbox: messages, octets, name\n"
        "  ls DIR MAILBOX    its messages: UIDL, octets, time received\n"
        "  cat DIR UIDL      one message as it was received, with our trace header\n"
        "  verify DIR        reads everything, checks every checksum; exit 1 and what and\n"
        "                    where when something is damaged\n"
        "  export DIR [MAILBOX] --maildir OUT | --mbox OUT\n"
        "                    writes one mailbox, or each of them, to OUT, which must be\n"
        "                    new or empty; exit 1 when something could not be read\n"
        "  import DIR MAILBOX PATH\n"
        "                    takes in a Maildir, an mbox, an .eml file or a folder of them;\n"
        "                    exit 1 when messages were left out\n"
        "  compact DIR       gives back the disk space of messages that nobody has any more\n"
        "  expire DIR --older-than DURATION | --keep N\n"
        "                    deletes old messages from all mailboxes\n"
        "  tail DIR          a line for every message, in the order of commits per shard:\n"
        "                    position, id, time, octets, kept or deleted, <sender>, mailboxes",
    .example = "mailrace store tail ./var/store --follow --json",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
    .operands_min = 1,
    .operands_max = OPERANDS_MAX,
};

static enum status find_action(char **operands, int count, const struct action **action,
                               struct fault *fault)
{
    char name[TEXT_NAME_BYTES];
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(operands[0], actions[i].name) == 0) {
            *action = &actions[i];
            if (count >= 2 + actions[i].operands_min && count <= 2 + actions[i].operands_max)
                return STATUS_OK;
            return fault_set(fault, STATUS_USAGE, "store %s: %s", operands[0],
                             count < 2 + actions[i].operands_min ? "something is missing"
                                                                 : "that is too much");
        }
    return fault_set(fault, STATUS_USAGE, "there is no 'store %s'",
                     text_name(span_text(operands[0]), name));
}

/* Flags that the action would silently ignore are refused. */
static enum status check_flags(const struct action *action, const struct store_flags *flags,
                               const struct store_flags *defaults, struct fault *fault)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const size_t sizes[] = {[OPTION_FLAG] = sizeof(bool),
                                       [OPTION_TEXT] = sizeof(const char *),
                                       [OPTION_NUMBER] = sizeof(uint32_t),
                                       [OPTION_SIZE] = sizeof(uint64_t),
                                       [OPTION_DURATION] = sizeof(uint64_t)};
        char word[24];
        snprintf(word, sizeof word, " %s ", rows[i].name);
        bool given = memcmp((const char *)flags + rows[i].offset,
                            (const char *)defaults + rows[i].offset, sizes[rows[i].kind]) != 0;
        if (given && strstr(action->flags, word) == NULL)
            return fault_set(fault, STATUS_USAGE, "--%s: not for store %s", rows[i].name,
                             action->name);
    }
    return STATUS_OK;
}

static enum status run(const struct action *action, struct store_call *call, struct fault *fault)
{
    struct store_opened opened;
    if (action->look == NULL)
        return action->run(call, fault);
    enum status status = store_opened_read(&opened, call->directory, fault);
    if (status != STATUS_OK)
        return status;
    status = action->look(&opened, call, fault);
    store_opened_close(&opened);
    return status;
}

int store_main(int argc, char **argv)
{
    static const struct store_flags defaults = {.message_bytes_max = 64 << 20,
                                                .segment_bytes = 256 << 20};
    struct store_call call = {.flags = defaults};
    struct fault fault;
    char **operands, *rest[OPERANDS_MAX + 1] = {NULL};
    int count;
    bool done = false;
    const struct action *action = NULL;
    enum status status =
        options_parse(&command, argc, argv, &call.flags, &operands, &count, &done, &fault);
    if (status == STATUS_OK && done)
        return 0;
    if (status == STATUS_OK)
        status = find_action(operands, count, &action, &fault);
    if (status == STATUS_OK)
        status = check_flags(action, &call.flags, &defaults, &fault);
    if (status == STATUS_OK) {
        call.directory = operands[1];
        for (int i = 2; i < count; i++)
            rest[i - 2] = operands[i];
        call.operands = rest;
        status = run(action, &call, &fault);
    }
    if (fflush(stdout) != 0 && status == STATUS_OK)
        status = fault_set(&fault, STATUS_IO, "standard output: write error");
    if (status == STATUS_OK)
        return 0;
    int code = command_failed("store", &fault);
    return call.incomplete ? 1 : code;
}
