/* Certificates made while the test runs, in a folder of its own. */
#ifndef TESTS_ENGINE_CERTIFICATE_H
#define TESTS_ENGINE_CERTIFICATE_H

#define CERTIFICATE_PATH_BYTES 64

struct certificate {
    char folder[CERTIFICATE_PATH_BYTES], file[CERTIFICATE_PATH_BYTES],
        key_file[CERTIFICATE_PATH_BYTES];
};

/* Self-signed, for the DNS name and for 127.0.0.1, with a P-256 key; the folder is new. */
void certificate_make(struct certificate *certificate, const char *name);
/* The same files, with another key and name. */
void certificate_renew(const struct certificate *certificate, const char *name);
void certificate_delete(const struct certificate *certificate);

#endif
