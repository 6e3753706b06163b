#include "engine/pop3/client_fetch.h"

#include "base/invariant.h"

#define DELE 0x80000000u /* else RETR; the rest is the message's number */

static_assert(256 % POP3_CLIENT_WINDOW == 0, "counts wrap around where places do");

/* ------------------------------------------------------------------------------ the queue ---- */

static uint8_t queued(const struct pop3_client_queue *queue)
{
    return (uint8_t)(queue->asked - queue->heard);
}

static void ask(struct pop3_client_queue *queue, uint32_t command)
{
    INVARIANT(queued(queue) < POP3_CLIENT_WINDOW);
    queue->commands[queue->asked++ % POP3_CLIENT_WINDOW] = command;
}

static uint32_t oldest(const struct pop3_client_queue *queue)
{
    INVARIANT(queue->heard != queue->said);
    return queue->commands[queue->heard % POP3_CLIENT_WINDOW];
}

/* The oldest is through; which message it was about. */
static uint32_t end_oldest(struct pop3_client_queue *queue)
{
    uint32_t command = oldest(queue);
    queue->heard++;
    return command & ~DELE;
}

void pop3_client_fetch_on(struct pop3_client *session)
{
    struct pop3_client_queue *queue = &session->queue;
    uint8_t window = pop3_client_pipelines(session) ? POP3_CLIENT_WINDOW : 1;
    while (!session->leaving && session->fetched < session->count && queued(queue) < window)
        ask(queue, ++session->fetched);
    if (queued(queue) == 0)
        session->turn = POP3_CLIENT_SAY_QUIT;
}

bool pop3_client_fetch_due(const struct pop3_client *session)
{
    return session->queue.said != session->queue.asked;
}

enum pop3_client_phase pop3_client_fetching(const struct pop3_client *session)
{
    return oldest(&session->queue) & DELE ? POP3_CLIENT_DELE : POP3_CLIENT_RETR;
}

void pop3_client_say_queued(struct pop3_client *session, struct output *out)
{
    INVARIANT(pop3_client_fetch_due(session));
    uint32_t command = session->queue.commands[session->queue.said++ % POP3_CLIENT_WINDOW];
    output_add(out, command & DELE ? SPAN("DELE ") : SPAN("RETR "));
    output_add_number(out, command & ~DELE);
    output_add(out, SPAN("\r\n"));
    session->awaited++;
}

/* -------------------------------------------------------------------------------- replies ---- */

void pop3_client_hear_retr(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    struct pop3_client_queue *queue = &session->queue;
    if (status == POP3_CLIENT_ERR) {
        pop3_client_report(session, POP3_CLIENT_RETR, false, text, end_oldest(queue));
        return;
    }
    session->in_message = true;
    session->config->host->begin(session->owner, oldest(queue));
}

void pop3_client_hear_message(struct pop3_client *session, struct span *input)
{
    const struct pop3_client_host *host = session->config->host;
    const struct pop3_client_sink sink = {host->bytes, session->owner};
    if (!pop3_client_body_take(&session->body, input, session->config->unstuff, sink))
        return;
    uint32_t number = end_oldest(&session->queue);
    session->in_message = false;
    pop3_client_report(session, POP3_CLIENT_RETR, true, SPAN(""), number);
    if (host->end(session->owner, number))
        ask(&session->queue, number | DELE);
}

void pop3_client_hear_dele(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    session->deleted |= status == POP3_CLIENT_OK;
    pop3_client_report(session, POP3_CLIENT_DELE, status == POP3_CLIENT_OK, text,
                       end_oldest(&session->queue));
}
