/* Servers: what the certificate and key files say, as one context per shard. */
#include "engine/tls.h"

#include "engine/tls_bio.h"
#include "engine/tls_tickets.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct tls_shard {
    _Alignas(64) SSL_CTX *context; /* the shard's thread's */
    SSL_CTX *_Atomic next;         /* loaded and not yet taken by the shard; NULL: none */
    SSL_CTX *fresh;                /* the loading thread's, while it loads */
    struct tls_tickets tickets;
};

struct tls_server {
    struct tls_server_options options;
    BIO_METHOD *method;
    struct tls_shard shards[];
};

/* -------------------------------------------------------------------------------- files ---- */

static int no_password(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

/* The file as a BIO; the caller's to free. */
static enum status open_file(const char *path, BIO **file, struct fault *fault)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
    *file = BIO_new_fp(stream, BIO_CLOSE);
    if (*file != NULL)
        return STATUS_OK;
    fclose(stream);
    return fault_set(fault, STATUS_SYSTEM, "%s: out of memory", path);
}

static bool read_chain(SSL_CTX *context, BIO *file)
{
    X509 *first = PEM_read_bio_X509_AUX(file, NULL, no_password, NULL);
    bool good = first != NULL && SSL_CTX_use_certificate(context, first) == 1;
    X509_free(first);
    while (good) {
        X509 *next = PEM_read_bio_X509(file, NULL, no_password, NULL);
        if (next == NULL) { /* only the end of the file is a good end */
            good = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            if (good)
                ERR_clear_error();
            return good;
        }
        good = SSL_CTX_add0_chain_cert(context, next) == 1;
        if (!good)
            X509_free(next);
    }
    return false;
}

static enum status load_certificate(SSL_CTX *context, const char *path, struct fault *fault)
{
    BIO *file;
    enum status status = open_file(path, &file, fault);
    if (status != STATUS_OK)
        return status;
    if (!read_chain(context, file))
        status = fault_set(fault, STATUS_CONFIG, "%s: not a usable certificate in PEM: %s", path,
                           tls_reason());
    BIO_free(file);
    return status;
}

static enum status load_key(SSL_CTX *context, const struct tls_server_options *options,
                            struct fault *fault)
{
    BIO *file;
    enum status status = open_file(options->key_file, &file, fault);
    if (status != STATUS_OK)
        return status;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, no_password, NULL);
    if (key == NULL)
        status =
            fault_set(fault, STATUS_CONFIG, "%s: not a usable private key in PEM, unencrypted: %s",
                      options->key_file, tls_reason());
    else if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1)
        status = fault_set(fault, STATUS_CONFIG, "%s: not the key of the certificate in %s",
                           options->key_file, options->certificate_file);
    else if (SSL_CTX_use_PrivateKey(context, key) != 1)
        status = fault_set(fault, STATUS_CONFIG, "%s: %s", options->key_file, tls_reason());
    EVP_PKEY_free(key);
    BIO_free(file);
    return status;
}

/* ---------------------------------------------------------------------------- contexts ---- */

static int use_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int seal)
{
    struct tls_shard *shard = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int result = tls_tickets_use(&shard->tickets, name, iv, cipher, mac, seal != 0);
    /* From TLS 1.3 on a ticket is used once (RFC 8446 appendix C.4): another is due. */
    return result == 1 && !seal && SSL_version(ssl) == TLS1_3_VERSION ? 2 : result;
}

