/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a guest's serial port or console goes, see stream.h.
 *
 * Positions in the ring count from the start and never wrap; .head is the oldest byte kept.
 */
#include "vm/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/confine.h"
#include "common/error.h"
#include "vm/listen.h"
#include "vm/report.h"

/* POSIX lets a pipe that poll() calls writable block on more than this. */
enum { CHUNK = 4096, INPUT = 4 * CHUNK };

struct Stream {
    /* fixed after open */
    SerialKind kind;
    char *path;
    char *name;
    StreamKeys keys;
    CharBackend backend;
    GThread *thread;
    int wake;      /* eventfd: something below changed */
    int listening; /* of SERIAL_UNIX, else -1 */
    bool terminal; /* input is a terminal: escape keys are taken out */
    /* stream's thread only, once it runs */
    int in, out;   /* -1: none (any more) */
    bool owns_out; /* it is ours to close */
    Escape escape;
    size_t in_len;
    uint8_t input[INPUT]; /* not yet taken by the device */
    /* lock: mutex */
    GMutex mutex;
    GCond called; /* .calling has become false */
    const CharListener *listener;
    bool calling;       /* the thread is inside a function of the listener */
    bool input_blocked; /* the device took less than it was given */
    bool output_short;  /* the device was told to wait */
    bool reader;        /* somebody takes output */
    bool quitting;
    int64_t quit_us;     /* until when output may drain then */
    int64_t progress_us; /* when output moved last, or had nothing to move */
    uint64_t head, tail;
    uint64_t lost; /* bytes, since it was said last */
    uint8_t ring[STREAM_BUFFER];
};

static void wake(Stream *stream)
{
    uint64_t one = 1;
    ssize_t ignored = write(stream->wake, &one, sizeof(one));

    (void)ignored; /* full: it is awake already */
}

/* ---- the device's side; any thread ---- */

static bool patience_over(const Stream *stream, int64_t now_us)
{
    return now_us - stream->progress_us > STREAM_PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
}

/* Drop what must go so that @len more bytes fit, if it may. */
static void make_room(Stream *stream, size_t len, int64_t now_us)
{
    uint64_t used = stream->tail - stream->head;

    if (used + len <= STREAM_BUFFER || (stream->reader && !patience_over(stream, now_us))) {
        return;
    }
    uint64_t drop = MIN(used, used + len - STREAM_BUFFER);
    stream->head += drop;
    stream->lost += stream->reader ? drop : 0;
}

static void put(Stream *stream, const uint8_t *data, size_t len)
{
    size_t at = stream->tail % STREAM_BUFFER;
    size_t first = MIN(len, STREAM_BUFFER - at);

    memcpy(stream->ring + at, data, first);
    memcpy(stream->ring, data + first, len - first);
    stream->tail += len;
}

static size_t backend_write(void *opaque, const uint8_t *data, size_t len)
{
    Stream *stream = opaque;
    int64_t now_us = g_get_monotonic_time();

    g_mutex_lock(&stream->mutex);
    bool was_empty = stream->head == stream->tail;
    make_room(stream, len, now_us);
    size_t n = (size_t)MIN(len, STREAM_BUFFER - (stream->tail - stream->head));
    put(stream, data, n);
    if (was_empty) {
        stream->progress_us = now_us;
    }
    stream->output_short |= n < len;
    bool tell = was_empty || n < len;
    g_mutex_unlock(&stream->mutex);
    if (tell) {
        wake(stream);
    }
    return n;
}

static void backend_resume(void *opaque)
{
    Stream *stream = opaque;

    g_mutex_lock(&stream->mutex);
    stream->input_blocked = false;
    g_mutex_unlock(&stream->mutex);
    wake(stream);
}

static void backend_attach(void *opaque, const CharListener *listener)
{
    Stream *stream = opaque;

    g_mutex_lock(&stream->mutex);
    while (stream->calling) {
        g_cond_wait(&stream->called, &stream->mutex);
    }
    stream->listener = listener;
    stream->input_blocked = stream->output_short = false;
    g_mutex_unlock(&stream->mutex);
    wake(stream);
}

