/* Finding the store. Opens nothing. */
#include "store_location.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buffer.h"
#include "core/error.h"

#define ACTION "find store"
#define FORMS  "postgresql://..., key=value or sqlite:FILE"

static const char *set_or_null(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Makes every folder of the path up to its last slash. Private, because conversations are. */
static conv_status make_folders(char *path, conv_error *error)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        if (failed)
            conv__fail(error, CONV_PERMISSION, ACTION, "the folder %s can't be made: %s", path,
                       strerror(errno));
        *slash = '/';
        if (failed) return CONV_PERMISSION;
    }
    return CONV_OK;
}

static conv_status default_location(conv__arena *arena, bool read_only, const char **location,
                                    conv_error *error)
{
    const char *data = set_or_null("XDG_DATA_HOME");
    const char *home = set_or_null("HOME");
    conv__buffer path = {0};
    conv_bytes copy;
    /* The XDG specification: a relative path in these variables is to be ignored. */
    if (data != NULL && data[0] == '/')
        conv__buffer_format(&path, "sqlite:%s/conversation/conversation.db", data);
    else if (home != NULL && home[0] == '/')
        conv__buffer_format(&path, "sqlite:%s/.local/share/conversation/conversation.db", home);
    else
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "no store is named and there is no home folder for the default one: set "
                          "CONVERSATION_STORE");
    conv_status status = path.failed ? conv__fail_memory(error, ACTION) : CONV_OK;
    if (status == CONV_OK && !read_only)
        status = make_folders(path.data + strlen("sqlite:"), error);
    if (status == CONV_OK) {
        status = conv__arena_copy(arena, conv__buffer_bytes(&path), &copy);
        if (status == CONV_OK)
            *location = copy.data;
        else
            conv__fail_memory(error, ACTION);
    }
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

conv_status conv__store_location(conv__arena *arena, const char *setting, bool read_only,
                                 const char **location, conv_error *error)
{
    const char *found = setting != NULL && setting[0] != '\0' ? setting : NULL;
    conv_bytes copy;
    if (found == NULL) found = set_or_null("CONVERSATION_STORE");
    if (found == NULL) found = set_or_null("DATABASE_URL");
    if (found == NULL) return default_location(arena, read_only, location, error);
    conv_status status = check(found, error);
    if (status != CONV_OK) return status;
    if (conv__arena_copy(arena, conv_text(found), &copy) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    *location = copy.data;
    return CONV_OK;
}

const char *conv__store_sqlite_file(const char *location)
{
    static const char scheme[] = "sqlite:";
    if (strncmp(location, scheme, sizeof scheme - 1) != 0) return NULL;
    const char *file = location + sizeof scheme - 1;
    return strncmp(file, "//", 2) == 0 ? file + 2 : file;
}
