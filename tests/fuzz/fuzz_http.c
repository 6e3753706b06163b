/* libFuzzer: whatever a client sends, the HTTP session neither crashes nor says anything else when
 * the same bytes arrive cut in other places or with other room. The first byte chooses the cuts,
 * the second the room; the rest is what the client sends. */
#include "base/invariant.h"
#include "engine/http/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE_LINES = 100, SAID_BYTES = 16384 };

struct talk {
    struct http_session session;
    uint32_t lines;
    struct output said;
    uint8_t bytes[SAID_BYTES];
};

static bool page(void *owner, struct output *out)
{
    struct talk *talk = owner;
    while (talk->lines < PAGE_LINES && output_room(out) >= HTTP_REPLY_BYTES_MAX) {
        output_add_number(out, talk->lines++);
        output_add(out, SPAN(" is a line\n"));
    }
    return talk->lines == PAGE_LINES;
}

static uint64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static void hold(struct talk *talk, struct span client, size_t piece_max, uint32_t room)
{
    static const struct clock clock = {no_time, no_time, NULL};
    static const struct http_host host = {page};
    static const struct http_config config = {SPAN_INIT("/metrics"), SPAN_INIT("text/plain"), &host,
                                              &clock};
    uint8_t bytes[SAID_BYTES];
    talk->lines = 0;
    talk->said = (struct output){talk->bytes, 0, sizeof talk->bytes};
    http_open(&talk->session, &config, talk);
    while (client.size > 0 || talk->session.state == HTTP_SENDING) {
        struct output out = {bytes, 0, room};
        size_t piece = client.size < piece_max ? client.size : piece_max;
        size_t consumed = http_feed(&talk->session, span_of(client.data, piece), &out);
        INVARIANT(consumed == piece);
        client = span_from(client, piece);
        output_add(&talk->said, span_of(bytes, out.size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk whole, cut;
    if (size < 2)
        return 0;
    struct span client = span_of(data + 2, size - 2);
    hold(&whole, client, client.size, SAID_BYTES);
    hold(&cut, client, 1 + data[0] % 32u, HTTP_REPLY_BYTES_MAX + data[1]);
    INVARIANT(span_equal(span_of(whole.bytes, whole.said.size), span_of(cut.bytes, cut.said.size)));
    INVARIANT(whole.session.state == cut.session.state);
    INVARIANT((whole.session.state == HTTP_READING) == (whole.said.size == 0));
    return 0;
}
