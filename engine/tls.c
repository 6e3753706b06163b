#include "engine/tls.h"

#include "base/invariant.h"
#include "engine/tls_bio.h"

#include <openssl/err.h>
#include <stdio.h>

void tls_close(struct tls *tls)
{
    /* Else OpenSSL would not take up again the session of a connection that just ended. */
    if (tls->up && !tls->broken)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN);
    SSL_free(tls->ssl);
    tls->ssl = NULL;
}

static enum tls_result failed(struct tls *tls, int returned)
{
    switch (SSL_get_error(tls->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        INVARIANT(tls->input.size == 0);
        return TLS_MORE;
    case SSL_ERROR_WANT_WRITE:
        return TLS_FULL;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    default:
        tls->broken = true;
        return TLS_BROKEN;
    }
}

static enum tls_result shake_hands(struct tls *tls)
{
    int returned = SSL_do_handshake(tls->ssl);
    if (returned != 1)
        return failed(tls, returned);
    tls->up = true;
    snprintf(tls->cipher, sizeof tls->cipher, "%s %s", SSL_get_version(tls->ssl),
             SSL_get_cipher_name(tls->ssl));
    return TLS_UP;
}

static enum tls_result decrypt(struct tls *tls, struct output *plain)
{
    INVARIANT(output_room(plain) > 0);
    int returned = SSL_read(tls->ssl, plain->data + plain->size, (int)output_room(plain));
    if (returned <= 0)
        return failed(tls, returned);
    plain->size += (uint32_t)returned;
    return TLS_PLAIN;
}

enum tls_result tls_receive(struct tls *tls, struct span *input, struct output *plain,
                            struct output *sealed)
{
    if (tls->broken)
        return TLS_BROKEN;
    ERR_clear_error(); /* what other calls left would pass for ours */
    tls->input = *input;
    tls->sealed = sealed;
    enum tls_result result = tls->up ? decrypt(tls, plain) : shake_hands(tls);
    *input = tls->input;
    tls->input = span_of(NULL, 0);
    tls->sealed = NULL;
    return result;
}

/* One record; what it is sealed to may grow no further than to the bytes that come after it. */
static bool seal_record(struct tls *tls, struct span plain, struct output *sealed)
{
    size_t written;
    ERR_clear_error();
    tls->sealed = sealed;
    bool sealed_all = SSL_write_ex(tls->ssl, plain.data, plain.size, &written) == 1;
    tls->sealed = NULL;
    return sealed_all && written == plain.size;
}

bool tls_send(struct tls *tls, struct span plain, struct output *sealed)
{
    INVARIANT(tls->up);
    uint8_t *end = sealed->data + sealed->capacity;
    while (plain.size > 0 && !tls->broken) {
        size_t part = plain.size < TLS_RECORD_BYTES_MAX ? plain.size : TLS_RECORD_BYTES_MAX;
        struct output limited = *sealed;
        bool in_place = plain.data >= sealed->data && plain.data < end;
        if (in_place)
            limited.capacity = (uint32_t)(plain.data + part - sealed->data);
        tls->broken = !seal_record(tls, span_of(plain.data, part), &limited);
        sealed->size = limited.size;
        plain = span_from(plain, part);
    }
    return !tls->broken;
}

void tls_finish(struct tls *tls, struct output *sealed)
{
    if (!tls->up || tls->broken)
        return;
    ERR_clear_error();
    tls->sealed = sealed;
    (void)SSL_shutdown(tls->ssl); /* a peer that is gone needs no farewell */
    tls->sealed = NULL;
}
