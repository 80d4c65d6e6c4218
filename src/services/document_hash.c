/* What a document's content is known by. Reads files, and keeps nothing of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/document.h"
#include "core/error.h"
#include "core/hash.h"

#define ACTION "hash document"

enum { PIECE = 65536 };

static conv_status finish(conv__sha256 *hash, char sha256[CONV_SHA256_TEXT_SIZE], conv_error *error)
{
    uint8_t digest[CONV__SHA256_SIZE];
    if (conv__sha256_finish(hash, digest) != CONV_OK) return conv__fail_memory(error, ACTION);
    conv__sha256_format(digest, sha256);
    return CONV_OK;
}

conv_status conv_document_hash(conv_bytes content, char sha256[CONV_SHA256_TEXT_SIZE],
                               conv_error *error)
{
    conv__error_clear(error);
    conv__sha256 *hash = conv__sha256_create();
    if (hash == NULL) return conv__fail_memory(error, ACTION);
    if (content.data != NULL) conv__sha256_update(hash, content.data, content.size);
    return finish(hash, sha256, error);
}

/* The caller knows the path; file names may tell much, so errors hold none. */
static conv_status fail(conv_error *error, int code)
{
    conv_status status = code == ENOENT || code == ENOTDIR ? CONV_NOT_FOUND
                         : code == EACCES || code == EPERM ? CONV_PERMISSION
                         : code == EISDIR                  ? CONV_INVALID_ARGUMENT
                         : code == ENOMEM                  ? CONV_NO_MEMORY
                                                           : CONV_UNAVAILABLE;
    return conv__fail(error, status, ACTION, "the file can't be read: %s", strerrordesc_np(code));
}

static conv_status read_all(FILE *file, conv__sha256 *hash, int64_t *size_bytes, conv_error *error)
{
    char piece[PIECE];
    size_t read;
    *size_bytes = 0;
    errno = 0;
    while ((read = fread(piece, 1, sizeof piece, file)) > 0) {
        conv__sha256_update(hash, piece, read);
        *size_bytes += (int64_t)read;
    }
    return ferror(file) ? fail(error, errno) : CONV_OK;
}

/* Opens a file that has an end. A FIFO is opened without waiting for its writer. */
static FILE *open_regular(const char *path, conv_error *error)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        (void)fail(error, errno);
        return NULL;
    }
    FILE *file = NULL;
    if (fstat(descriptor, &status) != 0)
        (void)fail(error, errno);
    else if (S_ISDIR(status.st_mode))
        (void)conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                         "it is a folder, which has no content of its own: name the files in it");
    else if (!S_ISREG(status.st_mode))
        (void)conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                         "it is no regular file, so it may never end: copy what is to be hashed "
                         "into a file, and name that");
    else if ((file = fdopen(descriptor, "rb")) == NULL)
        (void)fail(error, errno);
    if (file == NULL) close(descriptor);
    return file;
}

conv_status conv_document_hash_file(const char *path, char sha256[CONV_SHA256_TEXT_SIZE],
                                    int64_t *size_bytes, conv_error *error)
{
    int64_t size = 0;
    conv_error failure = CONV_ERROR_INIT;
    conv__error_clear(error);
    if (path == NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "no file was named");
    FILE *file = open_regular(path, &failure);
    if (file == NULL) {
        if (error != NULL) *error = failure;
        return failure.status;
    }
    conv__sha256 *hash = conv__sha256_create();
    conv_status status =
        hash == NULL ? conv__fail_memory(error, ACTION) : read_all(file, hash, &size, error);
    fclose(file);
    if (status != CONV_OK) {
        conv__sha256_free(hash);
        return status;
    }
    *size_bytes = size;
    return finish(hash, sha256, error);
}
