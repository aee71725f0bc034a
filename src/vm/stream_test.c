/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of streams, with a device that is a few counters, and of the escape keys.
 */
#include "vm/stream.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"

/* A device that writes .to_send as room allows, and takes at most .bite bytes at once. */
typedef struct Device {
    CharBackend *backend;
    CharListener listener;
    GMutex mutex;
    GCond changed;
    GString *got;
    size_t bite;
    const char *to_send;
    size_t left;
} Device;

static size_t on_input(void *opaque, const uint8_t *data, size_t len)
{
    Device *device = opaque;
    size_t n = MIN(len, device->bite);

    g_mutex_lock(&device->mutex);
    g_string_append_len(device->got, (const char *)data, (gssize)n);
    g_cond_signal(&device->changed);
    if (n < len) {
        device->backend->resume(device->backend->opaque); /* it is ready again at once */
    }
    g_mutex_unlock(&device->mutex);
    return n;
}

static void send_more(void *opaque)
{
    Device *device = opaque;

    g_mutex_lock(&device->mutex);
    size_t n = device->backend->write(device->backend->opaque, (const uint8_t *)device->to_send,
                                      device->left);
    device->to_send += n;
    device->left -= n;
    g_cond_signal(&device->changed);
    g_mutex_unlock(&device->mutex);
}

static void device_init(Device *device, Stream *stream, size_t bite)
{
    *device = (Device){ .backend = stream_backend(stream),
                        .listener = { device, on_input, send_more },
                        .got = g_string_new(NULL),
                        .bite = bite };
    g_mutex_init(&device->mutex);
    g_cond_init(&device->changed);
    device->backend->attach(device->backend->opaque, &device->listener);
}

/* Wait until all is sent and @len bytes have come. */
static void wait_for(Device *device, size_t len)
{
    g_mutex_lock(&device->mutex);
    while (device->left || device->got->len < len) {
        g_cond_wait(&device->changed, &device->mutex);
    }
    g_mutex_unlock(&device->mutex);
}

static void device_clear(Device *device)
{
    device->backend->attach(device->backend->opaque, NULL);
    g_string_free(device->got, TRUE);
    g_mutex_clear(&device->mutex);
    g_cond_clear(&device->changed);
}

static Stream *make(SerialKind kind, const char *path)
{
    g_autofree char *copy = g_strdup(path);
    const SerialConfig config = { kind, copy };

    return stream_new(&config, "serial", NULL);
}

static char *make_path(const char *name)
{
    g_autofree char *folder = g_dir_make_tmp("insula-XXXXXX", NULL);

    g_assert_nonnull(folder);
    return g_build_filename(folder, name, NULL);
}

static void remove_path(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);

    g_unlink(path);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* @size bytes that tell where they are. */
static char *pattern(size_t size)
{
    char *bytes = g_malloc(size);

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(i * 31 + i / 251);
    }
    return bytes;
}

/* Five times what the ring holds reaches a file whole and in order. */
static void test_file(void)
{
    enum { SIZE = 5 * STREAM_BUFFER + 17 };
    g_autofree char *path = make_path("out");
    g_autofree char *sent = pattern(SIZE);
    g_autofree char *found = NULL;
    gsize found_len = 0;
    Stream *stream = make(SERIAL_FILE, path);
    Device device;

    device_init(&device, stream, 0);
    device.to_send = sent;
    device.left = SIZE;
    send_more(&device); /* before the stream is open: what fits waits in it */
    g_assert_cmpuint(device.left, >=, SIZE - STREAM_BUFFER);
    g_assert_true(stream_open(stream, NULL));
    stream_start(stream);
    wait_for(&device, 0);
    device_clear(&device);
    stream_free(stream);
    g_assert_true(g_file_get_contents(path, &found, &found_len, NULL));
    g_assert_cmpmem(found, found_len, sent, SIZE);
    remove_path(path);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void expect(int fd, const char *bytes, size_t len)
{
    g_autofree char *got = g_malloc(len);
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, got + done, len - done);
        g_assert_cmpint(n, >, 0);
        done += (size_t)n;
    }
    g_assert_cmpmem(got, len, bytes, len);
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        g_assert_cmpint(n, >, 0);
        bytes += n;
        len -= (size_t)n;
    }
}

