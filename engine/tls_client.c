/* Clients: one context, and the last session that a server gave. */
#include "engine/tls.h"

#include "engine/tls_bio.h"

#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_client {
    SSL_CTX *context;
    BIO_METHOD *method;
    SSL_SESSION *session; /* NULL: none yet */
};

/* Called with a reference that is ours when we say 1. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(client->session);
    client->session = session;
    return 1;
}

static bool trust(SSL_CTX *context, const struct tls_client_options *options)
{
    if (!options->verify)
        return true;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return options->ca_file != NULL
               ? SSL_CTX_load_verify_locations(context, options->ca_file, NULL) == 1
               : SSL_CTX_set_default_verify_paths(context) == 1;
}

enum status tls_client_open(struct tls_client **opened, const struct tls_client_options *options,
                            struct fault *fault)
{
    struct tls_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return fault_set(fault, STATUS_SYSTEM, "TLS: no memory");
    client->method = tls_bio_method();
    client->context = SSL_CTX_new(TLS_client_method());
    if (client->method == NULL || client->context == NULL ||
        !tls_context_restrict(client->context)) {
        tls_client_close(client);
        return fault_set(fault, STATUS_SYSTEM, "TLS: %s", tls_reason());
    }
    if (!trust(client->context, options)) {
        tls_client_close(client);
        return fault_set(fault, STATUS_CONFIG, "%s: no usable certificates",
                         options->ca_file != NULL ? options->ca_file : "the system's trust store");
    }
    SSL_CTX_set_session_cache_mode(client->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client->context, keep_session);
    SSL_CTX_set_app_data(client->context, client);
    *opened = client;
    return STATUS_OK;
}

void tls_client_close(struct tls_client *client)
{
    SSL_SESSION_free(client->session);
    SSL_CTX_free(client->context);
    BIO_meth_free(client->method);
    free(client);
}

/* A name goes into SNI and must be in the certificate; an address only the latter. */
static bool name_peer(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static bool offer_protocol(SSL *ssl, struct span protocol)
{
    uint8_t list[256];
    if (protocol.size == 0)
        return true;
    if (protocol.size >= sizeof list)
        return false;
    list[0] = (uint8_t)protocol.size;
    memcpy(list + 1, protocol.data, protocol.size);
    return SSL_set_alpn_protos(ssl, list, (unsigned)protocol.size + 1) == 0; /* 0 is success */
}

bool tls_connect(struct tls *tls, struct tls_client *client, const char *host, struct span protocol)
{
    *tls = (struct tls){.protocol = protocol};
    if (!tls_attach(tls, SSL_new(client->context), client->method))
        return false;
    SSL_set_connect_state(tls->ssl);
    if (!name_peer(tls->ssl, host) || !offer_protocol(tls->ssl, protocol) ||
        (client->session != NULL && SSL_set_session(tls->ssl, client->session) != 1)) {
        tls_close(tls);
        return false;
    }
    return true;
}

bool tls_is_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}
