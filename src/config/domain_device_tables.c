/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes of devices that people use, and of the small ones, see domain_tables.h.
 *
 * Threads: constant.
 */
#include "config/domain_tables.h"

#include <string.h>

#include "config/domain.h"

static bool check_char(const XmlNode *node, const void *what, GError **error);
static bool check_graphics(const XmlNode *node, const void *what, GError **error);
static bool check_rng(const XmlNode *node, const void *what, GError **error);

/* --- character devices --- */

static const char *const char_types[] = { "", "pty", "unix", "file", "null", "spicevmc", NULL };
static const char *const char_modes[] = { "", "bind", "connect", NULL };

static const XmlRow char_source_rows[] = {
    { ROW_ATTRIBUTE, "mode", ROW_WORD, offsetof(DomainCharSource, mode), .words = char_modes },
    { ROW_ATTRIBUTE, "path", ROW_TEXT, offsetof(DomainCharSource, path) },
    { ROW_ATTRIBUTE, "append", ROW_ON, offsetof(DomainCharSource, append) },
    { ROW_ATTRIBUTE, "channel", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "host", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ATTRIBUTE, "service", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ATTRIBUTE, "tls", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ELEMENT, "reconnect", ROW_REFUSED, 0, .note = "connections are not made again" },
    { ROW_ELEMENT, "seclabel", ROW_KEPT, 0 },
    { 0 },
};
const XmlShape domain_char_source_shape = { sizeof(DomainCharSource), char_source_rows };

static const XmlRow char_model_rows[] = {
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainCharModel, name) },
    { 0 },
};
static const XmlShape char_model_shape = { sizeof(DomainCharModel), char_model_rows };

static const XmlRow char_target_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_TEXT, offsetof(DomainCharTarget, type) },
    { ROW_ATTRIBUTE, "name", ROW_TEXT, offsetof(DomainCharTarget, name) },
    { ROW_ATTRIBUTE, "port", ROW_NUMBER, offsetof(DomainCharTarget, port), .min = 0, .max = 255 },
    { ROW_ATTRIBUTE, "state", ROW_TEXT, offsetof(DomainCharTarget, state), .flags = ROW_LIVE },
    { ROW_ATTRIBUTE, "address", ROW_REFUSED, 0, .note = "there is no such channel" },
    { ROW_ELEMENT, "model", ROW_ONE, offsetof(DomainCharTarget, model),
      .shape = &char_model_shape },
    { 0 },
};
static const XmlShape char_target_shape = { sizeof(DomainCharTarget), char_target_rows };

static const XmlRow domain_serial_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainChar, type), .words = char_types,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(DomainChar, source),
      .shape = &domain_char_source_shape },
    { ROW_ELEMENT, "protocol", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ELEMENT, "log", ROW_REFUSED, 0,
      .note = "there is no copy of it in a file: use type='file'" },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainChar, target), .shape = &char_target_shape },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_serial_shape = { sizeof(DomainChar), domain_serial_rows,
                                       .check = check_char };

static const XmlRow domain_console_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainChar, type), .words = char_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "tty", ROW_TEXT, offsetof(DomainChar, tty), .flags = ROW_LIVE },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(DomainChar, source),
      .shape = &domain_char_source_shape },
    { ROW_ELEMENT, "protocol", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ELEMENT, "log", ROW_REFUSED, 0,
      .note = "there is no copy of it in a file: use type='file'" },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainChar, target), .shape = &char_target_shape },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_console_shape = { sizeof(DomainChar), domain_console_rows,
                                        .check = check_char };

static const XmlRow domain_channel_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainChar, type), .words = char_types,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "source", ROW_ONE, offsetof(DomainChar, source),
      .shape = &domain_char_source_shape },
    { ROW_ELEMENT, "protocol", ROW_REFUSED, 0, .note = "there are no consoles on networks" },
    { ROW_ELEMENT, "log", ROW_REFUSED, 0,
      .note = "there is no copy of it in a file: use type='file'" },
    { ROW_ELEMENT, "target", ROW_ONE, offsetof(DomainChar, target), .shape = &char_target_shape },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_channel_shape = { sizeof(DomainChar), domain_channel_rows };

/* --- screen, keyboard, mouse --- */

static const char *const input_types[] = { "", "mouse", "tablet", "keyboard", NULL };
static const char *const input_buses[] = { "", "ps2", "usb", "virtio", NULL };
static const char *const graphics_types[] = { "", "vnc", NULL };
static const char *const listen_types[] = { "", "address", "socket", "none", NULL };
static const char *const video_types[] = { "", "vga", "bochs", "virtio", "none", NULL };

