/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the screen, keys and the pointer.
 *
 * Keys that send-key presses go up again after their time, or when the next ones come.  Pointer
 * events of one command are gathered to one movement.
 *
 * Threads: main.
 * Read first: vm/qmp.h.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "display/keys.h"
#include "display/screenshot.h"
#include "vm/fdset.h"
#include "vm/qmp.h"

enum { HOLD_MS = 100, HOLD_MAX_MS = 60000, AXIS = INPUT_AXIS_MAX };

static Qmp *qmp_of(const QmpCall *call)
{
    return call->opaque;
}

/* A member of @object, or what it is without. */
static int64_t int_or(JsonObject *object, const char *name, int64_t without)
{
    return json_object_get_int_member_with_default(object, name, without);
}

/* There is one screen: number 0, of no device that has a name. */
static bool check_head(const QmpCall *call, GError **error)
{
    int64_t head = int_or(call->args, "head", 0);

    if (head || json_object_has_member(call->args, "device")) {
        set_error(error, "there is one screen, which is nobody's: leave out 'device' and 'head'");
        return false;
    }
    return true;
}

/* ---- screendump ---- */

static const char *const format_words[] = { "ppm", "png", NULL };
static const QmpType format_type = { .meta = QMP_ENUM, .words = format_words };

static const QmpType screendump_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "filename", &qmp_str },
                                    { "device", &qmp_str, true },
                                    { "head", &qmp_int, true },
                                    { "format", &format_type, true },
                                    { 0 } },
};

/* Into a descriptor that a client has passed, which is emptied first. */
static void dump_to_set(const Qmp *qmp, ScreenshotFormat format, const char *path, GError **error)
{
    const BlkHost *host = fd_sets_host(qmp->fds);
    int fd = host->open(host->opaque, path, O_WRONLY);

    if (fd < 0) {
        set_error_errno(error, -fd, "Could not open '%s'", path);
        return;
    }
    if (ftruncate(fd, 0) == 0) {
        lseek(fd, 0, SEEK_SET); /* neither can be done to a pipe, nor need it */
    }
    screenshot_write_fd(vm_display(qmp->vm), format, fd, error);
    close(fd);
}

static JsonNode *screendump(QmpCall *call, GError **error)
{
    const Qmp *qmp = qmp_of(call);
    const char *word = json_object_get_string_member_with_default(call->args, "format", "ppm");
    ScreenshotFormat format = strcmp(word, "png") ? SCREENSHOT_PPM : SCREENSHOT_PNG;
    const char *path = json_object_get_string_member(call->args, "filename");

    if (!check_head(call, error)) {
        return NULL;
    }
    if (fd_sets_has_name(path)) {
        dump_to_set(qmp, format, path, error);
    } else if (qmp->config->sandbox.on) {
        qmp_refuse_name(path, error);
    } else {
        screenshot_write(vm_display(qmp->vm), format, path, error);
    }
    return NULL;
}

/* ---- keys ---- */

static const char *const key_words[] = { "number", "qcode", NULL };
static const QmpType key_kind = { .meta = QMP_ENUM, .words = key_words };
static const QmpType key_number = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "data", &qmp_int }, { 0 } },
};
static const QmpType key_name = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "data", &qmp_str }, { 0 } },
};
static const QmpType key_value = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "type", &key_kind }, { 0 } },
    .tag = "type",
    .variants = (const QmpVariant[]){ { "number", &key_number }, { "qcode", &key_name }, { 0 } },
};
static const QmpType send_key_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "keys", &key_value, false, true },
                                    { "hold-time", &qmp_int, true },
                                    { 0 } },
};

/* The code of a KeyValue, or 0. */
static unsigned key_code(JsonObject *key, GError **error)
{
    unsigned code = 0;

    if (!strcmp(json_object_get_string_member(key, "type"), "qcode")) {
        const char *name = json_object_get_string_member(key, "data");
        code = keys_by_name(name);
        if (!code) {
            set_error(error, "there is no key '%s'", name);
        }
        return code;
    }
    int64_t number = int_or(key, "data", 0);
    code = number > 0 && number <= UINT8_MAX ? keys_by_set1((unsigned)number) : 0;
    if (!code) {
        set_error(error, "there is no key with the number %" G_GINT64_FORMAT, number);
    }
    return code;
}

void qmp_input_release(Qmp *qmp)
{
    QmpHold *hold = &qmp->hold;

    for (unsigned i = hold->n; i > 0; i--) {
        input_key(vm_input(qmp->vm), hold->codes[i - 1], false);
    }
    hold->n = 0;
    if (hold->source) {
        g_source_remove(hold->source);
        hold->source = 0;
    }
}

static gboolean on_release(gpointer data)
{
    Qmp *qmp = data;

    qmp->hold.source = 0;
    qmp_input_release(qmp);
    return G_SOURCE_REMOVE;
}

static JsonNode *send_key(QmpCall *call, GError **error)
{
    Qmp *qmp = qmp_of(call);
    JsonArray *keys = json_object_get_array_member(call->args, "keys");
    int64_t hold_ms = int_or(call->args, "hold-time", HOLD_MS);
    unsigned codes[QMP_HOLD_MAX], n = json_array_get_length(keys);

    if (n > QMP_HOLD_MAX || hold_ms < 0 || hold_ms > HOLD_MAX_MS) {
        set_error(error, "send-key takes up to %d keys, and holds them up to %d ms", QMP_HOLD_MAX,
                  HOLD_MAX_MS);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        codes[i] = key_code(json_array_get_object_element(keys, i), error);
        if (!codes[i]) {
            return NULL;
        }
    }
    qmp_input_release(qmp);
    for (unsigned i = 0; i < n; i++) {
        input_key(vm_input(qmp->vm), codes[i], true);
        qmp->hold.codes[qmp->hold.n++] = codes[i];
    }
    qmp->hold.source = g_timeout_add((guint)hold_ms, on_release, qmp);
    return NULL;
}

