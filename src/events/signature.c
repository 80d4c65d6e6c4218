/* The signature of a webhook's request. */
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/base64.h"
#include "events/handlers.h"

void conv__webhook_sign(conv__buffer *header, conv_bytes secret, const char *id,
                        const char *timestamp, conv_bytes body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    conv__buffer content = {0};
    conv__buffer_format(&content, "%s.%s.", id, timestamp);
    conv__buffer_append_bytes(&content, body);
    if (content.failed ||
        HMAC(EVP_sha256(), secret.data, (int)secret.size, (const unsigned char *)content.data,
             content.size, digest, &size) == NULL)
        header->failed = true;
    conv__buffer_append_text(header, "v1,");
    conv__base64_append(header, conv_view((const char *)digest, size));
    conv__buffer_free(&content);
}
