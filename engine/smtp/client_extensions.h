/* What a server offers in its reply to EHLO or LHLO (RFC 5321 section 4.1.1.1). */
#ifndef ENGINE_SMTP_CLIENT_EXTENSIONS_H
#define ENGINE_SMTP_CLIENT_EXTENSIONS_H

#include "engine/smtp/client.h"

/* Reads one line after the first: adds to `offers` (enum smtp_client_extension bits), and sets
 * `size_max` if it is SIZE with a number. What is unknown or malformed is passed over. */
void smtp_client_extension_read(struct span line, uint8_t *offers, uint64_t *size_max);

#endif
