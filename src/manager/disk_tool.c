/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Program insula-disk, see disk_tool.h.
 */
#include "manager/disk_tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "manager/storage_limits.h"
#include "wire/json.h"

/* How often a long wait looks whether somebody still wants its end. */
enum { LOOK_MS = 500, LOOKS_TO_KILL = 20, WORDS_SHOWN = 1000 };

typedef struct Running {
    GPid pid;
    int out, err; /* pipes from its standard output and error; -1: it has closed it */
    GString *answer, *words;
    bool ended;     /* we ended it: too much said, or nobody wants it */
    unsigned looks; /* since then */
} Running;

static bool begin(const DiskTool *tool, const char *const *words, Running *running, GError **error)
{
    char folder[sizeof("/proc/self/fd/") + 10];
    const char *argv[DISK_WORDS_MAX + 2] = { tool->program };
    unsigned n = 1;

    for (; words[n - 1] && n <= DISK_WORDS_MAX; n++) {
        argv[n] = words[n - 1];
    }
    g_snprintf(folder, sizeof(folder), "/proc/self/fd/%d", tool->folder);
    return g_spawn_async_with_pipes(folder, (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                    NULL, &running->pid, NULL, &running->out, &running->err, error);
}

static void stop(Running *running, int signal)
{
    running->ended = true;
    kill(running->pid, signal);
}

/* Time has passed: end it if nobody wants it; by force, if it doesn't heed that. */
static void look(const DiskTool *tool, Running *running)
{
    if (!running->ended && work_ends(tool->end)) {
        stop(running, SIGTERM);
    } else if (running->ended && ++running->looks == LOOKS_TO_KILL) {
        stop(running, SIGKILL);
    }
}

/* Read what there is on *@fd behind @text, of which at most @max bytes may come. */
static bool take(int *fd, GString *text, size_t max)
{
    char piece[4096];
    ssize_t got = read(*fd, piece, sizeof(piece));

    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got <= 0) {
        close(*fd);
        *fd = -1;
        return true;
    }
    g_string_append_len(text, piece, got);
    return text->len <= max;
}

/* Until both pipes are closed. */
static void listen_to(const DiskTool *tool, Running *running)
{
    while (running->out >= 0 || running->err >= 0) {
        struct pollfd polled[2] = { { running->out, POLLIN, 0 }, { running->err, POLLIN, 0 } };
        int n = poll(polled, 2, tool->end && tool->end->wanted ? LOOK_MS : -1);
        if (n < 0 && errno != EINTR) {
            break;
        }
        look(tool, running);
        bool fits = (!polled[0].revents || take(&running->out, running->answer, DISK_ANSWER_MAX)) &&
                    (!polled[1].revents || take(&running->err, running->words, DISK_ANSWER_MAX));
        if (!fits) {
            stop(running, SIGKILL);
            break;
        }
    }
    if (running->out >= 0) {
        close(running->out);
    }
    if (running->err >= 0) {
        close(running->err);
    }
}

static int wait_for(GPid pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    g_spawn_close_pid(pid);
    return status;
}

/* Its last line, without its name in front. */
static char *last_words(const GString *words)
{
    g_autofree char *text = g_strstrip(g_strdup(words->str));
    const char *line = strrchr(text, '\n');
    const char *colon = NULL;

    line = line ? line + 1 : text;
    colon = g_str_has_prefix(line, "insula-disk: ") ? line + strlen("insula-disk: ") : line;
    g_autofree char *start = g_strndup(colon, WORDS_SHOWN);
    g_autofree char *valid = g_utf8_make_valid(start, -1);
    return text_visible(valid);
}

static bool explain(const DiskTool *tool, const Running *running, int status, GError **error)
{
    g_autofree char *said = last_words(running->words);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !running->ended) {
        return true;
    }
    if (running->ended && work_ends(tool->end)) {
        set_error(error, "the client has gone, and so the work was ended");
    } else if (running->ended) {
        set_error(error, "insula-disk said too much");
    } else if (WIFEXITED(status) && *said) {
        set_error(error, "%s", said);
    } else {
        set_error(error, "insula-disk ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return false;
}

bool disk_tool_run(const DiskTool *tool, const char *const *words, char **ret_answer,
                   GError **error)
{
    Running running = { .out = -1, .err = -1 };

    if (!begin(tool, words, &running, error)) {
        return false;
    }
    running.answer = g_string_new(NULL);
    running.words = g_string_new(NULL);
    listen_to(tool, &running);
    bool done = explain(tool, &running, wait_for(running.pid), error);
    char *answer = g_string_free(running.answer, !done || !ret_answer);
    g_string_free(running.words, TRUE);
    if (answer) {
        *ret_answer = answer;
    }
    return done;
}

/* --- what it says of an image --- */

/* Member @name of @object if it is of the type wanted, else NULL. */
static JsonNode *member(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node
                                                                                         : NULL;
}

static bool member_number(JsonObject *object, const char *name, uint64_t *ret)
{
    JsonNode *node = member(object, name, G_TYPE_INT64);
    int64_t value = node ? json_node_get_int(node) : -1;

    if (value >= 0) {
        *ret = (uint64_t)value;
    }
    return value >= 0;
}

static char *member_text(JsonObject *object, const char *name)
{
    JsonNode *node = member(object, name, G_TYPE_STRING);

    return node ? text_visible(json_node_get_string(node)) : NULL;
}

static bool member_flag(JsonObject *object, const char *name)
{
    JsonNode *node = member(object, name, G_TYPE_BOOLEAN);

    return node && json_node_get_boolean(node);
}

static JsonObject *member_object(JsonObject *object, const char *name)
{
    JsonNode *node = object ? json_object_get_member(object, name) : NULL;

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

bool disk_image_parse(const char *json, DiskImage *ret_image, GError **error)
{
    g_autoptr(JsonNode) root = wire_json_parse(json, strlen(json), error);
    DiskImage image = { 0 };

    if (!root) {
        return false;
    }
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonObject *data = member_object(member_object(object, "format-specific"), "data");
    if (!member_number(object, "virtual-size", &image.capacity)) {
        set_error(error, "insula-disk does not say how large the disk is");
        return false;
    }
    member_number(object, "cluster-size", &image.cluster_size);
    image.compat = member_text(data, "compat");
    image.lazy_refcounts = member_flag(data, "lazy-refcounts");
    image.extended_l2 = member_flag(data, "extended-l2");
    image.backing_path = member_text(object, "full-backing-filename");
    image.backing_format = member_text(object, "backing-filename-format");
    *ret_image = image;
    return true;
}

bool disk_tool_look(const DiskTool *tool, const char *name, const char *format,
                    DiskImage *ret_image, GError **error)
{
    g_autofree char *file = g_strdup_printf("./%s", name), *answer = NULL;
    const char *const words[] = { "info", "--json", "--format", format, file, NULL };

    return disk_tool_run(tool, words, &answer, error) && disk_image_parse(answer, ret_image, error);
}

void disk_image_clear(DiskImage *image)
{
    g_free(image->compat);
    g_free(image->backing_path);
    g_free(image->backing_format);
    *image = (DiskImage){ 0 };
}

void disk_image_copy(DiskImage *to, const DiskImage *from)
{
    *to = *from;
    to->compat = g_strdup(from->compat);
    to->backing_path = g_strdup(from->backing_path);
    to->backing_format = g_strdup(from->backing_format);
}
