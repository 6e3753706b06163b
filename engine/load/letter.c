#include "engine/load/letter.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM_BYTES_MAX 254u
#define NUMBER_BYTES_MAX 10u /* of a user */
#define SHOWN_BYTES_MAX 72u  /* of an address in the header: longer ones are not shown */
#define DOMAIN_BYTES_MAX 56u
#define COUNT_DIGITS 12u
#define NO_DOMAIN "mailrace.invalid"
#define ID_FIELD "X-Mailrace-Id: "
#define TAIL_BYTES_MAX (SHOWN_BYTES_MAX + 64u) /* what follows the template in a head */

struct letter_desk {
    const struct letter_options *options;
    struct pool pool;
    struct random random;
    uint64_t count; /* letters written so far */
    struct clock_date_cache date;
    struct span to_before, to_after; /* of the pattern, around %d */
    bool to_counts;                  /* there is a %d */
    char id[LETTER_ID_BYTES];        /* the last one */
    /* The head as far as it has the same length in every letter, and what changes in it. */
    uint8_t template[LETTER_HEAD_BYTES];
    uint32_t template_bytes;
    uint32_t ids_at[2], date_at;
    uint32_t ids_count;
    uint32_t path_bytes; /* that one recipient may need */
    uint32_t recipients_max;
};

static void hexadecimal(char *out, uint32_t digits, uint64_t number)
{
    for (uint32_t i = digits; i-- > 0; number >>= 4)
        out[i] = "0123456789abcdef"[number & 15];
}

/* ------------------------------------------------------------------------------ the desk ---- */

/* What may stand in an address between <> without quoting games. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7F || text.data[i] == '<' ||
            text.data[i] == '>')
            return false;
    return true;
}

static enum status read_pattern(struct letter_desk *desk, struct fault *fault)
{
    const char *to = desk->options->to;
    const char *percent = strchr(to, '%');
    desk->to_before = span_text(to);
    if (percent != NULL) {
        if (percent[1] != 'd' || strchr(percent + 1, '%') != NULL)
            return fault_set(fault, STATUS_USAGE, "--to: '%.200s': only one %%d may stand in it",
                             to);
        desk->to_counts = true;
        desk->to_before = span_of(to, (size_t)(percent - to));
        desk->to_after = span_text(percent + 2);
    }
    desk->path_bytes = (uint32_t)(desk->to_before.size + desk->to_after.size) + NUMBER_BYTES_MAX;
    if (to[0] == '\0' || !is_plain(span_text(to)) || desk->path_bytes > SMTP_CLIENT_PATH_BYTES_MAX)
        return fault_set(fault, STATUS_USAGE, "--to: '%.200s' is no address", to);
    struct span from = desk->options->from;
    if (from.size > FROM_BYTES_MAX || !is_plain(from))
        return fault_set(fault, STATUS_USAGE, "--from: '%.*s' is no address",
                         (int)(from.size < 200 ? from.size : 200), (const char *)from.data);
    return STATUS_OK;
}

static struct span domain_of(struct span address)
{
    for (size_t i = address.size; i-- > 0;)
        if (address.data[i] == '@' && address.size - i - 1 <= DOMAIN_BYTES_MAX &&
            address.size - i > 1)
            return span_from(address, i + 1);
    return SPAN(NO_DOMAIN);
}

static void leave_room(struct output *out, uint32_t *at, uint32_t bytes)
{
    *at = out->size;
    out->size += bytes;
}

static void make_template(struct letter_desk *desk)
{
    const struct letter_options *options = desk->options;
    struct output out = {.data = desk->template, .capacity = sizeof desk->template};
    output_add(&out, SPAN(ID_FIELD));
    leave_room(&out, &desk->ids_at[desk->ids_count++], LETTER_ID_BYTES);
    output_add(&out, SPAN("\r\n"));
    if (options->corpus == NULL) {
        output_add(&out, SPAN("Message-ID: <"));
        leave_room(&out, &desk->ids_at[desk->ids_count++], LETTER_ID_BYTES);
        output_add(&out, SPAN("@"));
        output_add(&out, domain_of(options->from));
        output_add(&out, SPAN(">\r\nDate: "));
        leave_room(&out, &desk->date_at, CLOCK_DATE_BYTES);
        output_add(&out, SPAN("\r\nFrom: <"));
        bool shown = options->from.size > 0 && options->from.size <= SHOWN_BYTES_MAX;
        output_add(&out, shown ? options->from : SPAN("mailrace@" NO_DOMAIN));
        output_add(&out, SPAN(">\r\nSubject: mailrace\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=us-ascii\r\n"));
    }
    desk->template_bytes = out.size;
    INVARIANT(out.size + TAIL_BYTES_MAX <= LETTER_OCTETS_MIN);
}

enum status letter_desk_open(struct letter_desk **result, const struct letter_options *options,
                             uint32_t shard, uint32_t count, struct fault *fault)
{
    INVARIANT(shard <= UINT16_MAX && (options->corpus != NULL || options->paper != NULL));
    struct letter_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    desk->options = options;
    desk->random.state = options->seed + shard * 0x9E3779B97F4A7C15ull;
    hexadecimal(desk->id, 16, options->run);
    hexadecimal(desk->id + 16, 4, shard);
    enum status status = read_pattern(desk, fault);
    if (status == STATUS_OK) {
        make_template(desk);
        desk->recipients_max = (uint32_t)distribution_max(&options->recipients);
        size_t each = sizeof(struct smtp_client_recipient) + desk->path_bytes;
        if (pool_init(&desk->pool, sizeof(struct letter) + desk->recipients_max * each, count) !=
            STATUS_OK)
            status = fault_set(fault, STATUS_SYSTEM, "no memory for %u messages", count);
    }
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
    uint32_t count = (uint32_t)distribution_draw(&options->recipients, &desk->random);
    uint64_t user = random_below(&desk->random, options->users);
    uint8_t *text = (uint8_t *)(letter->recipients + desk->recipients_max);
    for (uint32_t i = 0; i < count; i++, user = user + 1 < options->users ? user + 1 : 0) {
        struct output out = {.data = text, .capacity = desk->path_bytes};
        output_add(&out, desk->to_before);
        if (desk->to_counts)
            output_add_number(&out, user);
        output_add(&out, desk->to_after);
        letter->recipients[i] = (struct smtp_client_recipient){.path = span_of(text, out.size)};
        text += out.size;
    }
    letter->message = (struct smtp_client_message){
        .reverse_path = options->from,
        .recipients = letter->recipients,
        .recipient_count = count,
    };
}

static void add_part(struct letter *letter, struct corpus_text text)
{
    if (text.plain.size == 0)
        return;
    letter->parts[letter->parts_count++] = text;
    letter->message.octets += text.plain.size;
}

static struct corpus_text plain(struct span text)
{
    return (struct corpus_text){.plain = text, .stuffed = text};
}

static struct output begin_head(struct letter_desk *desk, struct letter *letter)
{
    hexadecimal(desk->id + LETTER_ID_BYTES - COUNT_DIGITS, COUNT_DIGITS, desk->count++);
    memcpy(letter->id, desk->id, sizeof letter->id);
    memcpy(letter->head, desk->template, desk->template_bytes);
    for (uint32_t i = 0; i < desk->ids_count; i++)
        memcpy(letter->head + desk->ids_at[i], desk->id, sizeof desk->id);
    return (struct output){
        .data = letter->head, .size = desk->template_bytes, .capacity = sizeof letter->head};
}

/* The text after the head ends with CRLF wherever it is cut; a cut between CR and LF is moved by a
 * byte more in the line before it. */
