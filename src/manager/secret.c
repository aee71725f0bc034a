/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets, see secret.h.
 */
#include "manager/secret.h"

#include <string.h>

#include "common/error.h"
#include "config/identity.h"
#include "manager/event.h"
#include "manager/storage_limits.h"
#include "manager/store.h"

#define SUFFIX_XML   ".xml"
#define SUFFIX_VALUE ".value"

enum { LIST_EPHEMERAL = 1, LIST_NO_EPHEMERAL = 2, LIST_PRIVATE = 4, LIST_NO_PRIVATE = 8 };

/* libvirt's numbers of what happens to a secret. */
typedef enum SecretEvent { SECRET_DEFINED, SECRET_UNDEFINED } SecretEvent;

typedef struct Secret {
    SecretConfig *config;
    uint8_t *value; /* NULL: it has none */
    size_t n;
} Secret;

struct Secrets {
    char *definitions; /* fixed after create */
    Events *events;    /* fixed after create */
    GMutex lock;
    GPtrArray *all; /* of Secret; owns them.  lock: .lock */
};

/* --- one secret; from here on the lock is held, but in functions of secret.h --- */

static void forget_bytes(void *bytes, size_t n)
{
    if (bytes) {
        explicit_bzero(bytes, n);
        g_free(bytes);
    }
}

static void secret_free(Secret *secret)
{
    secret_config_free(secret->config);
    forget_bytes(secret->value, secret->n);
    g_free(secret);
}

static char *file_of(const Secrets *secrets, const SecretConfig *config, const char *suffix)
{
    g_autofree char *uuid = uuid_format(config->uuid);

    return g_strdup_printf("%s/%s%s", secrets->definitions, uuid, suffix);
}

static void fill_handle(const SecretConfig *config, RemoteSecret *ret)
{
    memcpy(ret->uuid, config->uuid, sizeof(ret->uuid));
    ret->usage_type = (int32_t)config->usage;
    ret->usage_id = g_strdup(config->usage_id ? config->usage_id : "");
}

static void tell(const Secrets *secrets, const SecretConfig *config, SecretEvent event)
{
    RemoteSecretLifecycleMsg msg = { .event = event };

    if (secrets->events) {
        fill_handle(config, &msg.secret);
        events_secret(secrets->events, &msg.secret, REMOTE_EVENT_SECRET_LIFECYCLE, &msg);
        g_free(msg.secret.usage_id);
    }
}

static void tell_value(const Secrets *secrets, const SecretConfig *config)
{
    RemoteSecretValueChangedMsg msg = { 0 };

    if (secrets->events) {
        fill_handle(config, &msg.secret);
        events_secret(secrets->events, &msg.secret, REMOTE_EVENT_SECRET_VALUE_CHANGED, &msg);
        g_free(msg.secret.usage_id);
    }
}

static Secret *find(const Secrets *secrets, const uint8_t uuid[16], GError **error)
{
    for (unsigned i = 0; i < secrets->all->len; i++) {
        Secret *secret = g_ptr_array_index(secrets->all, i);
        if (!memcmp(secret->config->uuid, uuid, sizeof(secret->config->uuid))) {
            return secret;
        }
    }
    g_autofree char *text = uuid_format(uuid);
    remote_error_set(error, REMOTE_ERR_NO_SECRET,
                     "Secret not found: no secret with matching uuid '%s'", text);
    return NULL;
}

static Secret *find_usage(const Secrets *secrets, int32_t usage, const char *id)
{
    for (unsigned i = 0; i < secrets->all->len; i++) {
        Secret *secret = g_ptr_array_index(secrets->all, i);
        if ((int32_t)secret->config->usage == usage && usage != SECRET_NONE &&
            !g_strcmp0(secret->config->usage_id, id)) {
            return secret;
        }
    }
    return NULL;
}

/* --- looking up --- */

bool secrets_by_uuid(Secrets *secrets, const uint8_t uuid[16], RemoteSecret *ret, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    const Secret *secret = find(secrets, uuid, error);

    if (secret) {
        fill_handle(secret->config, ret);
    }
    return secret != NULL;
}

bool secrets_by_usage(Secrets *secrets, int32_t usage, const char *id, RemoteSecret *ret,
                      GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    const Secret *secret = find_usage(secrets, usage, id);

    if (secret) {
        fill_handle(secret->config, ret);
    } else {
        remote_error_set(error, REMOTE_ERR_NO_SECRET,
                         "Secret not found: no secret with matching usage '%s'", id);
    }
    return secret != NULL;
}

/* Whether a bit of the group says so, or none of the group is set. */
static bool group_fits(uint32_t flags, uint32_t yes, uint32_t no, bool is)
{
    return !(flags & (yes | no)) || (flags & (is ? yes : no));
}

