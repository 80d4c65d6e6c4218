/* Finding the store. Opens nothing, and parses no connection string. */
#include "store_location.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conversation/store.h"
#include "core/buffer.h"
#include "core/error.h"

#define ACTION "find store"
#define FORMS  "postgresql://..., key=value or sqlite:FILE"

/* What was found; the text lives in an arena. */
typedef struct finding {
    const char *text;
    const char *variable; /* that held it; NULL: none */
    bool is_default;
} finding;

/* What is given out, and where its text lives. */
typedef struct located {
    conv_store_location location;
    conv__arena arena;
} located;

static const char *set_or_null(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Makes every folder of the path up to its last slash. Private, because conversations are. */
static conv_status make_folders(const char *file, conv_error *error)
{
    conv__buffer path = {0};
    conv_status status = CONV_OK;
    conv__buffer_append_text(&path, file);
    if (path.failed) return conv__fail_memory(error, ACTION);
    for (char *slash = strchr(path.data + 1, '/'); slash != NULL && status == CONV_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path.data, 0700) != 0 && errno != EEXIST)
            status = conv__fail(error, CONV_PERMISSION, ACTION, "the folder %s can't be made: %s",
                                path.data, strerror(errno));
        *slash = '/';
    }
    conv__buffer_free(&path);
    return status;
}

static conv_status keep(conv__arena *arena, const char *text, finding *found, conv_error *error)
{
    conv_bytes copy;
    if (conv__arena_copy(arena, conv_text(text), &copy) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    found->text = copy.data;
    return CONV_OK;
}

static conv_status find_default(conv__arena *arena, finding *found, conv_error *error)
{
    const char *data = set_or_null("XDG_DATA_HOME");
    const char *home = set_or_null("HOME");
    conv__buffer path = {0};
    /* The XDG specification: a relative path in these variables is to be ignored. */
    if (data != NULL && data[0] == '/')
        conv__buffer_format(&path, "sqlite:%s/conversation/conversation.db", data);
    else if (home != NULL && home[0] == '/')
        conv__buffer_format(&path, "sqlite:%s/.local/share/conversation/conversation.db", home);
    else
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "no store is named and there is no home folder for the default one: set "
                          "CONVERSATION_STORE");
    found->is_default = true;
    conv_status status =
        path.failed ? conv__fail_memory(error, ACTION) : keep(arena, path.data, found, error);
    conv__buffer_free(&path);
    return status;
}

/* The word before the colon of "scheme:rest"; 0 where there is none. */
static size_t scheme_size(const char *location)
{
    size_t size = strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789+-.");
    return location[size] == ':' ? size : 0;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* libpq takes whatever it does not know for the name of a database, and both it and the server
 * repeat that name: a password in it would be seen. So nothing but the scheme is said here either.
 */
static conv_status check(const char *location, conv_error *error)
{
    size_t scheme = scheme_size(location);
    if (begins_with(location, "sqlite:") || begins_with(location, "postgresql://") ||
        begins_with(location, "postgres://"))
        return CONV_OK;
    if (scheme > 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the store is named by an unknown scheme \"%.*s\": use " FORMS,
                          (int)scheme, location);
    if (strchr(location, '=') != NULL) return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                      "the store is named without a scheme: use " FORMS);
}

static conv_status find(conv__arena *arena, const char *setting, finding *found, conv_error *error)
{
    static const char *const variables[] = {"CONVERSATION_STORE", "DATABASE_URL"};
    const char *text = setting != NULL && setting[0] != '\0' ? setting : NULL;
    *found = (finding){0};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0] && text == NULL; i++) {
        text = set_or_null(variables[i]);
        if (text != NULL) found->variable = variables[i];
    }
    if (text == NULL) return find_default(arena, found, error);
    conv_status status = check(text, error);
    return status == CONV_OK ? keep(arena, text, found, error) : status;
}

conv_status conv__store_location(conv__arena *arena, const char *setting, bool read_only,
                                 const char **location, conv_error *error)
{
    finding found;
    conv_status status = find(arena, setting, &found, error);
    if (status == CONV_OK && found.is_default && !read_only)
        status = make_folders(conv__store_sqlite_file(found.text), error);
    if (status == CONV_OK) *location = found.text;
    return status;
}

conv_status conv_store_locate(const char *store, conv_store_location **location, conv_error *error)
{
    finding found;
    conv__error_clear(error);
    if (location == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there is nowhere to put the location");
    *location = NULL;
    located *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = find(&made->arena, store, &found, error);
    if (status != CONV_OK) {
        conv_store_location_free(&made->location);
        return status;
    }
    const char *file = conv__store_sqlite_file(found.text);
    made->location =
        (conv_store_location){.kind = file != NULL ? CONV_STORE_SQLITE : CONV_STORE_POSTGRESQL,
                              .variable = found.variable,
                              .is_default = found.is_default,
                              .file = file};
    *location = &made->location;
    return CONV_OK;
}

void conv_store_location_free(conv_store_location *location)
{
    located *self = (located *)location;
    if (self == NULL) return;
    conv__arena_reset(&self->arena);
    conv__release(self);
}

const char *conv__store_sqlite_file(const char *location)
{
    static const char scheme[] = "sqlite:";
    if (strncmp(location, scheme, sizeof scheme - 1) != 0) return NULL;
    const char *file = location + sizeof scheme - 1;
    return strncmp(file, "//", 2) == 0 ? file + 2 : file;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool stat_folder(const char *path, struct stat *status)
{
    conv__buffer folder = {0};
    const char *base = base_of(path);
    if (base == path)
        conv__buffer_append_text(&folder, ".");
    else
        conv__buffer_append(&folder, path, (size_t)(base - path));
    bool found = !folder.failed && stat(folder.data, status) == 0;
    conv__buffer_free(&folder);
    return found;
}

bool conv__store_is_same_file(const char *one, const char *other)
{
    struct stat first;
    struct stat second;
    bool there = stat(one, &first) == 0;
    if (there != (stat(other, &second) == 0)) return false;
    if (!there && (strcmp(base_of(one), base_of(other)) != 0 || !stat_folder(one, &first) ||
                   !stat_folder(other, &second)))
        return false;
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}
