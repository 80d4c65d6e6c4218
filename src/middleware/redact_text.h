/* Redacting texts, plain and JSON. Knows nothing of turns. */
#ifndef CONV__MIDDLEWARE_REDACT_TEXT_H
#define CONV__MIDDLEWARE_REDACT_TEXT_H

#include "conversation/middleware.h"
#include "core/buffer.h"
#include "core/memory.h"

typedef struct conv__redactor conv__redactor;

/* Copies and compiles. See conv_middleware_redact. */
CONV_WARN_UNUSED conv_status conv__redactor_create(const conv_redact_params *params,
                                                   conv__redactor **redactor, conv_error *error);
void conv__redactor_free(conv__redactor *redactor); /* NULL is allowed */

/* Appends plain text, line by line. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__redact_lines(const conv__redactor *redactor, conv_bytes text,
                                                conv__buffer *redacted);

/* Whether a text would be taken as JSON, if it is some. Looks at its first bytes; `known` false if
 * they are white space only. */
bool conv__redact_is_json(conv_bytes text, bool *known);

/* The redacted form of any text, in the arena; `text` itself, absent too, when there is nothing to
 * do. `redacted` may be `&text`'s own variable. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__redact_text(const conv__redactor *redactor, conv__arena *arena,
                                               conv_bytes text, conv_bytes *redacted);

#endif
