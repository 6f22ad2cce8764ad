// Load on an HTTP server, closed or open loop, and what came of it as one JSON object.
//
//   load PORT CONNECTIONS SECONDS RATE BODY_FILE [HEADER ...]
//
// RATE 0: closed loop, every connection sends as soon as it has its answer. RATE > 0: Poisson arrivals, latency counted
// from the scheduled time. The first tenth of the time is warm-up and does not count. Events carry their send time as
// "@" and 19 digits. One thread.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct connection {
    int fd, busy, status, chunked, in_body;
    long long scheduled, first;
    long left;          // bytes left of the body, or of the chunk
    int phase;          // of chunked: 0 size, 1 data, 2 line end after data, 3 trailer
    int zero;           // size line is 0 so far
    char head[8192];
    int have;
    int digits;         // of a time stamp so far; -1: none
    long long stamp;
    char line[32];
    int line_have;
    int done_seen, streams, match;
};

struct samples { float *at; size_t have, room; };

static struct samples latency, first_byte, one_way;
static long requests, errors, cut, events, all_requests, all_events;
static long long begin, count_from, finish;
static struct sockaddr_in target;
static char *message;
static size_t message_length;
static int epoll;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void note(struct samples *s, double value) {
    if (s->have == s->room) s->at = realloc(s->at, (s->room = s->room * 2 + 4096) * sizeof(float));
    s->at[s->have++] = value;
}

static void open_connection(struct connection *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target)) { perror("load: connect"); exit(1); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
    c->busy = 0;
}

static void ask(struct connection *c, long long scheduled) {
    c->busy = 1;
    c->scheduled = scheduled;
    c->first = 0;
    c->have = c->in_body = c->phase = c->line_have = c->done_seen = c->match = 0;
    c->digits = -1;
    size_t sent = 0;
    while (sent < message_length) {
        ssize_t n = send(c->fd, message + sent, message_length - sent, MSG_NOSIGNAL);
        if (n <= 0) break;  // its end will be noticed when reading
        sent += n;
    }
}

static void scan(struct connection *c, const char *data, long length, long long now) {
    static const char DONE[] = "[DONE]";
    for (long i = 0; i < length; i++) {
        char b = data[i];
        if (c->digits >= 0) {
            if (b >= '0' && b <= '9') {
                c->stamp = c->stamp * 10 + b - '0';
                if (++c->digits == 19) {
                    c->digits = -1;
                    all_events++;
                    if (now >= count_from) { events++; note(&one_way, (now - c->stamp) / 1e6); }
                }
            } else c->digits = -1;
        } else if (b == '@') { c->digits = 0; c->stamp = 0; }
        c->match = b == DONE[c->match] ? c->match + 1 : b == '[';
        if (c->match == 6) { c->done_seen = 1; c->match = 0; }
    }
}

static void over(struct connection *c, long long now, int good) {
    all_requests++;
    if (now >= count_from && now <= finish) {
        requests++;
        if (c->status != 200) errors++;
        else if (!good || (c->streams && !c->done_seen)) cut++;
        else { note(&latency, (now - c->scheduled) / 1e6); note(&first_byte, (c->first - c->scheduled) / 1e6); }
    }
    c->busy = 0;
}

// Returns 1 when the answer is complete.
static int feed(struct connection *c, const char *data, long length, long long now) {
    while (length > 0) {
        if (!c->in_body) {
            int take = length < (long)sizeof c->head - 1 - c->have ? length : (long)sizeof c->head - 1 - c->have;
            memcpy(c->head + c->have, data, take);
            c->have += take;
            c->head[c->have] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end) { data += take; length -= take; continue; }
            int used = take - (c->have - (int)(end + 4 - c->head));
            data += used;
            length -= used;
            end[2] = 0;
            c->status = atoi(c->head + 9);
            char *said = strcasestr(c->head, "\r\ncontent-length:");
            c->chunked = strcasestr(c->head, "\r\ntransfer-encoding:") != NULL;
            c->streams = strcasestr(c->head, "event-stream") != NULL;
            c->left = said ? atol(said + 17) : 0;
            c->in_body = 1;
            if (!c->chunked && c->left == 0) return 1;
            continue;
        }
        if (!c->first) c->first = now;
        if (!c->chunked || c->phase == 1) {
            long take = length < c->left ? length : c->left;
            scan(c, data, take, now);
            data += take;
            length -= take;
            if ((c->left -= take)) continue;
            if (!c->chunked) return 1;
            c->phase = 2;
            continue;
        }
        char b = *data++;
        length--;
        if (c->phase == 2) { if (b == '\n') { c->phase = 0; c->line_have = 0; } continue; }
        if (b != '\n') { if (b != '\r' && c->line_have < 31) c->line[c->line_have++] = b; continue; }
        c->line[c->line_have] = 0;
        if (c->phase == 3) { if (!c->line_have) return 1; c->line_have = 0; continue; }
        c->left = strtol(c->line, NULL, 16);
        c->line_have = 0;
        c->phase = c->left ? 1 : 3;
    }
    return 0;
}

