#include "tests/engine/certificate.h"

#include "tests/check_main.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *self_signed(EVP_PKEY *key, const char *name)
{
    X509 *certificate = X509_new();
    char names[128];
    snprintf(names, sizeof names, "DNS:%s,IP:127.0.0.1", name);
    X509_NAME *subject = X509_get_subject_name(certificate);
    ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    ck_assert_int_eq(X509_set_issuer_name(certificate, subject), 1);
    ck_assert_int_eq(X509_set_pubkey(certificate, key), 1);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, names);
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    return certificate;
}

void certificate_renew(const struct certificate *certificate, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    X509 *made = self_signed(key, name);
    FILE *file = fopen(certificate->file, "w"), *key_file = fopen(certificate->key_file, "w");
    ck_assert(file != NULL && key_file != NULL);
    ck_assert_int_eq(PEM_write_X509(file, made), 1);
    ck_assert_int_eq(PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file) | fclose(key_file), 0);
    X509_free(made);
    EVP_PKEY_free(key);
}

void certificate_make(struct certificate *certificate, const char *name)
{
    snprintf(certificate->folder, sizeof certificate->folder, "/tmp/test_tls.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(certificate->folder));
    snprintf(certificate->file, sizeof certificate->file, "%.40s/cert.pem", certificate->folder);
    snprintf(certificate->key_file, sizeof certificate->key_file, "%.40s/key.pem",
             certificate->folder);
    certificate_renew(certificate, name);
}

void certificate_delete(const struct certificate *certificate)
{
    unlink(certificate->file);
    unlink(certificate->key_file);
    rmdir(certificate->folder);
}
