/* Events for another host: each is one signed POST. The host is a thread here; it checks every
 * request as a receiver must, wherever it runs and whatever it is written in.
 * Usage: webhook [STORE] */
#include <arpa/inet.h>
#include <conversation/conversation.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char secret[] = "only the two of us know it";

/* What follows `name`, up to one of `ends`. */
static void find(const char *text, const char *name, const char *ends, char value[128])
{
    const char *at = strstr(text, name);
    value[0] = '\0';
    if (at == NULL) return;
    at += strlen(name);
    snprintf(value, 128, "%.*s", (int)strcspn(at, ends), at);
}

/* The signature is over id, time and body, so nobody can change one of them; an old request is not
 * taken, so nobody can send it again. */
static bool is_signed(const char *request, const char *body)
{
    char id[128], when[128], claimed[128], content[8192], right[128] = "v1,";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    find(request, "webhook-id: ", "\r", id);
    find(request, "webhook-timestamp: ", "\r", when);
    find(request, "webhook-signature: ", "\r", claimed);
    int length = snprintf(content, sizeof content, "%s.%s.%s", id, when, body);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)content, (size_t)length,
         digest, &size);
    EVP_EncodeBlock((unsigned char *)right + 3, digest, (int)size);
    return labs((long)time(NULL) - strtol(when, NULL, 10)) < 300 &&
           strlen(claimed) == strlen(right) && CRYPTO_memcmp(claimed, right, strlen(right)) == 0;
}

/* Reads a request and gives its body; NULL if it broke off. */
static const char *read_request(int link, char *request, size_t room)
{
    char length[128];
    for (size_t size = 0; size + 1 < room;) {
        ssize_t got = read(link, request + size, room - 1 - size);
        if (got <= 0) break;
        size += (size_t)got;
        request[size] = '\0';
        const char *body = strstr(request, "\r\n\r\n");
        find(request, "Content-Length: ", "\r", length);
        if (body != NULL && strlen(body + 4) >= strtoul(length, NULL, 10)) return body + 4;
    }
    return NULL;
}

static void *receive(void *context)
{
    const int *listener = context;
    for (int link; (link = accept(*listener, NULL, NULL)) >= 0; close(link)) {
        char request[8192];
        char event[128];
        const char *body = read_request(link, request, sizeof request);
        if (body == NULL) continue;
        bool right = is_signed(request, body);
        find(body, "\"event\":\"", "\"", event);
        printf("%s, %s\n", event, right ? "signed by you" : "from a stranger");
        /* Anything but 2xx: it was not taken. After 5xx and 429 it comes again, under its id. */
        dprintf(link, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                right ? "204 No Content" : "401 Unauthorized");
    }
    return NULL;
}

/* A port of this machine that nobody else has; gives its number. */
static int listen_somewhere(int *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(*listener, (struct sockaddr *)&address, size) != 0 || listen(*listener, 8) != 0 ||
        getsockname(*listener, (struct sockaddr *)&address, &size) != 0) {
        perror("listen");
        exit(1);
    }
    return ntohs(address.sin_port);
}

static conv_status run(conv_client *client, int port, conv_error *error)
{
    char url[64];
    uint64_t number = 0;
    conv_reply *reply = NULL;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", port);
    conv_event_webhook webhook = CONV_EVENT_WEBHOOK_INIT;
    webhook.url = url;
    webhook.secret = secret;
    webhook.delivery = CONV_DELIVERY_DROP_OLDEST; /* if the host is away, and 1024 events wait */
    conv_status status = conv_event_subscribe_webhook(client, &webhook, &number, error);
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "support-42";
    turn.message = conv_text("Where is my order?");
    if (status == CONV_OK) status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:webhook.db";
    conv_client *client = NULL;
    pthread_t host;
    int listener;
    int port = listen_somewhere(&listener);
    pthread_create(&host, NULL, receive, &listener);

    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, port, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    /* Sends what waits; what nobody took in this time would be said. */
    if (conv_client_close(client, 10000, &error) != CONV_OK)
        fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_provider_free(params.provider);

    shutdown(listener, SHUT_RDWR);
    pthread_join(host, NULL);
    close(listener);
    return status == CONV_OK ? 0 : 1;
}
