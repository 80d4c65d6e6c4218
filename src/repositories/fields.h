/* The fields of a record that may hold any bytes, as a table: how each becomes storable, and how
 * the original comes back. Only rows.c uses it. */
#ifndef CONV__REPOSITORIES_FIELDS_H
#define CONV__REPOSITORIES_FIELDS_H

#include <stddef.h>

#include "conversation/status.h"
#include "core/memory.h"
#include "core/originals.h"

typedef enum conv__field_kind {
    CONV__FIELD_TEXT,
    CONV__FIELD_JSON, /* any JSON value */
    CONV__FIELD_JSON_OBJECT,
    CONV__FIELD_JSON_ARRAY,
    /* Its exact text is always kept, because jsonb reorders keys and drops white space. */
    CONV__FIELD_EXACT_JSON_ARRAY
} conv__field_kind;

typedef struct conv__field {
    conv__original original; /* its number in the column `originals` */
    conv__field_kind kind;
    size_t offset; /* of its conv_bytes in the record */
    const char *name;
} conv__field;

/* Makes the record's fields storable, in place, and appends to `originals` what they can't hold.
 * CONV_INVALID_ARGUMENT, CONV_LIMIT, CONV_NO_MEMORY as in rows.h. */
CONV_WARN_UNUSED conv_status conv__fields_project(conv__arena *arena, const conv__field *fields,
                                                  size_t count, void *record,
                                                  conv__buffer *originals, conv_error *error);

/* Whether conv__fields_project would take the record, memory aside; changes nothing.
 * CONV_INVALID_ARGUMENT, CONV_LIMIT. */
CONV_WARN_UNUSED conv_status conv__fields_check(const conv__field *fields, size_t count,
                                                const void *record, conv_error *error);

/* Puts the originals in the place of the record's fields; passes over those that are in no table.
 * CONV_BAD_DATA: they are damaged. */
CONV_WARN_UNUSED conv_status conv__fields_restore(const conv__field *fields, size_t count,
                                                  conv_bytes originals, void *record,
                                                  conv_error *error);

#endif
