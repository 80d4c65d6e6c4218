/* Stores: which one a client would open, without opening it. */
#ifndef CONVERSATION_STORE_H
#define CONVERSATION_STORE_H

#include <stdbool.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum conv_store_kind { CONV_STORE_POSTGRESQL = 0, CONV_STORE_SQLITE } conv_store_kind;

/* Where a store is, and who said so. One block with one free. */
typedef struct conv_store_location {
    conv_store_kind kind;
    const char *variable; /* of the environment that named it, static; NULL: none did */
    bool is_default;      /* nobody named one */
    const char *file; /* of SQLite, as it would be opened: relative, or ":memory:", if it was named
                         so; NULL for PostgreSQL, whose connection string may hold a password */
} conv_store_location;

/* Finds the store that conv_client_open would open with this setting and the present environment:
 * conv_client_params.store says in which order. Nothing is opened, made or asked; whether there is
 * a store shows only when it is opened. `store` the setting, NULL or empty for none; `location`
 * receives the answer, to be freed with conv_store_location_free; NULL after a failure; `error` may
 * be NULL, and never repeats what may hold a password. CONV_INVALID_ARGUMENT: it is neither a URI
 * of PostgreSQL nor key=value nor "sqlite:"; or none was named and there is no home folder.
 * CONV_NO_MEMORY. Thread: any, while no other changes the environment. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_store_locate(const char *store, conv_store_location **location,
                                               conv_error *error);

/* NULL is allowed. Thread: owner. */
void conv_store_location_free(conv_store_location *location);

#ifdef __cplusplus
}
#endif
#endif
