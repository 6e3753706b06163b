#include "engine/load/letter.h"

#include "base/digest.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/output.h"
#include "engine/load/letter_head.h"
#include "engine/load/pattern.h"

#include <stdlib.h>
#include <string.h>

#define FROM_BYTES_MAX 254u /* RFC 5321 section 4.5.3.1.3, without <> */
#define COUNT_DIGITS 12u

struct letter_desk {
    const struct letter_options *options;
    struct pool pool;
    struct random random;
    struct letter_head head;
    struct pattern to;
    uint64_t count;           /* letters written so far */
    bool smtputf8;            /* an address is not ASCII */
    uint32_t users;           /* different recipients */
    uint32_t recipients_max;  /* of one letter */
    char id[LETTER_ID_BYTES]; /* of the last letter */
};

static void write_hexadecimal(char *out, uint32_t digits, uint64_t number)
{
    for (uint32_t i = digits; i-- > 0; number >>= 4)
        out[i] = "0123456789abcdef"[number & 15];
}

/* ------------------------------------------------------------------------------ the desk ---- */

static enum status check_from(struct span from, struct fault *fault)
{
    if (from.size <= FROM_BYTES_MAX && pattern_is_path(from))
        return STATUS_OK;
    char shown[256];
    return fault_set(fault, STATUS_USAGE, "--from: '%s' is no address%s",
                     log_escape(from, shown, sizeof shown),
                     from.size > FROM_BYTES_MAX ? ": longer than 254 bytes" : "");
}

static enum status count_recipients(struct letter_desk *desk, struct fault *fault)
{
    const struct letter_options *options = desk->options;
    uint64_t most = distribution_max(&options->recipients);
    desk->users = desk->to.counts ? options->users : 1;
    desk->recipients_max = most < desk->users ? (uint32_t)most : desk->users;
    if (options->recipients.low <= desk->users)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE,
                     "--recipients: %llu or more for each message, but --to names only %u",
                     (unsigned long long)options->recipients.low, desk->users);
}