static int ascending(const void *a, const void *b) { return (*(float *)a > *(float *)b) - (*(float *)a < *(float *)b); }

static void tell(const char *name, struct samples *s) {
    qsort(s->at, s->have, sizeof(float), ascending);
    double at[] = {0.5, 0.9, 0.99, 1.0};
    printf(", \"%s_ms\": [", name);
    for (int i = 0; i < 4; i++) {
        size_t k = s->have ? (size_t)fmin(s->have - 1, floor(at[i] * s->have)) : 0;
        printf("%s%.4f", i ? ", " : "", s->have ? s->at[k] : 0.0);
    }
    printf("]");
}

int main(int argc, char **argv) {
    int many = atoi(argv[2]);
    double seconds = atof(argv[3]), rate = atof(argv[4]);
    FILE *file = fopen(argv[5], "rb");
    if (!file) { perror(argv[5]); return 1; }
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    message = malloc(size + 16384);
    int at = sprintf(message, "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%s\r\ncontent-type: application/json\r\nuser-agent: load/1\r\naccept: */*\r\ncontent-length: %ld\r\n", argv[1], size);
    for (int i = 6; i < argc; i++) at += sprintf(message + at, "%s\r\n", argv[i]);
    at += sprintf(message + at, "\r\n");
    if (fread(message + at, 1, size, file) != (size_t)size) return 1;
    message_length = at + size;
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    epoll = epoll_create1(0);
    struct connection *all = calloc(many, sizeof *all);
    for (int i = 0; i < many; i++) open_connection(&all[i]);
    begin = now_ns();
    count_from = begin + (long long)(seconds * 1e8);
    finish = begin + (long long)(seconds * 1e9);
    long long next = begin, now = begin;
    srand48(1);
    if (rate <= 0) for (int i = 0; i < many; i++) ask(&all[i], now_ns());
    static char data[1 << 18];
    struct epoll_event ready[512];
    long backlog = 0;
    while ((now = now_ns()) < finish) {
        int wait = 100;
        if (rate > 0) {
            while (next <= now) {
                int i = 0;
                while (i < many && all[i].busy) i++;
                if (i == many) { backlog++; break; }
                ask(&all[i], next);
                next += (long long)(-log(1 - drand48()) / rate * 1e9);
            }
            wait = next > now ? (int)((next - now) / 1000000) : 1;
        }
        int n = epoll_wait(epoll, ready, 512, wait);
        for (int i = 0; i < n; i++) {
            struct connection *c = ready[i].data.ptr;
            ssize_t got = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) continue;
            now = now_ns();
            if (got <= 0) {
                if (c->busy) { c->status = c->status ? c->status : 0; over(c, now, 0); }
                close(c->fd);
                open_connection(c);
                if (rate <= 0) ask(c, now);
                continue;
            }
            if (!c->busy) continue;
            if (feed(c, data, got, now)) { over(c, now, 1); if (rate <= 0) ask(c, now_ns()); }
        }
    }
    double counted = (finish - count_from) / 1e9;
    printf("{\"requests\": %ld, \"errors\": %ld, \"cut\": %ld, \"events\": %ld, \"all_requests\": %ld, \"all_events\": %ld, \"requests_per_s\": %.1f, \"events_per_s\": %.1f", requests, errors, cut, events, all_requests, all_events, requests / counted, events / counted);
    tell("latency", &latency);
    tell("first_byte", &first_byte);
    tell("one_way", &one_way);
    printf("}\n");
    return 0;
}
