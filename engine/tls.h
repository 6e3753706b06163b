/* TLS as a filter of bytes between the network and a session (RFC 8446, RFC 5246): no socket, no
 * protocol.
 *
 * Received bytes go in and come out decrypted; what a session says goes in and comes out sealed;
 * what TLS itself must say (handshake, alerts) is written where the caller gives room for it. Any
 * segmentation of the same input gives the same result. At least TLS 1.2, no renegotiation, no
 * early data.
 *
 * A tls_server has one context per shard, so that shards share nothing that is written; what is
 * common, the keys of session tickets, each derives by itself from one secret. A tls_client and
 * every struct tls belong to one thread. OpenSSL allocates: a few tens of KiB per connection, less
 * the record buffers while nothing is arriving. A program built without OpenSSL has tls_none.c
 * instead, in which no server can be opened. */
#ifndef ENGINE_TLS_H
#define ENGINE_TLS_H

#include "base/clock.h"
#include "base/output.h"
#include "base/span.h"
#include "base/status.h"

#define TLS_RECORD_BYTES_MAX 16384u   /* of plain bytes: what one tls_receive can bring */
#define TLS_OVERHEAD_BYTES_MAX 128u   /* by which a sealed record may be longer */
#define TLS_CIPHER_TEXT_BYTES_MAX 64u /* "TLSv1.3 TLS_AES_256_GCM_SHA384" with its NUL */

struct ssl_st;
struct tls_server;
struct tls_client;

/* One connection. Embedded; must not move while it is open. */
struct tls {
    struct ssl_st *ssl;
    struct span input;                      /* lent for one call */
    struct output *sealed;                  /* lent for one call */
    struct span protocol;                   /* for ALPN (RFC 7301) */
    bool up;                                /* the handshake is done */
    bool broken;                            /* failed for good */
    char cipher[TLS_CIPHER_TEXT_BYTES_MAX]; /* version and cipher suite, once up */
};

/* ----------------------------------------------------------------------------- servers ---- */

struct tls_server_options {
    const char *certificate_file; /* PEM, with what leads to the root behind it */
    const char *key_file;         /* PEM, not encrypted */
    uint32_t shards;
    const struct clock *clock; /* ages the keys of session tickets */
};

/* Reads the files and makes a context per shard. The options' strings must outlive it. ABSENT,
 * DENIED, IO: a file can't be read; CONFIG: it holds nothing usable, or the key is another
 * certificate's; each with a line that names the file. */
enum status tls_server_open(struct tls_server **server, const struct tls_server_options *options,
                            struct fault *fault) MUST_CHECK;
/* Reads the files again, for the connections that come after. Same faults: then nothing changes.
 * From one thread, while the shards go on. */
enum status tls_server_reload(struct tls_server *server, struct fault *fault) MUST_CHECK;
/* All connections are closed. */
void tls_server_close(struct tls_server *server);

/* Begins the server's side of a connection, on its shard's thread. `protocol` is the only name that
 * ALPN may ask for ("smtp", "pop3"); it must outlive the connection. False: no memory. */
bool tls_accept(struct tls *tls, struct tls_server *server, uint32_t shard, struct span protocol);

/* ----------------------------------------------------------------------------- clients ---- */

struct tls_client_options {
    bool verify;         /* the certificate must be good for the host asked for */
    const char *ca_file; /* PEM; NULL: the system's */
};

/* CONFIG: ca_file is not usable. */
enum status tls_client_open(struct tls_client **client, const struct tls_client_options *options,
                            struct fault *fault) MUST_CHECK;
/* All connections are closed. */
void tls_client_close(struct tls_client *client);

/* Begins the client's side: the first tls_receive, with no input, says hello. `host`: a name, for
 * SNI (RFC 6066) and the certificate, or a numeric address. Takes up the last session that a server
 * gave this client. False: no memory, or no such host. */
bool tls_connect(struct tls *tls, struct tls_client *client, const char *host,
                 struct span protocol);
/* The handshake took up an earlier session; once up. */
bool tls_is_resumed(const struct tls *tls);

/* -------------------------------------------------------------------------- connections ---- */

/* Gives back what OpenSSL has. Says nothing to the peer: see tls_finish. */
void tls_close(struct tls *tls);

enum tls_result {
    TLS_MORE,   /* all input was taken, and nothing more comes of it */
    TLS_PLAIN,  /* one record, or what `plain` had room for: call again */
    TLS_UP,     /* the handshake is done: call again */
    TLS_FULL,   /* `sealed` has no room left for what must be sent: call again with more */
    TLS_ENDED,  /* close_notify: the peer will say nothing more */
    TLS_BROKEN, /* not TLS, or not acceptable: `sealed` may hold an alert; the end */
};

/* Takes received bytes from the front of `input`, one record at most, and adds what they say to
 * `plain`; what TLS must send is added to `sealed`. */
enum tls_result tls_receive(struct tls *tls, struct span *input, struct output *plain,
                            struct output *sealed) MUST_CHECK;

/* Room to leave before plain bytes in a buffer of `bytes`, so that they can be sealed in place. */
static inline uint32_t tls_headroom(uint32_t bytes)
{
    return (bytes / TLS_RECORD_BYTES_MAX + 1) * TLS_OVERHEAD_BYTES_MAX;
}

/* Seals all of `plain` into `sealed`, which needs tls_headroom(plain.size) more room than that.
 * `plain` may lie in the same buffer, at that distance or more behind where `sealed` ends. Only
 * once up. False: broken. */
bool tls_send(struct tls *tls, struct span plain, struct output *sealed) MUST_CHECK;

/* Adds close_notify if that can still be said; needs TLS_OVERHEAD_BYTES_MAX. */
void tls_finish(struct tls *tls, struct output *sealed);

#endif