/* ---- calls to the device; the stream's thread, no lock held ---- */

/* The listener, which stays until end_call(), or NULL. */
static const CharListener *begin_call(Stream *stream, bool input)
{
    g_mutex_lock(&stream->mutex);
    const CharListener *listener = stream->listener;
    if (listener && input) {
        /* before the call, so that a resume during it isn't lost */
        listener = stream->input_blocked ? NULL : listener;
        stream->input_blocked = true;
    }
    stream->calling = listener != NULL;
    g_mutex_unlock(&stream->mutex);
    return listener;
}

static void end_call(Stream *stream, bool took_all)
{
    g_mutex_lock(&stream->mutex);
    stream->calling = false;
    if (took_all) {
        stream->input_blocked = false;
    }
    g_cond_broadcast(&stream->called);
    g_mutex_unlock(&stream->mutex);
}

static void give_input(Stream *stream)
{
    const CharListener *listener = stream->in_len ? begin_call(stream, true) : NULL;

    if (listener) {
        size_t n = listener->input(listener->opaque, stream->input, stream->in_len);
        stream->in_len -= n;
        memmove(stream->input, stream->input + n, stream->in_len);
        end_call(stream, !stream->in_len);
    }
}

/* Tell a device that was cut short when it may try again. */
static void tell_writable(Stream *stream)
{
    g_mutex_lock(&stream->mutex);
    bool tell =
        stream->output_short && (stream->tail - stream->head < STREAM_BUFFER || !stream->reader ||
                                 patience_over(stream, g_get_monotonic_time()));
    if (tell) {
        stream->output_short = false;
    }
    g_mutex_unlock(&stream->mutex);
    const CharListener *listener = tell ? begin_call(stream, false) : NULL;
    if (listener) {
        listener->writable(listener->opaque);
        end_call(stream, false);
    }
}

/* ---- the world's side; the stream's thread ---- */

static void set_reader(Stream *stream, bool reader)
{
    g_mutex_lock(&stream->mutex);
    stream->reader = reader;
    stream->progress_us = g_get_monotonic_time();
    g_mutex_unlock(&stream->mutex);
}

static void drop_client(Stream *stream)
{
    close(stream->out);
    stream->in = stream->out = -1;
    set_reader(stream, false);
}

static void take_client(Stream *stream)
{
    int fd = listen_accept(stream->listening);

    if (fd >= 0) {
        stream->in = stream->out = fd;
        set_reader(stream, true);
    }
}

/* Take the keys that are ours out of the @len new bytes behind what waits already. */
static void take_keys(Stream *stream, size_t len)
{
    uint8_t *kept = stream->input + stream->in_len;

    for (size_t i = 0; i < len; i++) {
        uint8_t byte = stream->input[stream->in_len + i];
        EscapeKey key = escape_byte(&stream->escape, byte);
        if (key == ESCAPE_PASS) {
            *kept++ = byte;
        } else if (key != ESCAPE_HELD && stream->keys.pressed) {
            stream->keys.pressed(stream->keys.opaque, key);
        }
    }
    stream->in_len = (size_t)(kept - stream->input);
}

static void read_in(Stream *stream)
{
    ssize_t n = read(stream->in, stream->input + stream->in_len, INPUT - stream->in_len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        stream->in = -1; /* the end of the input isn't the end of the machine */
    } else if (stream->terminal) {
        take_keys(stream, (size_t)n);
    } else {
        stream->in_len += (size_t)n;
    }
}

/* Output can't go anywhere any more. */
static void lose_output(Stream *stream, int err)
{
    if (stream->kind == SERIAL_UNIX) {
        if (stream->in >= 0 && stream->in_len < INPUT) {
            read_in(stream); /* what the client said last */
        }
        drop_client(stream);
        return;
    }
    report("%s: cannot write to %s: %s; the guest's output is dropped from now on", stream->name,
           stream->path ? stream->path : "standard output", g_strerror(err));
    if (stream->owns_out) {
        close(stream->out);
    }
    stream->out = -1;
    set_reader(stream, false);
}

