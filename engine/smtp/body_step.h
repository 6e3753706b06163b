/* The scanner's state machine, byte by byte: what body.c is made of and body_blocks.c falls back to
 * around dots. Private to the two. */
#ifndef ENGINE_SMTP_BODY_STEP_H
#define ENGINE_SMTP_BODY_STEP_H

#include "engine/smtp/body.h"

#define RECEIVED "received:"
#define RECEIVED_BYTES 9u
#define RECEIVED_DONE 255u /* this line can't match, or has */

/* Notes one more byte of a header line that may turn out to be a Received line. */
static inline void body_match(struct body *body, uint8_t byte)
{
    if (ascii_lower(byte) != (uint8_t)RECEIVED[body->matched]) {
        body->matched = RECEIVED_DONE;
    } else if (++body->matched == RECEIVED_BYTES) {
        body->hops++;
        body->matched = RECEIVED_DONE;
    }
}

/* Takes the next byte. True: it completes the end of data. */
bool body_step(struct body *body, uint8_t byte);

#endif
