/* An SMTP or LMTP conversation of any bytes: however they are cut, the same replies and the same
 * messages. The first byte chooses the kind of session, the second the cuts; the rest is what the
 * client sends. What holds for every conversation is checked by tests/engine/smtp/conversation.c.
 */
#include "base/invariant.h"
#include "tests/engine/smtp/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LMTP = 1 << 0,
    STARTTLS = 1 << 1,
    SMALL = 1 << 2,
    GREETED = 1 << 3,
    OPENED = 1 << 4,
    LAZY = 1 << 5,
    AGAIN = 1 << 6,
    TIGHT = 1 << 7,
};

#define TIGHT_ROOM SMTP_REPLY_BYTES_MAX
#define WIDE_ROOM 8192u

/* Feeds what most inputs would need to have found first, then the input. */
static void run(struct conversation *c, unsigned kind, struct span input, size_t piece)
{
    conversation_open(c);
    if (kind & (GREETED | OPENED))
        conversation_feed(c, kind & LMTP ? SPAN("LHLO a\r\n") : SPAN("EHLO a\r\n"));
    if (kind & OPENED)
        conversation_feed(c, SPAN("MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<c@d>\r\n"));
    for (; input.size > 0; input = span_from(input, piece)) {
        piece = piece < input.size ? piece : input.size;
        conversation_feed(c, span_of(input.data, piece));
    }
    conversation_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    unsigned kind = data[0];
    size_t piece = 1 + data[1] % 80u;
    struct span input = {data + 2, size - 2};
    struct conversation whole, cut;
    conversation_init(&whole);
    whole.config.lmtp = kind & LMTP;
    whole.config.starttls = kind & STARTTLS;
    whole.config.message_bytes_max = kind & SMALL ? 40 : 100000;
    whole.config.text_line_bytes_max = kind & SMALL ? 64 : 1000;
    whole.config.hops_max = 2;
    whole.config.recipients_max = 4;
    conversation_init(&cut);
    cut.config = whole.config;
    cut.lazy = kind & LAZY;
    cut.again = kind & AGAIN;
    cut.room = kind & TIGHT ? TIGHT_ROOM : WIDE_ROOM;

    run(&whole, kind, input, input.size);
    run(&cut, kind, input, piece);
    INVARIANT(span_equal(text_span(&whole.replies), text_span(&cut.replies)));
    INVARIANT(span_equal(text_span(&whole.messages), text_span(&cut.messages)));
    INVARIANT(smtp_wish(&whole.session) == smtp_wish(&cut.session));
    conversation_free(&whole);
    conversation_free(&cut);
    return 0;
}
