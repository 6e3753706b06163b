#include "engine/pop3/verbs.h"

#include "engine/pop3/number.h"
#include "engine/pop3/reply.h"
#include "engine/pop3/session.h"

enum shape {
    NOTHING,
    TEXT,          /* at least one byte */
    MESSAGE,       /* a message number */
    MESSAGE_MAYBE, /* a message number or nothing */
    MESSAGE_LINES, /* a message number and a number of lines */
    ANYTHING,      /* whatever follows, however long */
};

enum legal {
    BEFORE_LOGIN = 1 << POP3_AUTHORIZATION,
    AFTER_LOGIN = 1 << POP3_TRANSACTION,
    ALWAYS = BEFORE_LOGIN | AFTER_LOGIN,
};

struct verb {
    const char *name;
    enum legal legal;
    enum shape shape;
    pop3_handler *handler;
};

static const struct verb verbs[] = {
    {"RETR", AFTER_LOGIN, MESSAGE, pop3_do_retr},
    {"DELE", AFTER_LOGIN, MESSAGE, pop3_do_dele},
    {"LIST", AFTER_LOGIN, MESSAGE_MAYBE, pop3_do_list},
    {"UIDL", AFTER_LOGIN, MESSAGE_MAYBE, pop3_do_uidl},
    {"TOP", AFTER_LOGIN, MESSAGE_LINES, pop3_do_top},
    {"STAT", AFTER_LOGIN, NOTHING, pop3_do_stat},
    {"RSET", AFTER_LOGIN, NOTHING, pop3_do_rset},
    {"NOOP", AFTER_LOGIN, NOTHING, pop3_do_noop},
    {"QUIT", ALWAYS, NOTHING, pop3_do_quit},
    {"CAPA", ALWAYS, NOTHING, pop3_do_capa},
    {"USER", BEFORE_LOGIN, TEXT, pop3_do_user},
    {"PASS", BEFORE_LOGIN, TEXT, pop3_do_pass},
    {"AUTH", BEFORE_LOGIN, TEXT, pop3_do_auth},
    {"STLS", BEFORE_LOGIN, NOTHING, pop3_do_stls},
    {"UTF8", BEFORE_LOGIN, NOTHING, pop3_do_utf8},
    /* A browser made to speak to this port must not get to the commands in its request's body. */
    {"GET", ALWAYS, ANYTHING, pop3_do_http},
    {"POST", ALWAYS, ANYTHING, pop3_do_http},
    {"PUT", ALWAYS, ANYTHING, pop3_do_http},
    {"CONNECT", ALWAYS, ANYTHING, pop3_do_http},
};

/* Cuts the bytes before the first space, and that space, off `rest`. */
static struct span cut_word(struct span *rest)
{
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ')
        size++;
    struct span word = span_of(rest->data, size);
    *rest = span_from(*rest, size < rest->size ? size + 1 : size);
    return word;
}

static const struct verb *find_verb(struct span name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (span_equal_nocase(name, span_text(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

/* What is wrong with a message number, or POP3_OK. */
static enum pop3_reply parse_message(const struct pop3_session *session, struct span text,
                                     struct pop3_arguments *arguments)
{
    uint64_t number;
    if (!pop3_number_parse(text, &number))
        return POP3_NO_NUMBER;
    if (number < 1 || number > session->count)
        return POP3_NO_MESSAGE;
    uint32_t index = (uint32_t)(number - 1);
    if (pop3_is_deleted(session, index))
        return POP3_NO_DELETED_MESSAGE;
    arguments->index = index;
    arguments->has_message = true;
    return POP3_OK;
}

/* What is wrong with the arguments, or POP3_OK. */
static enum pop3_reply parse_arguments(const struct pop3_session *session, enum shape shape,
                                       struct pop3_arguments *arguments)
{
    struct span rest = arguments->text;
    switch (shape) {
    case NOTHING:
        return rest.size == 0 ? POP3_OK : POP3_NO_ARGUMENT;
    case TEXT:
        return rest.size > 0 ? POP3_OK : POP3_NO_ARGUMENT;
    case MESSAGE:
        return parse_message(session, rest, arguments);
    case MESSAGE_MAYBE:
        return rest.size == 0 ? POP3_OK : parse_message(session, rest, arguments);
    case MESSAGE_LINES: {
        struct span message = cut_word(&rest);
        if (!pop3_number_parse(rest, &arguments->lines))
            return POP3_NO_NUMBER;
        return parse_message(session, message, arguments);
    }
    case ANYTHING:
        break;
    }
    return POP3_OK;
}

/* A good client may ask for a message that isn't there; what else is wrong counts against it. */
static void complain(struct pop3_session *session, enum pop3_reply reply, struct output *out)
{
    if (reply == POP3_NO_MESSAGE || reply == POP3_NO_DELETED_MESSAGE)
        pop3_reply(out, reply);
    else
        pop3_refuse(session, reply, out);
}

void pop3_execute(struct pop3_session *session, struct span line, bool whole, struct output *out)
{
    struct pop3_arguments arguments = {.text = line};
    const struct verb *verb = find_verb(cut_word(&arguments.text));
    enum pop3_reply wrong = POP3_OK;
    if (!whole && !(verb && verb->shape == ANYTHING))
        wrong = POP3_NO_LINE;
    else if (!verb)
        wrong = POP3_NO_COMMAND;
    else if (!(verb->legal & 1u << session->state))
        wrong = session->state == POP3_AUTHORIZATION ? POP3_NO_LOGIN : POP3_NO_SECOND_LOGIN;
    else
        wrong = parse_arguments(session, verb->shape, &arguments);

    if (wrong == POP3_OK)
        verb->handler(session, &arguments, out);
    else
        complain(session, wrong, out);
}
