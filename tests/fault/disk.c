/* See disk.h. SQLite's library and ours call these by name, so the program's own come first. */
#include "fault/disk.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset);
int ftruncate64(int descriptor, off64_t size);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char prefix[128];
static long first_failure;
static bool fails_for_ever;
static disk_fault fault_kind;
static long calls;
static long failures;
static bool write_failed;
static bool recording;
static long (*watching)(void);
static long seen; /* by it */
static disk_operation *operations;
static size_t operation_count;
static size_t operation_capacity;

static void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) abort();
    return function;
}

static bool is_folder_of_ours(const char *path)
{
    size_t size = strlen(path);
    return strncmp(path, prefix, size) == 0 && prefix[size] == '/' &&
           strchr(prefix + size + 1, '/') == NULL;
}

/* The path behind the prefix, DISK_FOLDER, or NULL for a file that is none of ours. */
static const char *name_of(int descriptor, char path[256])
{
    char link[64];
    size_t size = strlen(prefix);
    if (size == 0) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, 255);
    if (length < 0) return NULL;
    path[length] = '\0';
    if (is_folder_of_ours(path)) return DISK_FOLDER;
    return strncmp(path, prefix, size) == 0 ? path + size : NULL;
}

static void keep(int what, const char *name, int64_t offset, const void *data, size_t size)
{
    if (operation_count == operation_capacity) {
        operation_capacity = operation_capacity == 0 ? 1024 : 2 * operation_capacity;
        operations = realloc(operations, operation_capacity * sizeof *operations);
        if (operations == NULL) abort();
    }
    disk_operation *one = &operations[operation_count++];
    memset(one, 0, sizeof *one);
    one->what = what;
    snprintf(one->name, sizeof one->name, "%s", name);
    one->offset = offset;
    one->size = size;
    one->seen = seen;
    if (size == 0) return;
    one->data = malloc(size);
    if (one->data == NULL) abort();
    memcpy(one->data, data, size);
}

static void keep_names(const char *folder)
{
    char names[4096] = "\n";
    size_t size = 1;
    const char *prefix_name = strrchr(prefix, '/') + 1;
    DIR *listing = opendir(folder);
    if (listing == NULL) abort();
    for (const struct dirent *one = readdir(listing); one != NULL; one = readdir(listing))
        if (strncmp(one->d_name, prefix_name, strlen(prefix_name)) == 0)
            size += (size_t)snprintf(names + size, sizeof names - size, "%s\n",
                                     one->d_name + strlen(prefix_name));
    closedir(listing);
    if (size >= sizeof names) abort();
    keep(DISK_SYNC, DISK_FOLDER, 0, names, size);
}