static int by_uuid(gconstpointer a, gconstpointer b)
{
    const RemoteSecret *left = a, *right = b;

    return memcmp(left->uuid, right->uuid, sizeof(left->uuid));
}

RemoteSecret *secrets_list(Secrets *secrets, uint32_t flags, uint32_t *ret_n)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    GArray *list = g_array_new(FALSE, TRUE, sizeof(RemoteSecret));

    for (unsigned i = 0; i < secrets->all->len; i++) {
        const Secret *secret = g_ptr_array_index(secrets->all, i);
        if (group_fits(flags, LIST_EPHEMERAL, LIST_NO_EPHEMERAL, secret->config->ephemeral) &&
            group_fits(flags, LIST_PRIVATE, LIST_NO_PRIVATE, secret->config->private)) {
            RemoteSecret handle = { 0 };
            fill_handle(secret->config, &handle);
            g_array_append_val(list, handle);
        }
    }
    g_array_sort(list, by_uuid);
    *ret_n = list->len;
    return (RemoteSecret *)(void *)g_array_free(list, FALSE);
}

/* --- defining --- */

/* Whether @config may be that of a new secret, or of one that there is (*@ret_secret). */
static bool match(const Secrets *secrets, const SecretConfig *config, Secret **ret_secret,
                  GError **error)
{
    Secret *same = config->has_uuid ? find(secrets, config->uuid, NULL) : NULL;
    Secret *used = find_usage(secrets, (int32_t)config->usage, config->usage_id);
    g_autofree char *uuid = same || used ? uuid_format((same ? same : used)->config->uuid) : NULL;

    if (used && used != same) {
        g_autofree char *other = uuid_format(used->config->uuid);
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: a secret with UUID %s already defined for use with %s",
                         other, config->usage_id);
        return false;
    }
    if (same && !used && (same->config->usage != config->usage || config->usage != SECRET_NONE)) {
        remote_error_set(error, REMOTE_ERR_INTERNAL,
                         "internal error: a secret with UUID %s is already defined for use with %s",
                         uuid, same->config->usage_id ? same->config->usage_id : "");
        return false;
    }
    if (same && same->config->private && !config->private) {
        remote_error_set(error, REMOTE_ERR_OPERATION_DENIED,
                         "operation denied: cannot change private flag on existing secret");
        return false;
    }
    if (!same && secrets->all->len >= SECRETS_MAX) {
        remote_error_set(error, REMOTE_ERR_OPERATION_FAILED,
                         "operation failed: there are %d secrets, which is all there may be",
                         SECRETS_MAX);
        return false;
    }
    *ret_secret = same;
    return true;
}

/* Bring the value of an ephemeral secret to no file, that of another to its own. */
static bool write_value(const Secrets *secrets, const SecretConfig *config, const uint8_t *value,
                        size_t n, GError **error)
{
    g_autofree char *path = file_of(secrets, config, SUFFIX_VALUE);

    if (config->ephemeral || !value) {
        return store_remove(path, error);
    }
    char *text = g_base64_encode(value, n);
    bool done = store_write(path, text, error);
    forget_bytes(text, strlen(text));
    return done;
}

static bool write_config(const Secrets *secrets, const SecretConfig *config, GError **error)
{
    g_autofree char *path = file_of(secrets, config, SUFFIX_XML);
    g_autofree char *xml = secret_config_format(config);

    return config->ephemeral ? store_remove(path, error) : store_write(path, xml, error);
}

bool secrets_define(Secrets *secrets, const char *xml, RemoteSecret *ret, GError **error)
{
    g_autoptr(SecretConfig) config = secret_config_parse(xml, error);
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    Secret *secret = NULL;

    if (!config || !match(secrets, config, &secret, error)) {
        return false;
    }
    if (!config->has_uuid) {
        uuid_make(config->uuid);
        config->has_uuid = true;
    }
    if (secret && secret->config->ephemeral != config->ephemeral &&
        !write_value(secrets, config, secret->value, secret->n, error)) {
        return false;
    }
    if (!write_config(secrets, config, error)) {
        return false;
    }
    if (!secret) {
        secret = g_new0(Secret, 1);
        g_ptr_array_add(secrets->all, secret);
    }
    secret_config_free(secret->config);
    secret->config = g_steal_pointer(&config);
    fill_handle(secret->config, ret);
    tell(secrets, secret->config, SECRET_DEFINED);
    return true;
}

