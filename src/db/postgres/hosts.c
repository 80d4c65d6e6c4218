/* Taking apart of lists of hosts. It must not resolve a name. */
#include "db/postgres/hosts.h"

#include <string.h>

#include "core/memory.h"

/* Element `index` of a list with commas; a list of one serves every index. */
static const char *element(const char *list, size_t index, size_t *size)
{
    const char *start = list;
    if (strchr(list, ',') != NULL) {
        for (; index > 0; index--) {
            start = strchr(start, ',');
            if (start == NULL) return NULL;
            start++;
        }
    }
    *size = strcspn(start, ",");
    return start;
}

static bool element_is(const char *list, size_t index, const char *wanted)
{
    size_t size = 0;
    const char *found = list == NULL ? NULL : element(list, index, &size);
    return found != NULL && strlen(wanted) == size && memcmp(found, wanted, size) == 0;
}

static size_t length(const char *list)
{
    size_t count = 1;
    for (; *list != '\0'; list++)
        if (*list == ',') count++;
    return count;
}

static void cut(char *list, size_t index)
{
    size_t size = 0;
    if (list == NULL || strchr(list, ',') == NULL) return;
    const char *rest = element(list, index, &size);
    if (rest != NULL) memmove(list, rest, strlen(rest) + 1);
}

bool conv__hosts_after(conv__hosts *hosts, const char *host, const char *port)
{
    const char *names = hosts->host != NULL ? hosts->host : hosts->hostaddr;
    if (names == NULL || host == NULL || port == NULL) return false;
    size_t count = length(names);
    for (size_t i = 0; i + 1 < count; i++) {
        if (!element_is(names, i, host)) continue;
        /* Without a port libpq takes its own default, which is then the same for all. */
        if (hosts->port != NULL && hosts->port[0] != '\0' && !element_is(hosts->port, i, port))
            continue;
        cut(hosts->host, i + 1);
        cut(hosts->hostaddr, i + 1);
        cut(hosts->port, i + 1);
        return true;
    }
    return false;
}

void conv__hosts_free(conv__hosts *hosts)
{
    conv__release(hosts->host);
    conv__release(hosts->hostaddr);
    conv__release(hosts->port);
    *hosts = (conv__hosts){NULL, NULL, NULL};
}
