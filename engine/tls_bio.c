#include "engine/tls_bio.h"

#include <openssl/err.h>

static int bio_read(BIO *bio, char *out, int size)
{
    struct tls *tls = BIO_get_data(bio);
    size_t part = tls->input.size < (size_t)size ? tls->input.size : (size_t)size;
    BIO_clear_retry_flags(bio);
    if (part == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(out, tls->input.data, part);
    tls->input = span_from(tls->input, part);
    return (int)part;
}

static int bio_write(BIO *bio, const char *bytes, int size)
{
    struct tls *tls = BIO_get_data(bio);
    size_t part = tls->sealed != NULL ? output_room(tls->sealed) : 0;
    BIO_clear_retry_flags(bio);
    if (part == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (part > (size_t)size)
        part = (size_t)size;
    output_add(tls->sealed, span_of(bytes, part));
    return (int)part;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* everything is always flushed */
}

BIO_METHOD *tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "lent memory");
    if (method == NULL)
        return NULL;
    if (BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) &&
        BIO_meth_set_ctrl(method, bio_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

bool tls_attach(struct tls *tls, SSL *ssl, const BIO_METHOD *method)
{
    BIO *bio = ssl != NULL ? BIO_new(method) : NULL;
    if (bio == NULL) {
        SSL_free(ssl);
        return false;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, tls);
    tls->ssl = ssl;
    return true;
}

bool tls_context_restrict(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
}

const char *tls_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason != NULL ? reason : "out of memory";
}
