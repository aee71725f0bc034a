/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names, UUIDs and MAC addresses, see identity.h.
 */
#include "config/identity.h"

#include <glib.h>
#include <string.h>
#include <sys/random.h>

#include "config/limits.h"

enum { MAC_TEXT_SIZE = MAC_SIZE * 3 - 1, MAC_GROUP = 1 };

/* Bytes of an UUID before which a dash stands. */
static bool has_dash(unsigned byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

static void random_bytes(uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = getrandom(bytes + done, size - done, 0);
        done += n > 0 ? (size_t)n : 0;
    }
}

/* The byte that two digits say; -1: they aren't digits. */
static int byte_at(const char *text)
{
    int high = g_ascii_xdigit_value(text[0]);
    int low = high < 0 ? -1 : g_ascii_xdigit_value(text[1]);

    return low < 0 ? -1 : high << 4 | low;
}

bool name_valid(const char *name)
{
    size_t length = strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._+-");

    return length > 0 && !name[length] && length <= CONFIG_NAME_MAX && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

bool uuid_parse(const char *text, uint8_t ret_uuid[UUID_SIZE])
{
    uint8_t uuid[UUID_SIZE];

    if (strlen(text) != UUID_TEXT_SIZE) {
        return false;
    }
    for (unsigned i = 0; i < UUID_SIZE; i++) {
        if (has_dash(i) && *text++ != '-') {
            return false;
        }
        int byte = byte_at(text);
        if (byte < 0) {
            return false;
        }
        uuid[i] = (uint8_t)byte;
        text += 2;
    }
    memcpy(ret_uuid, uuid, UUID_SIZE);
    return true;
}

char *uuid_format(const uint8_t uuid[UUID_SIZE])
{
    GString *text = g_string_sized_new(UUID_TEXT_SIZE);

    for (unsigned i = 0; i < UUID_SIZE; i++) {
        g_string_append_printf(text, "%s%02x", has_dash(i) ? "-" : "", uuid[i]);
    }
    return g_string_free(text, FALSE);
}

void uuid_make(uint8_t ret_uuid[UUID_SIZE])
{
    random_bytes(ret_uuid, UUID_SIZE);
    ret_uuid[6] = (uint8_t)((ret_uuid[6] & 0x0f) | 0x40); /* RFC 4122, 4.4: version 4 */
    ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3f) | 0x80);
}

bool mac_parse(const char *text, uint8_t ret_mac[MAC_SIZE])
{
    uint8_t mac[MAC_SIZE];

    if (strlen(text) != MAC_TEXT_SIZE) {
        return false;
    }
    for (unsigned i = 0; i < MAC_SIZE; i++) {
        int byte = byte_at(text + (size_t)i * 3);
        if (byte < 0 || (i > 0 && text[(size_t)i * 3 - 1] != ':')) {
            return false;
        }
        mac[i] = (uint8_t)byte;
    }
    memcpy(ret_mac, mac, MAC_SIZE);
    return true;
}

char *mac_format(const uint8_t mac[MAC_SIZE])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

bool mac_is_group(const uint8_t mac[MAC_SIZE])
{
    return mac[0] & MAC_GROUP;
}

void mac_make(uint8_t ret_mac[MAC_SIZE])
{
    static const uint8_t prefix[] = { 0x52, 0x54, 0x00 };

    random_bytes(ret_mac, MAC_SIZE);
    memcpy(ret_mac, prefix, sizeof(prefix));
}
