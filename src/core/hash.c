/* SHA-256 by libcrypto, which uses the processor's own instructions where there are some. */
#include "core/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/hex.h"
#include "core/memory.h"

struct conv__sha256 {
    EVP_MD_CTX *context;
    bool failed; /* shows in conv__sha256_finish */
};

/* Looked up once: otherwise each hash would search libcrypto's list of algorithms. */
static EVP_MD *algorithm;
static pthread_once_t looked_up = PTHREAD_ONCE_INIT;

static void look_up(void)
{
    algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

conv__sha256 *conv__sha256_create(void)
{
    pthread_once(&looked_up, look_up);
    conv__sha256 *hash = conv__allocate(sizeof *hash);
    if (hash == NULL) return NULL;
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL ||
        EVP_DigestInit_ex(hash->context, algorithm != NULL ? algorithm : EVP_sha256(), NULL) != 1) {
        conv__sha256_free(hash);
        return NULL;
    }
    return hash;
}

void conv__sha256_update(conv__sha256 *hash, const void *data, size_t size)
{
    if (size > 0 && EVP_DigestUpdate(hash->context, data, size) != 1) hash->failed = true;
}

void conv__sha256_field(conv__sha256 *hash, conv_bytes field)
{
    uint64_t size = field.data == NULL ? UINT64_MAX : field.size;
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(size >> (8 * i));
    }
    conv__sha256_update(hash, length, sizeof length);
    conv__sha256_update(hash, field.data, field.size);
}

conv_status conv__sha256_finish(conv__sha256 *hash, uint8_t digest[CONV__SHA256_SIZE])
{
    bool done = !hash->failed && EVP_DigestFinal_ex(hash->context, digest, NULL) == 1;
    conv__sha256_free(hash);
    return done ? CONV_OK : CONV_NO_MEMORY;
}

void conv__sha256_free(conv__sha256 *hash)
{
    if (hash == NULL) return;
    EVP_MD_CTX_free(hash->context);
    conv__release(hash);
}

bool conv__sha256_parse(const char *text, uint8_t digest[CONV__SHA256_SIZE])
{
    for (size_t i = 0; i < CONV__SHA256_SIZE; i++) {
        int high =
            conv__hex_digit(text[2 * i]); /* of the NUL -1, so that nothing behind it is read */
        int low = high < 0 ? -1 : conv__hex_digit(text[2 * i + 1]);
        if (low < 0) return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * CONV__SHA256_SIZE] == '\0';
}

void conv__sha256_format(const uint8_t digest[CONV__SHA256_SIZE],
                         char text[2 * CONV__SHA256_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CONV__SHA256_SIZE; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 0xF];
    }
    text[2 * CONV__SHA256_SIZE] = '\0';
}