static const XmlRow domain_input_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainInput, type), .words = input_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "bus", ROW_WORD, offsetof(DomainInput, bus), .words = input_buses,
      .note = "tablets of the USB are virtio tablets here" },
    { ROW_ATTRIBUTE, "model", ROW_KEPT, 0 },
    { ROW_ELEMENT, "driver", ROW_KEPT, 0 },
    { ROW_ELEMENT, "source", ROW_REFUSED, 0, .note = "there is no passing through" },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_input_shape = { sizeof(DomainInput), domain_input_rows };

static const XmlRow listen_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainListen, type), .words = listen_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "address", ROW_TEXT, offsetof(DomainListen, address) },
    { ROW_ATTRIBUTE, "network", ROW_REFUSED, 0, .note = "name an address instead" },
    { ROW_ATTRIBUTE, "socket", ROW_TEXT, offsetof(DomainListen, socket) },
    { 0 },
};
static const XmlShape listen_shape = { sizeof(DomainListen), listen_rows };

static const XmlRow domain_graphics_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainGraphics, type), .words = graphics_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "socket", ROW_TEXT, offsetof(DomainGraphics, socket) },
    { ROW_ATTRIBUTE, "port", ROW_NUMBER, offsetof(DomainGraphics, port), .min = -1, .max = 65535 },
    { ROW_ATTRIBUTE, "autoport", ROW_YES, offsetof(DomainGraphics, autoport) },
    { ROW_ATTRIBUTE, "websocket", ROW_REFUSED, 0, .note = "there are no web sockets" },
    { ROW_ATTRIBUTE, "listen", ROW_TEXT, offsetof(DomainGraphics, listen) },
    { ROW_ATTRIBUTE, "keymap", ROW_TEXT, offsetof(DomainGraphics, keymap),
      .note = "kept: keys have their own codes" },
    { ROW_ATTRIBUTE, "passwd", ROW_TEXT, offsetof(DomainGraphics, passwd), .flags = ROW_SECRET },
    { ROW_ATTRIBUTE, "passwdValidTo", ROW_TEXT, offsetof(DomainGraphics, valid_to),
      .flags = ROW_SECRET },
    { ROW_ATTRIBUTE, "connected", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "sharePolicy", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "powerControl", ROW_REFUSED, 0, .note = "viewers don't switch machines off" },
    { ROW_ELEMENT, "listen", ROW_MANY, offsetof(DomainGraphics, listens), .shape = &listen_shape },
    { ROW_ELEMENT, "gl", ROW_KEPT, 0 },
    { ROW_ELEMENT, "audio", ROW_KEPT, 0 },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { 0 },
};
const XmlShape domain_graphics_shape = { sizeof(DomainGraphics), domain_graphics_rows,
                                         .check = check_graphics };

static const XmlRow video_model_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_WORD, offsetof(DomainVideoModel, type), .words = video_types,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "ram", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "vram", ROW_NUMBER, offsetof(DomainVideoModel, vram), .note = "kept: 16 MiB" },
    { ROW_ATTRIBUTE, "vram64", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "vgamem", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "heads", ROW_NUMBER, offsetof(DomainVideoModel, heads), .min = 0, .max = 16,
      .note = "kept: there is one" },
    { ROW_ATTRIBUTE, "primary", ROW_YES, offsetof(DomainVideoModel, primary) },
    { ROW_ATTRIBUTE, "blob", ROW_KEPT, 0 },
    { ROW_ELEMENT, "acceleration", ROW_KEPT, 0, .note = "there is none" },
    { ROW_ELEMENT, "resolution", ROW_KEPT, 0 },
    { 0 },
};
static const XmlShape video_model_shape = { sizeof(DomainVideoModel), video_model_rows };

static const XmlRow domain_video_rows[] = {
    { ROW_ELEMENT, "driver", ROW_KEPT, 0 },
    { ROW_ELEMENT, "model", ROW_ONE, offsetof(DomainVideo, model), .shape = &video_model_shape },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_video_shape = { sizeof(DomainVideo), domain_video_rows };

/* --- the rest --- */

static const char *const watchdog_models[] = { "", "i6300esb", NULL };
static const char *const watchdog_actions[] = { "",     "reset",    "poweroff", "pause",
                                                "none", "shutdown", NULL };
static const char *const balloon_models[] = { "", "virtio", "none", NULL };
static const char *const rng_models[] = { "", "virtio", NULL };
static const char *const rng_backends[] = { "", "random", "builtin", NULL };
static const char *const panic_models[] = { "", "isa", NULL };

static const XmlRow domain_sound_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "multichannel", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "streams", ROW_KEPT, 0 },
    { ROW_ELEMENT, "codec", ROW_KEPT, 0 },
    { ROW_ELEMENT, "audio", ROW_KEPT, 0 },
    { ROW_ELEMENT, "driver", ROW_KEPT, 0 },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_sound_shape = { sizeof(DomainOther), domain_sound_rows };

