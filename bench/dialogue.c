#include "bench/dialogue.h"

#include "base/invariant.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES 78u /* with CRLF */

#define MAIL_LINE "MAIL FROM:<load@example.test>\r\n"
#define RCPT_LINE "RCPT TO:<user%u@example.test>\r\n"
#define DATA_LINE "DATA\r\n"

static const char headers[] = "From: load@example.test\r\n"
                              "To: undisclosed-recipients:;\r\n"
                              "Date: Mon, 23 Nov 2026 16:00:00 +0000\r\n"
                              "Message-ID: <load@example.test>\r\n"
                              "Subject: a message to measure with\r\n"
                              "\r\n";

enum { ENVELOPE_LINES = 3 };
static const unsigned envelope_parts[ENVELOPE_LINES] = {DIALOGUE_MAIL, DIALOGUE_RCPT,
                                                        DIALOGUE_DATA};

struct dialogue_user {
    char text[96]; /* the lines of an envelope to this user, one after the other */
    uint8_t ends[ENVELOPE_LINES];
};

static void user_init(struct dialogue_user *user, uint32_t number)
{
    int size = snprintf(user->text, sizeof(user->text), MAIL_LINE RCPT_LINE DATA_LINE, number);
    INVARIANT(size > 0 && (size_t)size < sizeof(user->text));
    user->ends[0] = sizeof(MAIL_LINE) - 1;
    user->ends[1] = (uint8_t)((size_t)size - (sizeof(DATA_LINE) - 1));
    user->ends[2] = (uint8_t)size;
}

/* Lines of letters, none of which begins with a dot. */
static void payload_write(uint8_t *out, size_t size)
{
    while (size > 0) {
        size_t line = size < LINE_BYTES ? size : LINE_BYTES;
        if (size - line == 1) /* no room for a line end of its own */
            line--;
        for (size_t i = 0; i < line - 2; i++)
            out[i] = (uint8_t)('a' + (size + i) % 26);
        memcpy(out + line - 2, "\r\n", 2);
        out += line;
        size -= line;
    }
}

static enum status body_open(struct dialogue *dialogue, size_t size)
{
    static const char end[] = ".\r\n";
    INVARIANT(size >= 2);
    dialogue->body = malloc(sizeof(headers) + size + sizeof(end));
    if (!dialogue->body)
        return STATUS_SYSTEM;
    memcpy(dialogue->body, headers, sizeof(headers) - 1);
    size_t at = sizeof(headers) - 1;
    payload_write(dialogue->body + at, size);
    at += size;
    memcpy(dialogue->body + at, end, sizeof(end) - 1);
    dialogue->body_bytes = at + sizeof(end) - 1;
    return STATUS_OK;
}

enum status dialogue_open(struct dialogue *dialogue, uint32_t users, size_t size,
                          struct fault *fault)
{
    *dialogue = (struct dialogue){.user_count = users};
    dialogue->users = calloc(users, sizeof(*dialogue->users));
    if (!dialogue->users || body_open(dialogue, size) != STATUS_OK) {
        dialogue_close(dialogue);
        return fault_set(fault, STATUS_SYSTEM, "no memory for messages of %zu bytes", size);
    }
    for (uint32_t user = 0; user < users; user++)
        user_init(&dialogue->users[user], user);
    return STATUS_OK;
}

void dialogue_close(struct dialogue *dialogue)
{
    free(dialogue->users);
    free(dialogue->body);
}

struct span dialogue_envelope(const struct dialogue *dialogue, unsigned parts, uint32_t user)
{
    const struct dialogue_user *lines = &dialogue->users[user];
    size_t start = 0, end = 0;
    for (unsigned i = 0; i < ENVELOPE_LINES; i++) {
        if (!(parts & envelope_parts[i]))
            continue;
        if (end == 0)
            start = i > 0 ? lines->ends[i - 1] : 0;
        end = lines->ends[i];
    }
    return span_of(lines->text + start, end - start);
}

struct span dialogue_body(const struct dialogue *dialogue)
{
    return span_of(dialogue->body, dialogue->body_bytes);
}