/* 0, or the errno with which the call is to fail; -1: write a half. */
static int verdict(int descriptor, int what, int64_t offset, const void *data, size_t size)
{
    char path[256];
    int result = 0;
    const char *name = name_of(descriptor, path);
    if (name == NULL) return 0;
    pthread_mutex_lock(&lock);
    if (watching != NULL && (what == DISK_WRITE || what == DISK_SYNC)) seen = watching();
    calls++;
    if (first_failure > 0 &&
        (calls == first_failure || (fails_for_ever && calls > first_failure))) {
        if (failures++ == 0) write_failed = what == DISK_WRITE;
        result = fault_kind == DISK_EIO ? EIO : ENOSPC;
        if (fault_kind == DISK_SHORT && what == DISK_WRITE && calls == first_failure && size > 1)
            result = -1;
        if (recording && what == DISK_SYNC) keep(DISK_FAILED_SYNC, name, 0, NULL, 0);
        if (recording && result < 0) keep(what, name, offset, data, size / 2);
    } else if (recording && strcmp(name, DISK_FOLDER) == 0) {
        keep_names(path);
    } else if (recording) {
        keep(what, name, offset, data, size);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static ssize_t write_at(int descriptor, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*original)(int, const void *, size_t, off64_t);
    if (original == NULL)
        original = (ssize_t(*)(int, const void *, size_t, off64_t))real("pwrite64");
    int code = verdict(descriptor, DISK_WRITE, offset, data, size);
    if (code <= 0) return original(descriptor, data, code < 0 ? size / 2 : size, offset);
    errno = code;
    return -1;
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset)
{
    return write_at(descriptor, data, size, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset)
{
    return write_at(descriptor, data, size, offset);
}

static int sync_file(int descriptor, const char *name)
{
    int (*original)(int) = (int (*)(int))real(name);
    int code = verdict(descriptor, DISK_SYNC, 0, NULL, 0);
    if (code == 0) return original(descriptor);
    errno = code;
    return -1;
}

int fsync(int descriptor)
{
    return sync_file(descriptor, "fsync");
}

int fdatasync(int descriptor)
{
    return sync_file(descriptor, "fdatasync");
}

static int set_size(int descriptor, off64_t size)
{
    int (*original)(int, off64_t) = (int (*)(int, off64_t))real("ftruncate64");
    int code = verdict(descriptor, DISK_TRUNCATE, size, NULL, 0);
    if (code == 0) return original(descriptor, size);
    errno = code;
    return -1;
}

int ftruncate64(int descriptor, off64_t size)
{
    return set_size(descriptor, size);
}

int ftruncate(int descriptor, off_t size)
{
    return set_size(descriptor, size);
}

int rename(const char *from, const char *to)
{
    int (*original)(const char *, const char *) =
        (int (*)(const char *, const char *))real("rename");
    bool ours = prefix[0] != '\0' && strncmp(from, prefix, strlen(prefix)) == 0;
    bool fails = false;
    pthread_mutex_lock(&lock);
    if (ours) {
        calls++;
        fails = first_failure > 0 &&
                (calls == first_failure || (fails_for_ever && calls > first_failure));
        if (fails) failures++;
    }
    pthread_mutex_unlock(&lock);
    if (!fails) return original(from, to);
    errno = fault_kind == DISK_EIO ? EIO : ENOSPC;
    return -1;
}

int unlink(const char *path)
{
    int (*original)(const char *) = (int (*)(const char *))real("unlink");
    size_t size = strlen(prefix);
    pthread_mutex_lock(&lock);
    if (recording && size > 0 && strncmp(path, prefix, size) == 0)
        keep(DISK_REMOVE, path + size, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return original(path);
}

static void begin(const char *which)
{
    snprintf(prefix, sizeof prefix, "%s", which);
    calls = failures = 0;
    write_failed = false;
}

void disk_fail(const char *which, long first, bool for_ever, disk_fault fault)
{
    pthread_mutex_lock(&lock);
    begin(which);
    first_failure = first;
    fails_for_ever = for_ever;
    fault_kind = fault;
    pthread_mutex_unlock(&lock);
}

long disk_calls(void)
{
    return calls;
}

long disk_failures(void)
{
    return failures;
}

bool disk_failed_write(void)
{
    return write_failed;
}

void disk_forget(void)
{
    for (size_t i = 0; i < operation_count; i++)
        free(operations[i].data);
    free(operations);
    operations = NULL;
    operation_count = operation_capacity = 0;
}

void disk_record(const char *which)
{
    pthread_mutex_lock(&lock);
    if (which[0] != '\0') disk_forget();
    begin(which);
    first_failure = 0;
    recording = which[0] != '\0';
    pthread_mutex_unlock(&lock);
}

void disk_mark(void)
{
    pthread_mutex_lock(&lock);
    keep(DISK_MARK, "", 0, NULL, 0);
    pthread_mutex_unlock(&lock);
}

void disk_watch(long (*look)(void))
{
    pthread_mutex_lock(&lock);
    watching = look;
    seen = 0;
    pthread_mutex_unlock(&lock);
}

const disk_operation *disk_recorded(size_t *count)
{
    *count = operation_count;
    return operations;
}
