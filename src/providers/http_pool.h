/* The curl handles behind http.h. For http.c and http_pool.c alone. */
#ifndef CONV__PROVIDERS_HTTP_POOL_H
#define CONV__PROVIDERS_HTTP_POOL_H

#include <curl/curl.h>

#include "providers/http.h"

/* A transfer at a time, and the connections that it left open. */
typedef struct conv__http_lane {
    CURLM *multi; /* owns the connections */
    CURL *easy;   /* reset for each request */
    struct conv__http_lane *next;
} conv__http_lane;

conv__http_lane *conv__http_pool_take(conv__http_pool *pool); /* NULL when out of memory */
void conv__http_pool_give_back(conv__http_pool *pool, conv__http_lane *lane);

#endif
