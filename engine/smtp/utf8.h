/* Well-formed UTF-8 (RFC 3629): no overlong forms, surrogates, or values beyond U+10FFFF. */
#ifndef ENGINE_SMTP_UTF8_H
#define ENGINE_SMTP_UTF8_H

#include "base/span.h"

/* Bytes of the character at the start of `text` (1 … 4); 0: empty or ill-formed. */
size_t smtp_utf8_size(struct span text);

#endif
