#include "support/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