/* ---- input-send-event ---- */

static const char *const button_words[] = { "left",       "middle", "right", "wheel-up",
                                            "wheel-down", "side",   "extra", NULL };
static const QmpType button_type = { .meta = QMP_ENUM, .words = button_words };
static const char *const axis_words[] = { "x", "y", NULL };
static const QmpType axis_type = { .meta = QMP_ENUM, .words = axis_words };

static const QmpType key_event = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "key", &key_value }, { "down", &qmp_bool }, { 0 } },
};
static const QmpType button_event = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "button", &button_type }, { "down", &qmp_bool }, { 0 } },
};
static const QmpType move_event = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "axis", &axis_type }, { "value", &qmp_int }, { 0 } },
};
static const QmpType key_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "data", &key_event }, { 0 } },
};
static const QmpType button_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "data", &button_event }, { 0 } },
};
static const QmpType move_data = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "data", &move_event }, { 0 } },
};
static const char *const event_words[] = { "key", "btn", "rel", "abs", NULL };
static const QmpType event_kind = { .meta = QMP_ENUM, .words = event_words };
static const QmpType input_event = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "type", &event_kind }, { 0 } },
    .tag = "type",
    .variants = (const QmpVariant[]){ { "key", &key_data },
                                      { "btn", &button_data },
                                      { "rel", &move_data },
                                      { "abs", &move_data },
                                      { 0 } },
};
static const QmpType send_event_args = {
    .meta = QMP_OBJECT,
    .members = (const QmpMember[]){ { "device", &qmp_str, true },
                                    { "head", &qmp_int, true },
                                    { "events", &input_event, false, true },
                                    { 0 } },
};

/* What the events of one command add up to. */
typedef struct Gathered {
    int dx, dy, wheel;
    bool moved, placed, clicked;
} Gathered;

static void gather_button(Qmp *qmp, JsonObject *data, Gathered *all)
{
    static const struct {
        const char *word;
        unsigned button;
        int wheel;
    } buttons[] = {
        { "left", INPUT_LEFT, 0 },   { "middle", INPUT_MIDDLE, 0 }, { "right", INPUT_RIGHT, 0 },
        { "wheel-up", 0, 1 },        { "wheel-down", 0, -1 },       { "side", INPUT_SIDE, 0 },
        { "extra", INPUT_EXTRA, 0 },
    };
    const char *word = json_object_get_string_member(data, "button");
    bool down = json_object_get_boolean_member(data, "down");

    for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if (!strcmp(word, buttons[i].word)) {
            all->wheel += down ? buttons[i].wheel : 0;
            qmp->pointer.buttons &= ~buttons[i].button;
            qmp->pointer.buttons |= down ? buttons[i].button : 0;
        }
    }
    all->clicked = true;
}

static void gather_move(Qmp *qmp, JsonObject *data, bool absolute, Gathered *all)
{
    bool x = !strcmp(json_object_get_string_member(data, "axis"), "x");
    int value = (int)CLAMP(int_or(data, "value", 0), -AXIS, AXIS);

    if (absolute) {
        *(x ? &qmp->pointer.x : &qmp->pointer.y) = MAX(value, 0);
        all->placed = true;
    } else {
        *(x ? &all->dx : &all->dy) = CLAMP(*(x ? &all->dx : &all->dy) + value, -AXIS, AXIS);
        all->moved = true;
    }
}

static bool take_event(Qmp *qmp, JsonObject *event, Gathered *all, GError **error)
{
    const char *type = json_object_get_string_member(event, "type");
    JsonObject *data = json_object_get_object_member(event, "data");

    if (!strcmp(type, "key")) {
        unsigned code = key_code(json_object_get_object_member(data, "key"), error);
        input_key(vm_input(qmp->vm), code, json_object_get_boolean_member(data, "down"));
        return code != 0;
    }
    if (!strcmp(type, "btn")) {
        gather_button(qmp, data, all);
    } else {
        gather_move(qmp, data, !strcmp(type, "abs"), all);
    }
    return true;
}

static JsonNode *send_event(QmpCall *call, GError **error)
{
    Qmp *qmp = qmp_of(call);
    JsonArray *events = json_object_get_array_member(call->args, "events");
    Gathered all = { 0 };

    if (!check_head(call, error)) {
        return NULL;
    }
    for (guint i = 0; i < json_array_get_length(events); i++) {
        if (!take_event(qmp, json_array_get_object_element(events, i), &all, error)) {
            return NULL;
        }
    }
    if (all.placed) {
        const InputPosition at = { qmp->pointer.x, qmp->pointer.y, AXIS, AXIS };
        input_pointer_at(vm_input(qmp->vm), &at, qmp->pointer.buttons, all.wheel);
    } else if (all.moved || all.clicked) {
        input_pointer_by(vm_input(qmp->vm), all.dx, all.dy, qmp->pointer.buttons, all.wheel);
    }
    return NULL;
}

const QmpCommand qmp_input_commands[] = {
    { "input-send-event", &send_event_args, NULL, false, send_event },
    { "screendump", &screendump_args, NULL, false, screendump },
    { "send-key", &send_key_args, NULL, false, send_key },
    { 0 },
};