static void make_up(struct letter_desk *desk, struct letter *letter, uint64_t wall_ns)
{
    struct output head = begin_head(desk, letter);
    clock_date(&desk->date, wall_ns, (char *)letter->head + desk->date_at);
    output_add(&head, SPAN("To: "));
    struct span to = letter->recipients[0].path;
    bool shown = to.size <= SHOWN_BYTES_MAX;
    output_add(&head, shown ? SPAN("<") : SPAN(""));
    output_add(&head, shown ? to : SPAN("undisclosed-recipients:;"));
    output_add(&head, shown ? SPAN(">\r\n\r\n") : SPAN("\r\n\r\n"));
    uint32_t body_at = head.size;
    output_add(&head, span_of(letter->id, sizeof letter->id));
    uint64_t octets = distribution_draw(&desk->options->size, &desk->random);
    size_t cut = (size_t)octets - head.size - 4; /* CRLF here and at the end */
    if (cut % PAPER_LINE_BYTES == PAPER_LINE_BYTES - 1) {
        output_add(&head, SPAN(" "));
        cut--;
    }
    output_add(&head, SPAN("\r\n"));
    struct span text = paper_cut(desk->options->paper, cut, &desk->random);
    add_part(letter, plain(span_of(head.data, head.size)));
    add_part(letter, plain(text));
    add_part(letter, plain(SPAN("\r\n")));
    if (!desk->options->digest)
        return;
    struct digest digest;
    digest_start(&digest);
    digest_add(&digest, span_of(head.data + body_at, head.size - body_at));
    digest_add(&digest, text);
    digest_add(&digest, SPAN("\r\n"));
    letter->digest = digest_end(&digest);
}

static void copy_out(struct letter_desk *desk, struct letter *letter)
{
    const struct corpus *corpus = desk->options->corpus;
    uint32_t which = (uint32_t)random_below(&desk->random, corpus_count(corpus));
    const struct corpus_message *message = corpus_at(corpus, which);
    struct output head = begin_head(desk, letter);
    add_part(letter, plain(span_of(head.data, head.size)));
    add_part(letter, message->header);
    add_part(letter, plain(SPAN("\r\n")));
    add_part(letter, message->body);
    letter->digest = message->digest;
    letter->message.eight_bit = message->eight_bit;
    letter->message.smtputf8 = message->smtputf8;
}

struct letter *letter_write(struct letter_desk *desk, uint64_t wall_ns)
{
    struct letter *letter = pool_take(&desk->pool);
    if (letter == NULL)
        return NULL;
    letter->timer = (struct timer){0};
    letter->parts_count = 0;
    letter->digest = 0;
    address(desk, letter);
    if (desk->options->corpus != NULL)
        copy_out(desk, letter);
    else
        make_up(desk, letter, wall_ns);
    return letter;
}

void letter_free(struct letter_desk *desk, struct letter *letter)
{
    pool_give(&desk->pool, letter);
}
