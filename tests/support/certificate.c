#include "support/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static void die(const char *what)
{
    fprintf(stderr, "test certificate: %s\n", what);
    exit(99);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    if (extension == NULL || X509_add_ext(certificate, extension, -1) != 1) die("extension");
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    if (certificate == NULL) die("memory");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"127.0.0.1", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
    if (X509_sign(certificate, key, EVP_sha256()) == 0) die("signing");
    return certificate;
}

const char *certificate_make(void)
{
    snprintf(folder, sizeof folder, "/tmp/conversation-tls-XXXXXX");
    if (mkdtemp(folder) == NULL) die("no folder");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL) die("no key");
    X509 *certificate = make_certificate(key);
    FILE *file = fopen(path_of("key.pem"), "w");
    if (file == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
        die("writing");
    fclose(file);
    file = fopen(path_of("certificate.pem"), "w");
    if (file == NULL || PEM_write_X509(file, certificate) != 1) die("writing");
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return folder;
}

void certificate_remove(void)
{
    unlink(path_of("key.pem"));
    unlink(path_of("certificate.pem"));
    rmdir(folder);
}
