/* The flags of --io, the same for every command that has a network. */
#ifndef TOOLS_BYPASS_H
#define TOOLS_BYPASS_H

#include "engine/net/dpdk/net_dpdk.h"
#include "tools/options.h"

/* Rows of a table; FIELD(name) is the offset of a field of the command's options, which hold a
 * struct dpdk_options `dpdk`. The three functions find that struct and call the ones below. */
#define BYPASS_ROWS(set_io, add_address, add_gateway)                                              \
    {"io", "KIND", "auto, uring or dpdk (default auto)", OPTION_CALL, 0, 0, 0, set_io},            \
        {"dpdk-address",                                                                           \
         "IP/LEN",                                                                                 \
         "our address on the port; may be repeated, for IPv6",                                     \
         OPTION_CALL,                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         add_address},                                                                             \
        {"dpdk-gateway",                                                                           \
         "IP",                                                                                     \
         "the way to other networks; one for IPv4, one for IPv6",                                  \
         OPTION_CALL,                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         add_gateway},                                                                             \
        {"dpdk-args",                                                                              \
         "TEXT",                                                                                   \
         "for DPDK: devices, memory, processors",                                                  \
         OPTION_TEXT,                                                                              \
         FIELD(dpdk.arguments),                                                                    \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        {"dpdk-mtu",                                                                               \
         "BYTES",                                                                                  \
         "of a packet, at both ends; 9000 suits memif (default: the port's)",                      \
         OPTION_NUMBER,                                                                            \
         FIELD(dpdk.mtu),                                                                          \
         DPDK_MTU_MIN,                                                                             \
         DPDK_MTU_MAX,                                                                             \
         NULL},                                                                                    \
        {"dpdk-unchecked",                                                                         \
         NULL,                                                                                     \
         "no checksums of TCP and IP: for net_memif, at both ends",                                \
         OPTION_FLAG,                                                                              \
         FIELD(dpdk.unchecked),                                                                    \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        {"dpdk-port", "N", "which port of DPDK's (default 0)", OPTION_NUMBER, FIELD(dpdk.port), 0, \
         UINT16_MAX,  NULL},                                                                       \
    {                                                                                              \
        "dpdk-idle", "US", "sleep so long at most while nothing comes; 0: never (default 500)",    \
            OPTION_NUMBER, FIELD(dpdk.idle_us), 0, 1000000, NULL                                   \
    }

enum status bypass_set_io(struct dpdk_options *dpdk, const char *text,
                          struct fault *fault) MUST_CHECK;
enum status bypass_add_address(struct dpdk_options *dpdk, const char *text,
                               struct fault *fault) MUST_CHECK;
enum status bypass_add_gateway(struct dpdk_options *dpdk, const char *text,
                               struct fault *fault) MUST_CHECK;
/* USAGE: flags of --io dpdk without it, or it without an address. */
enum status bypass_check(const struct dpdk_options *dpdk, struct fault *fault) MUST_CHECK;

#endif