static void say_lost(Stream *stream)
{
    g_mutex_lock(&stream->mutex);
    uint64_t lost = stream->lost;
    stream->lost = 0;
    g_mutex_unlock(&stream->mutex);
    if (lost) {
        report("%s: %" G_GUINT64_FORMAT " bytes of output were lost: its reader was too slow",
               stream->name, lost);
    }
}

static void write_out(Stream *stream)
{
    uint8_t chunk[CHUNK];

    g_mutex_lock(&stream->mutex);
    uint64_t from = stream->head;
    size_t len = (size_t)MIN(stream->tail - from, sizeof(chunk));
    for (size_t i = 0; i < len; i++) {
        chunk[i] = stream->ring[(from + i) % STREAM_BUFFER];
    }
    g_mutex_unlock(&stream->mutex);
    ssize_t n = send(stream->out, chunk, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == ENOTSOCK) {
        n = write(stream->out, chunk, len);
    }
    if (n > 0) {
        g_mutex_lock(&stream->mutex);
        /* a write of the device may have dropped some of these meanwhile */
        stream->head = MAX(stream->head, from + (uint64_t)n);
        stream->progress_us = g_get_monotonic_time();
        g_mutex_unlock(&stream->mutex);
        say_lost(stream);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        lose_output(stream, errno);
    }
}

/* Milliseconds after which something must be done without anybody's call, or -1. */
static int next_timeout_ms(const Stream *stream)
{
    int64_t until_us = INT64_MAX;

    if (stream->output_short && stream->reader) {
        until_us = stream->progress_us + STREAM_PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
    }
    if (stream->quitting) {
        until_us = MIN(until_us, stream->quit_us);
    }
    if (until_us == INT64_MAX) {
        return -1;
    }
    int64_t left_us = until_us - g_get_monotonic_time();
    return left_us <= 0 ? 1 : (int)(left_us / G_TIME_SPAN_MILLISECOND) + 1;
}

enum { ON_WAKE, ON_CLIENT, ON_INPUT, ON_OUTPUT, WAITS };

/* Wait until there is something to do; false: it is time to end. */
static bool wait_for_work(Stream *stream, struct pollfd polls[WAITS])
{
    g_mutex_lock(&stream->mutex);
    bool output = stream->head != stream->tail && stream->out >= 0;
    bool over = stream->quitting && (!output || g_get_monotonic_time() >= stream->quit_us);
    bool input = !stream->input_blocked && stream->in_len < INPUT && !stream->quitting;
    int timeout_ms = next_timeout_ms(stream);
    g_mutex_unlock(&stream->mutex);
    if (over) {
        return false;
    }
    polls[ON_WAKE] = (struct pollfd){ .fd = stream->wake, .events = POLLIN };
    polls[ON_CLIENT] =
        (struct pollfd){ .fd = stream->out < 0 ? stream->listening : -1, .events = POLLIN };
    /* a terminal is always read: its keys must work while the guest takes no input */
    bool read_now = input || (stream->terminal && stream->in_len < INPUT);
    polls[ON_INPUT] = (struct pollfd){ .fd = read_now ? stream->in : -1, .events = POLLIN };
    polls[ON_OUTPUT] =
        (struct pollfd){ .fd = output || stream->kind == SERIAL_UNIX ? stream->out : -1,
                         .events = output ? POLLOUT : 0 };
    return poll(polls, WAITS, timeout_ms) >= 0 || errno == EINTR;
}

static void do_work(Stream *stream, const struct pollfd polls[WAITS])
{
    uint64_t count;

    if (polls[ON_WAKE].revents) {
        ssize_t ignored = read(stream->wake, &count, sizeof(count));
        (void)ignored;
    }
    if (polls[ON_INPUT].revents) {
        read_in(stream);
    }
    if (polls[ON_OUTPUT].revents & POLLOUT) {
        write_out(stream);
    } else if (polls[ON_OUTPUT].revents) {
        lose_output(stream, EPIPE);
    }
    if (polls[ON_CLIENT].revents) {
        take_client(stream);
    }
    give_input(stream);
    tell_writable(stream);
}

