/* libFuzzer: whatever a client sends, the POP3 session neither crashes nor says anything else when
 * the same bytes arrive cut in other places or with other room for replies. */
#include "tests/engine/pop3/conversation.h"

#include "base/random.h"

#include <stdlib.h>

/* The input begins with these, the client's bytes follow. */
enum { LISTENER, LOGIN_STATUS, FETCH_STATUS, EXPUNGE_STATUS, ROOM, PIECE, CUTS, SETTINGS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const messages[] = {
    "Subject: one\r\n\r\nHello\r\n.\r\n",
    "Subject: two\r\nX: y\r\n\r\nline 1\r\n..dot\r\n\r\nline 4\r\n.\r\n",
    "Subject: no body\r\n.\r\n",
    "\r\n.\r\n",
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A quarter of all values fail somehow. */
static enum status status_from(uint8_t byte)
{
    return byte < 192 ? STATUS_OK : (enum status)(byte % STATUS_COUNT);
}

static struct conversation_setup read_settings(const uint8_t *data)
{
    return (struct conversation_setup){
        .messages = messages,
        .messages_count = sizeof messages / sizeof *messages,
        .secure = data[LISTENER] & 1,
        .tls_only = data[LISTENER] & 2,
        .stls = data[LISTENER] & 4,
        .login = status_from(data[LOGIN_STATUS]),
        .fetch = status_from(data[FETCH_STATUS]),
        .expunge = status_from(data[EXPUNGE_STATUS]),
    };
}

/* Holds it in pieces of 1 … `piece_max` bytes. */
static void hold(struct conversation *talk, const struct conversation_setup *setup,
                 struct span client, size_t piece_max, uint64_t seed)
{
    struct random random = {seed};
    conversation_open(talk, setup);
    while (client.size > 0) {
        size_t piece = 1 + random_below(&random, piece_max);
        if (piece > client.size)
            piece = client.size;
        conversation_hear(talk, span_of(client.data, piece));
        client = span_from(client, piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < SETTINGS)
        return 0;
    struct conversation_setup setup = read_settings(data);
    struct span client = span_of(data + SETTINGS, size - SETTINGS);
    struct conversation whole, cut;
    hold(&whole, &setup, client, client.size + 1, 0);
    setup.output_bytes = POP3_REPLY_BYTES_MAX + data[ROOM];
    setup.piece_bytes = data[PIECE];
    hold(&cut, &setup, client, 1 + data[CUTS] % 16u, data[CUTS]);

    /* What is cut off after STLS is lost on purpose. */
    if (!whole.is_tls && !cut.is_tls)
        require(span_equal(span_of(whole.transcript, whole.transcript_bytes),
                           span_of(cut.transcript, cut.transcript_bytes)));
    if (setup.login != STATUS_OK)
        require(whole.asks[ASK_FETCH] == 0 && whole.asks[ASK_EXPUNGE] == 0);
    if (setup.tls_only && !setup.secure && !whole.is_tls)
        require(whole.asks[ASK_LOG_IN] == 0);
    conversation_close(&whole);
    conversation_close(&cut);
    return 0;
}