static const XmlRow domain_redirdev_rows[] = {
    { ROW_ATTRIBUTE, "bus", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "type", ROW_KEPT, 0 },
    { ROW_ELEMENT, "source", ROW_KEPT, 0 },
    { ROW_ELEMENT, "protocol", ROW_KEPT, 0 },
    { ROW_ELEMENT, "target", ROW_KEPT, 0 },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_redirdev_shape = { sizeof(DomainOther), domain_redirdev_rows };

static const XmlRow domain_hub_rows[] = {
    { ROW_ATTRIBUTE, "type", ROW_KEPT, 0 },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_hub_shape = { sizeof(DomainOther), domain_hub_rows };

static const XmlRow domain_watchdog_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_WORD, offsetof(DomainWatchdog, model), .words = watchdog_models,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "action", ROW_WORD, offsetof(DomainWatchdog, action),
      .words = watchdog_actions },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_watchdog_shape = { sizeof(DomainWatchdog), domain_watchdog_rows };

static const XmlRow stats_rows[] = {
    { ROW_ATTRIBUTE, "period", ROW_NUMBER, offsetof(DomainBalloonStats, period), .min = 0,
      .max = 2147483647 },
    { 0 },
};
static const XmlShape stats_shape = { sizeof(DomainBalloonStats), stats_rows };

static const XmlRow domain_balloon_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_WORD, offsetof(DomainBalloon, model), .words = balloon_models,
      .flags = ROW_REQUIRED },
    { ROW_ATTRIBUTE, "autodeflate", ROW_KEPT, 0 },
    { ROW_ATTRIBUTE, "freePageReporting", ROW_KEPT, 0 },
    { ROW_ELEMENT, "stats", ROW_ONE, offsetof(DomainBalloon, stats), .shape = &stats_shape },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { ROW_ELEMENT, "driver", ROW_KEPT, 0 },
    { 0 },
};
const XmlShape domain_balloon_shape = { sizeof(DomainBalloon), domain_balloon_rows };

static const XmlRow backend_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_WORD, offsetof(DomainRngBackend, model), .words = rng_backends,
      .flags = ROW_REQUIRED },
    { ROW_CONTENT, NULL, ROW_TEXT, offsetof(DomainRngBackend, path) },
    { 0 },
};
static const XmlShape backend_shape = { sizeof(DomainRngBackend), backend_rows,
                                        .check = check_rng };

static const XmlRow domain_rng_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_WORD, offsetof(DomainRng, model), .words = rng_models,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "rate", ROW_KEPT, 0, .note = "there is a limit of our own" },
    { ROW_ELEMENT, "backend", ROW_ONE, offsetof(DomainRng, backend), .shape = &backend_shape,
      .flags = ROW_REQUIRED },
    { ROW_ELEMENT, "driver", ROW_KEPT, 0 },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_rng_shape = { sizeof(DomainRng), domain_rng_rows };

static const XmlRow domain_panic_rows[] = {
    { ROW_ATTRIBUTE, "model", ROW_WORD, offsetof(DomainPanic, model), .words = panic_models },
    { ROW_ELEMENT, "boot", ROW_ONE, offsetof(DomainDevice, boot), .shape = &domain_order_shape },
    { ROW_ELEMENT, "alias", ROW_ONE, offsetof(DomainDevice, alias), .shape = &domain_alias_shape },
    { ROW_ELEMENT, "address", ROW_CUSTOM, offsetof(DomainDevice, address),
      .custom = &domain_address_custom },
    { 0 },
};
const XmlShape domain_panic_shape = { sizeof(DomainPanic), domain_panic_rows };

/* --- what one row can't say --- */

static bool check_char(const XmlNode *node, const void *what, GError **error)
{
    const DomainChar *device = what;
    bool path = device->source && device->source->path;

    if (device->type == DOMAIN_CHAR_FILE && !path) {
        return xml_error(node, error, "it names no file: <source path='PATH'/>");
    }
    if (device->type == DOMAIN_CHAR_SPICEVMC) {
        return xml_unsupported(node, error, "there is no SPICE");
    }
    return true;
}

static bool check_graphics(const XmlNode *node, const void *what, GError **error)
{
    const DomainGraphics *screen = what;
    const DomainListen *first =
        screen->listens->len > 0 ? g_ptr_array_index(screen->listens, 0) : NULL;

    if (screen->listens->len > 1) {
        return xml_unsupported(node, error, "it has more than one <listen>");
    }
    if (first && screen->listen && first->address && strcmp(first->address, screen->listen) != 0) {
        return xml_error(node, error, "attribute 'listen' and <listen> name two addresses");
    }
    return true;
}

static bool check_rng(const XmlNode *node, const void *what, GError **error)
{
    static const char *const paths[] = { "/dev/urandom", "/dev/random", "/dev/hwrng", NULL };
    const DomainRngBackend *backend = what;

    if (backend->path && *backend->path && !g_strv_contains(paths, backend->path)) {
        return xml_unsupported(node, error, "its text '%s' must be /dev/urandom or /dev/random",
                               backend->path);
    }
    return true;
}
