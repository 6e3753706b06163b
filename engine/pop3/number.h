/* Decimal numbers as POP3 clients write them: digits only (RFC 1939: message numbers, counts). */
#ifndef ENGINE_POP3_NUMBER_H
#define ENGINE_POP3_NUMBER_H

#include "base/span.h"

/* False for anything but 1*DIGIT, and for what does not fit into 64 bits. */
bool pop3_number_parse(struct span text, uint64_t *number) __attribute__((warn_unused_result));

#endif