static gpointer thread_main(gpointer data)
{
    Stream *stream = data;
    struct pollfd polls[WAITS];

    confine_thread(THREAD_STREAM);
    while (wait_for_work(stream, polls)) {
        do_work(stream, polls);
    }
    say_lost(stream);
    return NULL;
}

/* ---- life ---- */

/* The terminal of standard output once more, for us alone and non-blocking; -1: it isn't one. */
static int reopen_terminal(void)
{
    return isatty(STDOUT_FILENO)
               ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
               : -1;
}

static bool open_file(Stream *stream, GError **error)
{
    stream->out = open(stream->path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC,
                       S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
    if (stream->out < 0) {
        set_error_errno(error, errno, "--%s: cannot make file '%s'", stream->name, stream->path);
        return false;
    }
    stream->owns_out = true;
    return true;
}

static bool open_kind(Stream *stream, GError **error)
{
    g_autofree char *option = g_strconcat("--", stream->name, NULL);

    switch (stream->kind) {
    case SERIAL_STDIO:
        stream->in = STDIN_FILENO;
        stream->terminal = isatty(STDIN_FILENO);
        stream->out = reopen_terminal();
        stream->owns_out = stream->out >= 0;
        stream->out = stream->owns_out ? stream->out : STDOUT_FILENO;
        return true;
    case SERIAL_UNIX:
        stream->listening = listen_unix(stream->path, option, error);
        return stream->listening >= 0;
    case SERIAL_FILE:
        return open_file(stream, error);
    case SERIAL_NONE:
        break;
    }
    return true;
}

Stream *stream_new(const SerialConfig *config, const char *name, const StreamKeys *keys)
{
    Stream *stream = g_new0(Stream, 1);

    stream->kind = config->kind;
    stream->path = g_strdup(config->path);
    stream->name = g_strdup(name);
    stream->keys = keys ? *keys : (StreamKeys){ 0 };
    stream->backend = (CharBackend){ stream, backend_write, backend_resume, backend_attach };
    stream->in = stream->out = stream->listening = stream->wake = -1;
    g_mutex_init(&stream->mutex);
    g_cond_init(&stream->called);
    return stream;
}

bool stream_open(Stream *stream, GError **error)
{
    stream->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stream->wake < 0) {
        set_error_errno(error, errno, "cannot make an eventfd");
        return false;
    }
    if (!open_kind(stream, error)) {
        return false;
    }
    set_reader(stream, stream->out >= 0);
    return true;
}

void stream_start(Stream *stream)
{
    stream->thread = g_thread_new(stream->name, thread_main, stream);
}

CharBackend *stream_backend(Stream *stream)
{
    return &stream->backend;
}

static void end_thread(Stream *stream)
{
    g_mutex_lock(&stream->mutex);
    stream->quitting = true;
    stream->quit_us = g_get_monotonic_time() + STREAM_DRAIN_MS * G_TIME_SPAN_MILLISECOND;
    g_mutex_unlock(&stream->mutex);
    wake(stream);
    g_thread_join(stream->thread);
}

void stream_free(Stream *stream)
{
    if (!stream) {
        return;
    }
    if (stream->thread) {
        end_thread(stream);
    }
    if (stream->out >= 0 && (stream->owns_out || stream->kind == SERIAL_UNIX)) {
        close(stream->out);
    }
    if (stream->listening >= 0) {
        unlink(stream->path);
        close(stream->listening);
    }
    if (stream->wake >= 0) {
        close(stream->wake);
    }
    g_mutex_clear(&stream->mutex);
    g_cond_clear(&stream->called);
    g_free(stream->path);
    g_free(stream->name);
    g_free(stream);
}