bool secrets_undefine(Secrets *secrets, const RemoteSecret *handle, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    Secret *secret = find(secrets, handle->uuid, error);

    if (!secret) {
        return false;
    }
    g_autofree char *xml = file_of(secrets, secret->config, SUFFIX_XML);
    g_autofree char *value = file_of(secrets, secret->config, SUFFIX_VALUE);
    if (!store_remove(value, error) || !store_remove(xml, error)) {
        return false;
    }
    tell(secrets, secret->config, SECRET_UNDEFINED);
    g_ptr_array_remove(secrets->all, secret);
    return true;
}

char *secrets_xml(Secrets *secrets, const RemoteSecret *handle, GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    const Secret *secret = find(secrets, handle->uuid, error);

    return secret ? secret_config_format(secret->config) : NULL;
}

/* --- values --- */

bool secrets_set_value(Secrets *secrets, const RemoteSecret *handle, const uint8_t *value, size_t n,
                       GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    Secret *secret = find(secrets, handle->uuid, error);

    if (!secret) {
        return false;
    }
    if (n > SECRET_VALUE_MAX) {
        remote_error_set(error, REMOTE_ERR_INVALID_ARG,
                         "invalid argument: a secret's value has at most %d bytes",
                         SECRET_VALUE_MAX);
        return false;
    }
    /* One byte more: a value may be empty, but is there. */
    uint8_t *copy = g_malloc0(n + 1);
    if (n) {
        memcpy(copy, value, n);
    }
    if (!write_value(secrets, secret->config, copy, n, error)) {
        forget_bytes(copy, n);
        return false;
    }
    forget_bytes(secret->value, secret->n);
    secret->value = copy;
    secret->n = n;
    tell_value(secrets, secret->config);
    return true;
}

uint8_t *secrets_get_value(Secrets *secrets, const RemoteSecret *handle, uint32_t *ret_n,
                           GError **error)
{
    G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&secrets->lock);
    const Secret *secret = find(secrets, handle->uuid, error);

    if (!secret) {
        return NULL;
    }
    if (secret->config->private) {
        remote_error_set(error, REMOTE_ERR_INVALID_SECRET, "Invalid secret: secret is private");
        return NULL;
    }
    if (!secret->value) {
        g_autofree char *uuid = uuid_format(secret->config->uuid);
        remote_error_set(error, REMOTE_ERR_NO_SECRET,
                         "Secret not found: secret '%s' does not have a value", uuid);
        return NULL;
    }
    uint8_t *copy = g_malloc(secret->n + 1);
    memcpy(copy, secret->value, secret->n + 1);
    *ret_n = (uint32_t)secret->n;
    return copy;
}

/* --- the begin --- */

static void read_value(const Secrets *secrets, Secret *secret)
{
    g_autofree char *path = file_of(secrets, secret->config, SUFFIX_VALUE);
    g_autoptr(GError) error = NULL;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        return;
    }
    char *text = store_read(path, &error);
    if (!text) {
        g_warning("the value of a secret is left out: %s", error->message);
        return;
    }
    size_t length = strlen(text), n = 0;
    uint8_t *value = g_base64_decode(text, &n);
    forget_bytes(text, length);
    if (n <= SECRET_VALUE_MAX) {
        secret->value = g_realloc(value, n + 1);
        secret->n = n;
    } else {
        forget_bytes(value, n);
    }
}

static void read_one(Secrets *secrets, const StoreFile *file)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SecretConfig) config = file->text ? secret_config_parse(file->text, &error) : NULL;
    Secret *secret = NULL;

    if (!config || !config->has_uuid || !match(secrets, config, &secret, &error) || secret) {
        g_warning("secret '%s' is left out: %s", file->name,
                  error       ? error->message
                  : file->why ? file->why
                              : "its file doesn't say a UUID of its own");
        return;
    }
    secret = g_new0(Secret, 1);
    secret->config = g_steal_pointer(&config);
    read_value(secrets, secret);
    g_ptr_array_add(secrets->all, secret);
}

Secrets *secrets_new(const char *definitions, Events *events, GError **error)
{
    store_folder_later(definitions);
    g_autoptr(GPtrArray) files = store_read_all(definitions, SUFFIX_XML, error);
    Secrets *secrets = NULL;

    if (!files) {
        return NULL;
    }
    secrets = g_new0(Secrets, 1);
    g_mutex_init(&secrets->lock);
    secrets->definitions = g_strdup(definitions);
    secrets->events = events;
    secrets->all = g_ptr_array_new_with_free_func((GDestroyNotify)secret_free);
    for (unsigned i = 0; i < files->len; i++) {
        read_one(secrets, g_ptr_array_index(files, i));
    }
    return secrets;
}

void secrets_free(Secrets *secrets)
{
    if (secrets) {
        g_ptr_array_unref(secrets->all);
        g_mutex_clear(&secrets->lock);
        g_free(secrets->definitions);
        g_free(secrets);
    }
}
