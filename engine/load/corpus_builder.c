#include "engine/load/corpus_builder.h"

#include "base/digest.h"
#include "base/invariant.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES_MIN ((size_t)1 << 20)
#define MESSAGES_MIN 64u

/* -------------------------------------------------------------------------------- memory ---- */

/* By the kernel, which moves pages instead of copying them; what is not used costs nothing. */
static bool grow(struct corpus_builder *builder, size_t needed)
{
    size_t capacity = builder->capacity > 0 ? builder->capacity : BYTES_MIN;
    while (capacity < needed)
        capacity *= 2;
    void *bytes = builder->bytes == NULL
                      ? mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                      : mremap(builder->bytes, builder->capacity, capacity, MREMAP_MAYMOVE);
    if (bytes == MAP_FAILED)
        return false;
    builder->bytes = bytes;
    builder->capacity = capacity;
    return true;
}

/* Room for so many bytes more; NULL: there is none. */
static uint8_t *extend(struct corpus_builder *builder, size_t more)
{
    size_t needed = builder->size + more;
    if (builder->full || (needed > builder->capacity && !grow(builder, needed))) {
        builder->full = true;
        return NULL;
    }
    uint8_t *at = builder->bytes + builder->size;
    builder->size = needed;
    return at;
}

static struct corpus_message *extend_messages(struct corpus_builder *builder)
{
    if (builder->count == builder->messages_capacity) {
        uint32_t capacity = builder->count > 0 ? builder->count * 2 : MESSAGES_MIN;
        struct corpus_message *messages =
            capacity > builder->count ? reallocarray(builder->messages, capacity, sizeof *messages)
                                      : NULL;
        if (messages == NULL) {
            builder->full = true;
            return NULL;
        }
        builder->messages = messages;
        builder->messages_capacity = capacity;
    }
    return &builder->messages[builder->count++];
}

/* --------------------------------------------------------------------------------- lines ---- */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* The name of the field that the line begins; empty: it begins none. RFC 5322 section 2.2, and
 * section 4.5 for blanks before the colon. */
static struct span field_name(struct span line)
{
    size_t size = 0;
    while (size < line.size && line.data[size] > ' ' && line.data[size] < 0x7F &&
           line.data[size] != ':')
        size++;
    size_t colon = size;
    while (colon < line.size && is_blank(line.data[colon]))
        colon++;
    bool is_field = colon < line.size && line.data[colon] == ':';
    return span_of(line.data, is_field ? size : 0);
}

static enum corpus_builder_place place_of(enum corpus_builder_place before, struct span line)
{
    struct span name = field_name(line);
    if (before == CORPUS_BUILDER_BODY || (before == CORPUS_BUILDER_START && name.size == 0))
        return CORPUS_BUILDER_BODY;
    if (before == CORPUS_BUILDER_ID && line.size > 0 && is_blank(line.data[0]))
        return CORPUS_BUILDER_ID;
    return span_equal_nocase(name, SPAN("X-Mailrace-Id")) ? CORPUS_BUILDER_ID
                                                          : CORPUS_BUILDER_HEADER;
}

static void append(struct corpus_builder *builder, struct span line, size_t *bytes, size_t *dotted)
{
    uint8_t *at = extend(builder, line.size + 2);
    if (at == NULL)
        return;
    if (line.size > 0)
        memcpy(at, line.data, line.size);
    memcpy(at + line.size, "\r\n", 2);
    *bytes += line.size + 2;
    *dotted += line.size > 0 && line.data[0] == '.';
}

void corpus_builder_add(struct corpus_builder *builder, struct span line)
{
    bool in_body = builder->place == CORPUS_BUILDER_BODY;
    if (!in_body && line.size == 0) {
        builder->place = CORPUS_BUILDER_BODY;
        return;
    }
    builder->place = place_of(builder->place, line);
    if (builder->place == CORPUS_BUILDER_HEADER)
        append(builder, line, &builder->header_bytes, &builder->header_dotted);
    else if (builder->place == CORPUS_BUILDER_BODY)
        append(builder, line, &builder->body_bytes, &builder->body_dotted);
}

