/* What the files of TLS share of OpenSSL: the memory that a connection reads from and writes to.
 *
 * Private to engine/tls*.c. OpenSSL's own memory BIOs copy into buffers that grow; this one reads
 * from the bytes lent to tls_receive and writes where the caller gave room, so nothing is held. */
#ifndef ENGINE_TLS_BIO_H
#define ENGINE_TLS_BIO_H

#include "engine/tls.h"

#include <openssl/ssl.h>

/* NULL: no memory. Freed with BIO_meth_free once no connection uses it. */
BIO_METHOD *tls_bio_method(void);
/* Gives `ssl` (NULL: fails) to the filter, with a BIO of this kind. False: no memory. */
bool tls_attach(struct tls *tls, SSL *ssl, const BIO_METHOD *method);
/* What servers and clients alike are set to. */
bool tls_context_restrict(SSL_CTX *context);
/* The reason OpenSSL gives for its last failure. */
const char *tls_reason(void);

#endif
