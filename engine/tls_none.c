/* TLS in a program built without OpenSSL: nothing can be opened, so nothing else is ever called. */
#include "engine/tls.h"

#include "base/invariant.h"

static enum status refuse(struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE,
                     "TLS is not in this program: it was built without libssl-dev");
}

enum status tls_server_open(struct tls_server **server, const struct tls_server_options *options,
                            struct fault *fault)
{
    (void)server, (void)options;
    return refuse(fault);
}

enum status tls_server_reload(struct tls_server *server, struct fault *fault)
{
    (void)server;
    return refuse(fault);
}

void tls_server_close(struct tls_server *server)
{
    INVARIANT(server == NULL);
}

bool tls_accept(struct tls *tls, struct tls_server *server, uint32_t shard, struct span protocol)
{
    (void)tls, (void)server, (void)shard, (void)protocol;
    return false;
}

enum status tls_client_open(struct tls_client **client, const struct tls_client_options *options,
                            struct fault *fault)
{
    (void)client, (void)options;
    return refuse(fault);
}

void tls_client_close(struct tls_client *client)
{
    INVARIANT(client == NULL);
}

bool tls_connect(struct tls *tls, struct tls_client *client, const char *host, struct span protocol)
{
    (void)tls, (void)client, (void)host, (void)protocol;
    return false;
}

bool tls_is_resumed(const struct tls *tls)
{
    (void)tls;
    return false;
}

void tls_close(struct tls *tls)
{
    INVARIANT(tls->ssl == NULL);
}

enum tls_result tls_receive(struct tls *tls, struct span *input, struct output *plain,
                            struct output *sealed)
{
    (void)tls, (void)input, (void)plain, (void)sealed;
    return TLS_BROKEN;
}

bool tls_send(struct tls *tls, struct span plain, struct output *sealed)
{
    (void)tls, (void)plain, (void)sealed;
    return false;
}

void tls_finish(struct tls *tls, struct output *sealed)
{
    (void)tls, (void)sealed;
}
