#include "engine/load/letter_head.h"

#include "base/invariant.h"
#include "engine/load/pattern.h"

#define SHOWN_BYTES_MAX 72u  /* of an address */
#define DOMAIN_BYTES_MAX 56u /* of a Message-ID */
#define NO_DOMAIN "mailrace.invalid"
#define FIRST_LINE_BYTES (LETTER_ID_BYTES + 1 + sizeof "\r\n" - 1)

static bool is_shown(struct span address)
{
    return address.size > 0 && address.size <= SHOWN_BYTES_MAX && pattern_is_ascii(address);
}

/* What follows the last @, if it can be shown. */
static struct span domain_of(struct span address)
{
    const uint8_t *at = address.size > 0 ? memrchr(address.data, '@', address.size) : NULL;
    if (at == NULL)
        return SPAN(NO_DOMAIN);
    struct span domain = span_from(address, (size_t)(at + 1 - address.data));
    bool shown = domain.size > 0 && domain.size <= DOMAIN_BYTES_MAX && pattern_is_ascii(domain);
    return shown ? domain : SPAN(NO_DOMAIN);
}

static uint32_t leave_room(struct output *out, uint32_t bytes)
{
    uint32_t at = out->size;
    INVARIANT(bytes <= output_room(out));
    out->size += bytes;
    return at;
}

void letter_head_init(struct letter_head *head, struct span from, bool made_up)
{
    *head = (struct letter_head){.made_up = made_up};
    struct output out = {.data = head->form, .capacity = sizeof head->form};
    output_add(&out, SPAN("X-Mailrace-Id: "));
    head->ids_at[head->ids_count++] = leave_room(&out, LETTER_ID_BYTES);
    output_add(&out, SPAN("\r\n"));
    if (made_up) {
        output_add(&out, SPAN("Message-ID: <"));
        head->ids_at[head->ids_count++] = leave_room(&out, LETTER_ID_BYTES);
        output_add(&out, SPAN("@"));
        output_add(&out, domain_of(from));
        output_add(&out, SPAN(">\r\nDate: "));
        head->date_at = leave_room(&out, CLOCK_DATE_BYTES);
        output_add(&out, SPAN("\r\nFrom: <"));
        output_add(&out, is_shown(from) ? from : SPAN("mailrace@" NO_DOMAIN));
        output_add(&out, SPAN(">\r\nSubject: mailrace\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=us-ascii\r\n"));
    }
    head->form_bytes = out.size;
}

void letter_head_write(struct letter_head *head, const char id[LETTER_ID_BYTES], uint64_t wall_ns,
                       struct span to, struct output *out)
{
    uint8_t *form = out->data + out->size;
    output_add(out, span_of(head->form, head->form_bytes));
    for (uint32_t i = 0; i < head->ids_count; i++)
        memcpy(form + head->ids_at[i], id, LETTER_ID_BYTES);
    if (!head->made_up)
        return;
    clock_date(&head->date, wall_ns, (char *)form + head->date_at);
    if (is_shown(to)) {
        output_add(out, SPAN("To: <"));
        output_add(out, to);
        output_add(out, SPAN(">\r\n\r\n"));
    } else {
        output_add(out, SPAN("To: undisclosed-recipients:;\r\n\r\n"));
    }
    INVARIANT(out->data + out->size - form + FIRST_LINE_BYTES + 2 <= LETTER_OCTETS_MIN);
}
