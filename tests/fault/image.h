/* Files of a journal as a power cut may leave them, made from the calls that disk.h recorded, and
 * what is found in them afterwards. */
#ifndef TESTS_FAULT_IMAGE_H
#define TESTS_FAULT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault/disk.h"

enum { IMAGE_FILES = 8, IMAGE_TURNS = 128 };

typedef struct file_image {
    char name[24];
    char *bytes;
    size_t size;
    size_t capacity;
    bool gone;
} file_image;

typedef struct image {
    file_image files[IMAGE_FILES];
    int count;
} image;

/* Applies one call, as far as `size` goes. */
void image_apply(image *all, const disk_operation *one, size_t size);

/* The files after the first `crash` calls: all that was synced, and of the rest a random choice,
 * some of it torn between two sectors; without `random` nothing of the rest. What was written
 * before a sync that failed is not made durable by a later one. */
void image_build(image *all, const disk_operation *operations, size_t crash, uint64_t *random);

/* The file whose name has this ending behind the prefix ("": the journal itself), empty if there is
 * none. */
file_image *image_file(image *all, const char *ending);

void image_write(const image *all, const char *path);
void image_free(image *all);

/* What a journal holds, by the numbers of its turns; all of one campaign differ in `turn`. */
typedef struct image_found {
    bool there[IMAGE_TURNS];   /* as an exchange, with its whole content */
    bool tracked[IMAGE_TURNS]; /* as a usage record */
    long doubled;              /* there or tracked once more */
    long half;                 /* readable, and a part of an exchange */
    long wrong;                /* readable, and not what was saved */
    long unreadable;           /* found to be damaged, kept as such */
    bool set_aside;
} image_found;

void image_read(const char *path, image_found *result);

#endif
