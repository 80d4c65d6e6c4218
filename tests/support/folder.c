#include "support/folder.h"

#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TESTS_ROOM (UINT64_C(1) << 30)

const char *folder_for_files(uint64_t bytes)
{
    struct statvfs room;
    bool fits = statvfs("/dev/shm", &room) == 0 && access("/dev/shm", W_OK) == 0 &&
                (uint64_t)room.f_bavail * room.f_frsize >= bytes;
    return fits ? "/dev/shm" : "/tmp";
}

bool folder_make(char path[64])
{
    snprintf(path, 64, "%s/conversation-test-XXXXXX", folder_for_files(TESTS_ROOM));
    return mkdtemp(path) != NULL;
}

bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    char *bytes = NULL;
    size_t size = 0;
    char piece[65536];
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0; size += got) {
        bytes = realloc(bytes, size + got);
        memcpy(bytes + size, piece, got);
    }
    fclose(file);
    bool found = bytes != NULL && memmem(bytes, size, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

bool folder_holds(const char *path, const char *text)
{
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_REG && file_holds(name, text)) found = true;
    }
    if (directory != NULL) closedir(directory);
    return found;
}

int folder_count(const char *path, const char *part)
{
    DIR *directory = opendir(path);
    int count = 0;
    if (directory == NULL) return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(directory);
    return count;
}

static glob_t find_all(const char *prefix)
{
    char pattern[256];
    glob_t files = {0};
    snprintf(pattern, sizeof pattern, "%s*", prefix);
    (void)glob(pattern, GLOB_NOSORT, NULL, &files); /* else there are none */
    return files;
}

void files_remove(const char *prefix)
{
    glob_t files = find_all(prefix);
    for (size_t i = 0; i < files.gl_pathc; i++)
        unlink(files.gl_pathv[i]);
    globfree(&files);
}

static bool copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    bool copied = in != NULL && out != NULL;
    for (size_t size; copied && (size = fread(bytes, 1, sizeof bytes, in)) > 0;)
        copied = fwrite(bytes, 1, size, out) == size;
    if (in != NULL) fclose(in);
    if (out != NULL && fclose(out) != 0) copied = false;
    return copied;
}

bool files_copy(const char *prefix, const char *to)
{
    glob_t files = find_all(prefix);
    bool copied = true;
    for (size_t i = 0; copied && i < files.gl_pathc; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", to, files.gl_pathv[i] + strlen(prefix));
        copied = copy_file(files.gl_pathv[i], path);
    }
    globfree(&files);
    return copied;
}