static enum status set_up(struct letter_desk *desk, uint32_t count, struct fault *fault)
{
    const struct letter_options *options = desk->options;
    enum status status = check_from(options->from, fault);
    if (status == STATUS_OK)
        status = pattern_parse(options->to, &desk->to, fault);
    if (status == STATUS_OK)
        status = count_recipients(desk, fault);
    if (status != STATUS_OK)
        return status;
    desk->smtputf8 = !desk->to.ascii || !pattern_is_ascii(options->from);
    letter_head_init(&desk->head, options->from, options->corpus == NULL);
    size_t each = sizeof(struct smtp_client_recipient) + desk->to.bytes_max;
    if (pool_init(&desk->pool, sizeof(struct letter) + desk->recipients_max * each, count) !=
        STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u messages", count);
    return STATUS_OK;
}

/* The lots of shards have nothing in common: one's must not be another's some draws later. */
enum status letter_desk_open(struct letter_desk **result, const struct letter_options *options,
                             uint32_t shard, uint32_t count, struct fault *fault)
{
    INVARIANT(shard <= UINT16_MAX && options->users > 0 && options->recipients.low > 0);
    INVARIANT(options->corpus != NULL ||
              (options->paper != NULL && options->size.low >= LETTER_OCTETS_MIN));
    struct letter_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return fault_set(fault, STATUS_SYSTEM, "no memory for messages");
    desk->options = options;
    desk->random.state = hash64(span_of(&shard, sizeof shard), options->seed);
    write_hexadecimal(desk->id, 16, options->run);
    write_hexadecimal(desk->id + 16, 4, shard);
    enum status status = set_up(desk, count, fault);
    if (status == STATUS_OK)
        *result = desk;
    else
        free(desk);
    return status;
}

void letter_desk_close(struct letter_desk *desk)
{
    pool_deinit(&desk->pool);
    free(desk);
}

/* ------------------------------------------------------------------------------- writing ---- */

static void address(struct letter_desk *desk, struct letter *letter)
{
    const struct letter_options *options = desk->options;
    uint64_t drawn = distribution_draw(&options->recipients, &desk->random);
    uint32_t count = drawn < desk->users ? (uint32_t)drawn : desk->users;
    uint32_t user = (uint32_t)random_below(&desk->random, desk->users);
    uint8_t *text = (uint8_t *)(letter->recipients + count);
    for (uint32_t i = 0; i < count; i++, user = user + 1 < desk->users ? user + 1 : 0) {
        struct output out = {.data = text, .capacity = desk->to.bytes_max};
        pattern_write(&desk->to, user, &out);
        letter->recipients[i] = (struct smtp_client_recipient){.path = span_of(text, out.size)};
        text += out.size;
    }
    letter->message = (struct smtp_client_message){
        .reverse_path = options->from,
        .recipients = letter->recipients,
        .recipient_count = count,
        .smtputf8 = desk->smtputf8,
    };
}

static void add_part(struct letter *letter, struct corpus_text text)
{
    if (text.plain.size == 0)
        return;
    letter->parts[letter->parts_count++] = text;
    letter->message.octets += text.plain.size;
}

/* A part without a dot at the beginning of a line. */
static struct corpus_text undotted(struct span text)
{
    return (struct corpus_text){.plain = text, .stuffed = text};
}

static struct output begin(struct letter_desk *desk, struct letter *letter, uint64_t wall_ns)
{
    struct output out = {.data = letter->head, .capacity = sizeof letter->head};
    write_hexadecimal(desk->id + LETTER_ID_BYTES - COUNT_DIGITS, COUNT_DIGITS, desk->count++);
    memcpy(letter->id, desk->id, sizeof letter->id);
    letter_head_write(&desk->head, letter->id, wall_ns, letter->recipients[0].path, &out);
    return out;
}

static uint64_t digest_body(struct span first_line, struct span text, struct span end)
{
    struct digest digest;
    digest_start(&digest);
    digest_add(&digest, first_line);
    digest_add(&digest, text);
    digest_add(&digest, end);
    return digest_end(&digest);
}

/* The text is cut off anywhere and ended with CRLF, which makes an empty line where it was cut at a
 * line's end. Only between CR and LF it must not be: then a byte goes to the line before it. */
static void make_up(struct letter_desk *desk, struct letter *letter, uint64_t wall_ns)
{
    struct output head = begin(desk, letter, wall_ns);
    uint32_t body_at = head.size;
    output_add(&head, span_of(letter->id, sizeof letter->id));

    const struct span end = SPAN("\r\n");
    uint64_t octets = distribution_draw(&desk->options->size, &desk->random);
    size_t cut = (size_t)octets - head.size - 2 * end.size;
    if (cut % PAPER_LINE_BYTES == PAPER_LINE_BYTES - 1) {
        output_add(&head, SPAN("."));
        cut--;
    }
    output_add(&head, end);
    struct span text = paper_cut(desk->options->paper, cut, &desk->random);
    add_part(letter, undotted(span_of(head.data, head.size)));
    add_part(letter, undotted(text));
    add_part(letter, undotted(end));
    struct span first_line = span_of(head.data + body_at, head.size - body_at);
    letter->digest = desk->options->digest ? digest_body(first_line, text, end) : 0;
}

static void copy_out(struct letter_desk *desk, struct letter *letter, uint64_t wall_ns)
{
    const struct corpus *corpus = desk->options->corpus;
    uint32_t index = (uint32_t)random_below(&desk->random, corpus_count(corpus));
    const struct corpus_message *message = corpus_at(corpus, index);
    struct output head = begin(desk, letter, wall_ns);
    add_part(letter, undotted(span_of(head.data, head.size)));
    add_part(letter, message->header);
    add_part(letter, undotted(SPAN("\r\n")));
    add_part(letter, message->body);
    letter->digest = message->digest;
    letter->message.eight_bit = message->eight_bit;
    letter->message.smtputf8 |= message->smtputf8;
}

struct letter *letter_write(struct letter_desk *desk, uint64_t wall_ns)
{
    struct letter *letter = pool_take(&desk->pool);
    if (letter == NULL)
        return NULL;
    letter->next = NULL;
    letter->timer = (struct timer){0};
    letter->attempts = 0;
    letter->fates = 0;
    letter->parts_count = 0;
    address(desk, letter);
    if (desk->options->corpus != NULL)
        copy_out(desk, letter, wall_ns);
    else
        make_up(desk, letter, wall_ns);
    return letter;
}

void letter_free(struct letter_desk *desk, struct letter *letter)
{
    pool_give(&desk->pool, letter);
}
