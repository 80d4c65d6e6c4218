/* SHA-256 (FIPS 180-4), from libcrypto. */
#ifndef CONV__CORE_HASH_H
#define CONV__CORE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

#define CONV__SHA256_SIZE 32

typedef struct conv__sha256 conv__sha256;

conv__sha256 *conv__sha256_create(void); /* NULL when out of memory */
void conv__sha256_update(conv__sha256 *hash, const void *data, size_t size);
/* The length (8 bytes, little-endian; all ones for absent) and then the bytes: what follows one
 * field can't be mistaken for part of it. */
void conv__sha256_field(conv__sha256 *hash, conv_bytes field);
/* Writes the digest and frees the hash. CONV_NO_MEMORY: libcrypto failed on the way. */
CONV_WARN_UNUSED conv_status conv__sha256_finish(conv__sha256 *hash,
                                                 uint8_t digest[CONV__SHA256_SIZE]);
void conv__sha256_free(conv__sha256 *hash);

/* A digest as 64 hexadecimal digits, in either case when read. False if `text` is something else.
 */
bool conv__sha256_parse(const char *text, uint8_t digest[CONV__SHA256_SIZE]);
void conv__sha256_format(const uint8_t digest[CONV__SHA256_SIZE],
                         char text[2 * CONV__SHA256_SIZE + 1]);

#endif