/* Without a client the newest output is kept; then both ways; then the next client. */
static void test_socket(void)
{
    enum { SIZE = 3 * STREAM_BUFFER, INPUT = 100000 };
    g_autofree char *path = make_path("socket");
    g_autofree char *sent = pattern(SIZE), *input = pattern(INPUT);
    Stream *stream = make(SERIAL_UNIX, path);
    struct stat info;
    Device device;

    g_assert_true(stream_open(stream, NULL));
    stream_start(stream);
    device_init(&device, stream, 7);
    g_assert_cmpint(stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 0777, ==, 0600);
    for (device.to_send = sent; device.to_send < sent + SIZE;) {
        device.left = 1000;
        device.left = MIN(device.left, (size_t)(sent + SIZE - device.to_send));
        send_more(&device);
        g_assert_cmpuint(device.left, ==, 0); /* nobody reads: it never has to wait */
    }
    int client = connect_to(path);
    expect(client, sent + SIZE - STREAM_BUFFER, STREAM_BUFFER);
    write_all(client, input, INPUT);
    wait_for(&device, INPUT);
    g_assert_cmpmem(device.got->str, device.got->len, input, INPUT);

    shutdown(client, SHUT_WR); /* it says no more, but still listens */
    device.to_send = "more";
    device.left = 4;
    send_more(&device);
    expect(client, "more", 4);
    close(client);

    client = connect_to(path);
    write_all(client, "last words", 10);
    close(client);
    wait_for(&device, INPUT + 10);
    g_assert_cmpstr(device.got->str + INPUT, ==, "last words");
    device_clear(&device);
    stream_free(stream);
    g_assert_cmpint(stat(path, &info), !=, 0);
    remove_path(path);
}

/* Only what a dead process left behind is replaced. */
static void test_socket_in_use(void)
{
    g_autofree char *path = make_path("socket");
    g_autoptr(GError) error = NULL;
    Stream *first = make(SERIAL_UNIX, path), *second = make(SERIAL_UNIX, path);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_assert_true(stream_open(first, NULL));
    stream_start(first);
    g_assert_false(stream_open(second, &error));
    g_assert_nonnull(strstr(error->message, "exists already"));
    stream_free(second);
    stream_free(first);
    g_clear_error(&error);

    g_assert_true(g_file_set_contents(path, "precious", -1, NULL));
    second = make(SERIAL_UNIX, path);
    g_assert_false(stream_open(second, &error));
    stream_free(second);
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
    g_unlink(path);

    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(stale, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    close(stale);
    first = make(SERIAL_UNIX, path);
    g_assert_true(stream_open(first, NULL));
    stream_start(first);
    stream_free(first);
    remove_path(path);
}

static void test_nowhere(void)
{
    static const struct {
        SerialKind kind;
        const char *path, *message;
    } cases[] = {
        { SERIAL_FILE, "/nowhere/at/all", "cannot make file '/nowhere/at/all': No such file" },
        { SERIAL_UNIX, "/nowhere/at/all", "cannot make socket '/nowhere/at/all': No such file" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Stream) stream = make(cases[i].kind, cases[i].path);
        g_assert_false(stream_open(stream, &error));
        g_assert_nonnull(strstr(error->message, cases[i].message));
    }
}

/* A stream that goes nowhere takes everything at once. */
static void test_none(void)
{
    g_autofree char *sent = pattern(STREAM_BUFFER);
    g_autoptr(Stream) stream = make(SERIAL_NONE, NULL);
    CharBackend *backend = stream_backend(stream);

    g_assert_true(stream_open(stream, NULL));
    stream_start(stream);
    for (unsigned i = 0; i < 10; i++) {
        size_t n = backend->write(backend->opaque, (const uint8_t *)sent, STREAM_BUFFER);
        g_assert_cmpuint(n, ==, STREAM_BUFFER);
    }
}

static void test_escape(void)
{
    static const struct {
        const char *bytes;
        EscapeKey last;
    } cases[] = {
        { "a", ESCAPE_PASS },          { "\x03", ESCAPE_PASS },      { "\x01", ESCAPE_HELD },
        { "\x01x", ESCAPE_QUIT },      { "\x01p", ESCAPE_POWER },    { "\x01s", ESCAPE_STATUS },
        { "\x01h", ESCAPE_HELP },      { "\x01?", ESCAPE_HELP },     { "\x01q", ESCAPE_HELP },
        { "\x01\x01", ESCAPE_PASS },   { "\x01\x01x", ESCAPE_PASS }, { "\x01hx", ESCAPE_PASS },
        { "\x01h\x01x", ESCAPE_QUIT },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        Escape escape = { 0 };
        EscapeKey key = ESCAPE_PASS;
        for (const char *p = cases[i].bytes; *p; p++) {
            key = escape_byte(&escape, (uint8_t)*p);
        }
        g_assert_cmpint(key, ==, cases[i].last);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/file", test_file);
    g_test_add_func("/stream/socket", test_socket);
    g_test_add_func("/stream/socket-in-use", test_socket_in_use);
    g_test_add_func("/stream/nowhere", test_nowhere);
    g_test_add_func("/stream/none", test_none);
    g_test_add_func("/escape/keys", test_escape);
    return g_test_run();
}
