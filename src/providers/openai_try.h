/* One try of a chat completion: a request and what became of it. Retries nothing. */
#ifndef CONV__PROVIDERS_OPENAI_TRY_H
#define CONV__PROVIDERS_OPENAI_TRY_H

#include <stdbool.h>

#include "conversation/provider.h"
#include "core/buffer.h"
#include "providers/http.h"
#include "providers/openai_error.h"
#include "providers/openai_stream.h"

typedef struct conv__openai_try {
    conv_provider_response *response;
    bool wants_stream;
    conv_status status; /* CONV_OK: the reply is complete */
    conv__http_end end;
    conv__http_answer answer;
    const char *reason; /* of a connection that could not be made */
    conv__openai_failure failure;
    bool is_streamed; /* how the answer came, whatever was wanted */
    conv__openai_stream chunks;
    conv__buffer body; /* an answer in one piece, or the start of an error */
} conv__openai_try;

/* Makes the request (its receiver and context are set here). May not be moved afterwards. */
void conv__openai_try_run(conv__openai_try *made, conv__http_pool *pool,
                          conv__http_request *request, bool wants_stream,
                          conv_provider_response *response);

/* Whether it failed in a way that another try may mend. */
bool conv__openai_try_is_hopeful(const conv__openai_try *made);

/* Puts the reply, or the part of it that came, into the response. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__openai_try_put(conv__openai_try *made);

/* Fills the error of a failed try and gives back its status. `host` names the endpoint, `tries` how
 * often it was asked. */
conv_status conv__openai_try_explain(const conv__openai_try *made, const char *host, int tries,
                                     conv_error *error);

void conv__openai_try_free(conv__openai_try *made);

#endif