/* ------------------------------------------------------------------------------ messages ---- */

static bool has_eight_bit(struct span text)
{
    uint64_t all = 0;
    for (; text.size >= sizeof all; text = span_from(text, sizeof all)) {
        uint64_t word;
        memcpy(&word, text.data, sizeof word);
        all |= word;
    }
    for (size_t i = 0; i < text.size; i++)
        all |= text.data[i];
    return all & 0x8080808080808080u;
}

/* Copies the text that starts at `start` with a dot before every line that begins with one (RFC
 * 5321 section 4.5.2). */
static void stuff(struct corpus_builder *builder, size_t start, size_t size, size_t dotted)
{
    uint8_t *to = dotted > 0 ? extend(builder, size + dotted) : NULL;
    if (to == NULL)
        return;
    struct span text = span_of(builder->bytes + start, size);
    while (text.size > 0) {
        const uint8_t *lf = memchr(text.data, '\n', text.size);
        INVARIANT(lf != NULL);
        size_t line_bytes = (size_t)(lf + 1 - text.data);
        if (text.data[0] == '.')
            *to++ = '.';
        memcpy(to, text.data, line_bytes);
        to += line_bytes;
        text = span_from(text, line_bytes);
    }
    INVARIANT(to == builder->bytes + builder->size);
}

static struct corpus_text sizes(size_t bytes, size_t dotted)
{
    return (struct corpus_text){.plain = {NULL, bytes}, .stuffed = {NULL, bytes + dotted}};
}

static void build(struct corpus_builder *builder)
{
    struct corpus_message *message = extend_messages(builder);
    if (message == NULL)
        return;
    size_t body_at = builder->size - builder->body_bytes;
    size_t header_at = body_at - builder->header_bytes;
    struct span header = span_of(builder->bytes + header_at, builder->header_bytes);
    struct span body = span_of(builder->bytes + body_at, builder->body_bytes);
    bool smtputf8 = has_eight_bit(header);
    *message = (struct corpus_message){
        .header = sizes(builder->header_bytes, builder->header_dotted),
        .body = sizes(builder->body_bytes, builder->body_dotted),
        .digest = digest_of(body),
        .eight_bit = smtputf8 || has_eight_bit(body),
        .smtputf8 = smtputf8,
    };
    stuff(builder, header_at, builder->header_bytes, builder->header_dotted);
    stuff(builder, body_at, builder->body_bytes, builder->body_dotted);
}

void corpus_builder_end_message(struct corpus_builder *builder)
{
    if (builder->header_bytes + builder->body_bytes > 0 && !builder->full)
        build(builder);
    builder->place = CORPUS_BUILDER_START;
    builder->header_bytes = builder->body_bytes = 0;
    builder->header_dotted = builder->body_dotted = 0;
}

/* The plain texts lie where they were appended, the stuffed ones behind both. */
static void place_texts(struct corpus_message *message, const uint8_t **at)
{
    struct corpus_text *const texts[] = {&message->header, &message->body};
    for (size_t i = 0; i < 2; i++) {
        texts[i]->plain.data = *at;
        *at += texts[i]->plain.size;
    }
    for (size_t i = 0; i < 2; i++) {
        bool same = texts[i]->stuffed.size == texts[i]->plain.size;
        texts[i]->stuffed.data = same ? texts[i]->plain.data : *at;
        *at += same ? 0 : texts[i]->stuffed.size;
    }
}

bool corpus_builder_finish(struct corpus_builder *builder)
{
    INVARIANT(builder->place == CORPUS_BUILDER_START);
    if (builder->full || builder->count == 0)
        return !builder->full;
    const uint8_t *at = builder->bytes;
    for (uint32_t i = 0; i < builder->count; i++)
        place_texts(&builder->messages[i], &at);
    INVARIANT(at == builder->bytes + builder->size);
    return mprotect(builder->bytes, builder->capacity, PROT_READ) == 0;
}

void corpus_builder_deinit(struct corpus_builder *builder)
{
    if (builder->bytes != NULL)
        munmap(builder->bytes, builder->capacity);
    free(builder->messages);
    *builder = (struct corpus_builder){0};
}