/* Who asks for another protocol has been led here by somebody (RFC 7301 section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *context)
{
    const struct tls *tls = SSL_get_app_data(ssl);
    (void)context;
    struct span rest = span_of(offered, offered_bytes);
    while (rest.size > 0 && rest.data[0] < rest.size) {
        struct span name = span_of(rest.data + 1, rest.data[0]);
        if (span_equal(name, tls->protocol)) {
            *chosen = name.data;
            *chosen_bytes = (unsigned char)name.size;
            return SSL_TLSEXT_ERR_OK;
        }
        rest = span_from(rest, name.size + 1);
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static enum status context_new(struct tls_server *server, struct tls_shard *shard, SSL_CTX **result,
                               struct fault *fault)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !tls_context_restrict(context)) {
        SSL_CTX_free(context);
        return fault_set(fault, STATUS_SYSTEM, "TLS: %s", tls_reason());
    }
    enum status status = load_certificate(context, server->options.certificate_file, fault);
    if (status == STATUS_OK)
        status = load_key(context, &server->options, fault);
    if (status != STATUS_OK) {
        SSL_CTX_free(context);
        return status;
    }
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_timeout(context, TLS_TICKETS_KEY_SECONDS);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_app_data(context, shard);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, use_ticket);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    *result = context;
    return STATUS_OK;
}

/* ----------------------------------------------------------------------------- servers ---- */

/* All shards or none. */
enum status tls_server_reload(struct tls_server *server, struct fault *fault)
{
    uint32_t shards = server->options.shards;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < shards; i++)
        status = context_new(server, &server->shards[i], &server->shards[i].fresh, fault);
    for (uint32_t i = 0; i < shards; i++) {
        struct tls_shard *shard = &server->shards[i];
        SSL_CTX_free(status == STATUS_OK ? atomic_exchange(&shard->next, shard->fresh)
                                         : shard->fresh);
        shard->fresh = NULL;
    }
    return status;
}

static struct tls_server *server_new(const struct tls_server_options *options)
{
    size_t bytes = sizeof(struct tls_server) + options->shards * sizeof(struct tls_shard);
    struct tls_server *server = aligned_alloc(_Alignof(struct tls_server), bytes);
    if (server != NULL) {
        memset(server, 0, bytes);
        server->options = *options;
        server->method = tls_bio_method();
    }
    return server;
}

enum status tls_server_open(struct tls_server **opened, const struct tls_server_options *options,
                            struct fault *fault)
{
    struct tls_server *server = server_new(options);
    uint8_t secret[TLS_TICKETS_SECRET_BYTES];
    if (server == NULL || server->method == NULL || RAND_priv_bytes(secret, sizeof secret) != 1) {
        if (server != NULL)
            tls_server_close(server);
        return fault_set(fault, STATUS_SYSTEM, "TLS: no memory, or no random numbers");
    }
    uint64_t epoch = tls_tickets_epoch(options->clock);
    for (uint32_t i = 0; i < options->shards; i++)
        tls_tickets_init(&server->shards[i].tickets, options->clock, epoch, secret);
    explicit_bzero(secret, sizeof secret);
    enum status status = tls_server_reload(server, fault);
    if (status != STATUS_OK) {
        tls_server_close(server);
        return status;
    }
    *opened = server;
    return STATUS_OK;
}

void tls_server_close(struct tls_server *server)
{
    for (uint32_t i = 0; i < server->options.shards; i++) {
        SSL_CTX_free(server->shards[i].context);
        SSL_CTX_free(server->shards[i].next);
        explicit_bzero(&server->shards[i].tickets, sizeof server->shards[i].tickets);
    }
    BIO_meth_free(server->method);
    free(server);
}

/* What was loaded is the shard's from here on; connections hold on to what they began with. */
static SSL_CTX *present_context(struct tls_shard *shard)
{
    if (atomic_load_explicit(&shard->next, memory_order_relaxed) != NULL) {
        SSL_CTX_free(shard->context);
        shard->context = atomic_exchange(&shard->next, NULL);
    }
    return shard->context;
}

bool tls_accept(struct tls *tls, struct tls_server *server, uint32_t shard, struct span protocol)
{
    *tls = (struct tls){.protocol = protocol};
    if (!tls_attach(tls, SSL_new(present_context(&server->shards[shard])), server->method))
        return false;
    SSL_set_accept_state(tls->ssl);
    return true;
}
