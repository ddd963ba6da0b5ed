#include "certificates.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct certificate {
    EVP_PKEY *key;
    X509 *x509;
};

static void extend(X509 *x509, int nid, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    check(extension && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static X509 *new_certificate(const char *name, EVP_PKEY *key, const X509 *issuer) {
    static long serial = 1;
    X509 *x509 = X509_new();
    check(x509 && X509_set_version(x509, 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 24 * 3600);
    check(X509_set_pubkey(x509, key) == 1);
    X509_NAME *subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Nonet", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    check(X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer) : subject) == 1);
    return x509;
}

static FILE *open_file(const char *folder, const char *name, const char *ending) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
    FILE *file = fopen(path, "w");
    check(file != NULL);
    return file;
}

static void write_files(const char *folder, const char *name, X509 *x509, EVP_PKEY *key) {
    FILE *file = open_file(folder, name, "pem");
    check(PEM_write_X509(file, x509) == 1);
    fclose(file);
    file = open_file(folder, name, "key");
    check(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(file);
}

struct certificate *certificates_authority(const char *folder, const char *name) {
    struct certificate *authority = calloc(1, sizeof *authority);
    authority->key = EVP_EC_gen("P-256");
    authority->x509 = new_certificate(name, authority->key, NULL);
    extend(authority->x509, NID_basic_constraints, "critical,CA:TRUE");
    check(X509_sign(authority->x509, authority->key, EVP_sha256()) > 0);
    write_files(folder, name, authority->x509, authority->key);
    return authority;
}

void certificates_signed(const char *folder, const char *name, const char *san,
                         const struct certificate *authority) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = new_certificate(name, key, authority->x509);
    extend(x509, NID_subject_alt_name, san);
    check(X509_sign(x509, authority->key, EVP_sha256()) > 0);
    write_files(folder, name, x509, key);
    X509_free(x509);
    EVP_PKEY_free(key);
}

void certificates_free(struct certificate *authority) {
    X509_free(authority->x509);
    EVP_PKEY_free(authority->key);
    free(authority);
}
