/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of storage pools and volumes on folders of their own: what clients do, what others do to
 * the folder meanwhile, and what is refused.
 */
#include "manager/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager/disk_tool.h"
#include "manager/event.h"
#include "manager/folder.h"
#include "manager/volume.h"

/* What a daemon has: folders of its own, and a list of what was told. */
typedef struct Bench {
    char *root, *definitions, *live, *images;
    Pools *pools;
    GString *told; /* "defined default, ..." */
} Bench;

/* events_pool() writes it down. */
static GString *listener;

void events_pool(Events *events, const RemotePool *pool, RemoteEventId event, const void *msg)
{
    static const char *const words[] = { "defined", "undefined", "started",
                                         "stopped", "created",   "deleted" };
    const RemotePoolLifecycleMsg *lifecycle = msg;

    g_string_append_printf(
        listener, "%s %s, ",
        event == REMOTE_EVENT_POOL_REFRESH ? "refreshed" : words[lifecycle->event], pool->name);
}

static void begin(Bench *bench)
{
    PoolsSetup setup = { .definitions = bench->definitions,
                         .live = bench->live,
                         .images = bench->images,
                         .disk_program = g_getenv("INSULA_DISK"),
                         .events = (Events *)bench };
    g_autoptr(GError) error = NULL;

    g_string_truncate(bench->told, 0);
    listener = bench->told;
    bench->pools = pools_new(&setup, &error);
    g_assert_no_error(error);
}

static void end(Bench *bench)
{
    g_clear_pointer(&bench->pools, pools_free);
}

static void set_up(Bench *bench, gconstpointer data)
{
    bench->root = g_dir_make_tmp("insula-pool-XXXXXX", NULL);
    g_assert_nonnull(bench->root);
    bench->definitions = g_build_filename(bench->root, "pools", NULL);
    bench->live = g_build_filename(bench->root, "live", NULL);
    bench->images = g_build_filename(bench->root, "images", NULL);
    bench->told = g_string_new(NULL);
    begin(bench);
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);

    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        remove_tree(inside);
    }
    remove(path);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    end(bench);
    remove_tree(bench->root);
    g_free(bench->root);
    g_free(bench->definitions);
    g_free(bench->live);
    g_free(bench->images);
    g_string_free(bench->told, TRUE);
}

/* --- short words for tests --- */

static Pool *pool_named(Bench *bench, const char *name)
{
    g_autoptr(GError) error = NULL;
    Pool *pool = pools_by_name(bench->pools, name, &error);

    g_assert_no_error(error);
    return pool;
}

static char *in_images(const Bench *bench, const char *name)
{
    return g_build_filename(bench->images, name, NULL);
}

static void write_file(const char *path, const char *text)
{
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_names(Pool *pool, const char *names)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) list = volume_names(pool, &error);
    g_autofree char *joined = list ? g_strjoinv(" ", list) : NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(joined, ==, names);
}

static bool create(Pool *pool, const char *xml, uint32_t flags, GError **error)
{
    g_autoptr(VolumeConfig) config = volume_config_parse(xml, error);

    return config && volume_create(pool, config, flags, NULL, error);
}

static Pool *define(Bench *bench, const char *name, const char *path, GError **error)
{
    g_autofree char *xml = g_strdup_printf(
        "<pool type='dir'><name>%s</name><target><path>%s</path></target></pool>", name, path);
    g_autoptr(PoolConfig) config = pool_config_parse(xml, error);

    return config ? pools_define(bench->pools, config, error) : NULL;
}

static void assert_fails(bool done, GError **error, int code, const char *words)
{
    g_assert_false(done);
    g_assert_nonnull(*error);
    g_test_message("%s", (*error)->message);
    if (code) {
        g_assert_error(*error, REMOTE_ERROR, code);
    }
    g_assert_nonnull(strstr((*error)->message, words));
    g_clear_error(error);
}

/* --- pools --- */

static void test_default(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *path = pool_path(pool);
    g_autofree char *real = realpath(bench->images, NULL);
    PoolRoom room;

    g_assert_true(pool_is_active(pool) && pool_is_persistent(pool) && pool_has_autostart(pool));
    g_assert_cmpstr(path, ==, real);
    g_assert_true(pool_room(pool, &room, NULL));
    g_assert_cmpuint(room.capacity, >, 0);
    g_assert_cmpuint(room.available, <=, room.capacity);
    g_assert_cmpstr(bench->told->str, ==, "");
}

/* Who undefines it, has done so for good. */
static void test_default_gone(Bench *bench, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Pool *pool = pool_named(bench, "default");

    assert_fails(pool_undefine(pool, &error), &error, REMOTE_ERR_OPERATION_INVALID,
                 "storage pool 'default' is still active");
    g_assert_true(pool_stop(pool, NULL) && pool_undefine(pool, NULL));
    assert_fails(pool_start(pool, &error), &error, REMOTE_ERR_NO_STORAGE_POOL, "'default'");
    pool_unref(pool);
    g_assert_cmpstr(bench->told->str, ==, "stopped default, undefined default, ");
    end(bench);
    begin(bench);
    g_assert_null(pools_by_name(bench->pools, "default", &error));
    g_assert_error(error, REMOTE_ERROR, REMOTE_ERR_NO_STORAGE_POOL);
    g_assert_cmpstr(error->message, ==,
                    "Storage pool not found: no storage pool with matching name 'default'");
}

static void test_life(Bench *bench, gconstpointer data)
{
    g_autofree char *path = g_build_filename(bench->root, "a", "b", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Pool) pool = define(bench, "p", path, &error);

    g_assert_no_error(error);
    assert_fails(pool_start(pool, &error), &error, 0, "No such file or directory");
    g_assert_false(pool_is_active(pool));
    g_assert_true(pool_build(pool, &error) && pool_start(pool, &error));
    assert_fails(pool_start(pool, &error), &error, REMOTE_ERR_OPERATION_INVALID,
                 "storage pool 'p' is already active");
    assert_fails(pool_delete(pool, &error), &error, REMOTE_ERR_OPERATION_INVALID, "still active");
    g_assert_true(pool_refresh(pool, &error) && pool_stop(pool, &error));
    assert_fails(pool_refresh(pool, &error), &error, REMOTE_ERR_OPERATION_INVALID,
                 "storage pool 'p' is not active");
    assert_fails(pool_stop(pool, &error), &error, REMOTE_ERR_OPERATION_INVALID, "is not active");
    g_assert_true(pool_delete(pool, &error) && pool_undefine(pool, &error));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpstr(bench->told->str, ==,
                    "defined p, created p, started p, refreshed p, stopped p, deleted p, "
                    "undefined p, ");
}

/* One that isn't empty stays. */
static void test_delete_full(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *file = in_images(bench, "a");
    g_autoptr(GError) error = NULL;

    write_file(file, "x");
    g_assert_true(pool_stop(pool, NULL));
    assert_fails(pool_delete(pool, &error), &error, 0, "Directory not empty");
    g_assert_true(g_file_test(file, G_FILE_TEST_EXISTS));
}

static void test_conflicts(Bench *bench, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Pool) pool = define(bench, "p", "/nowhere/1", &error);
    g_autoptr(Pool) again = define(bench, "p", "/nowhere/2", &error);
    g_autofree char *path = again ? pool_path(again) : NULL;

    g_assert_no_error(error);
    g_assert_true(pool == again);
    g_assert_cmpstr(path, ==, "/nowhere/2");
    assert_fails(define(bench, "q", "/nowhere/2/", &error), &error, REMOTE_ERR_OPERATION_FAILED,
                 "Storage source conflict with pool: 'p'");
    g_autoptr(PoolConfig) config = pool_config_parse(
        "<pool type='dir'><name>p</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"
        "<target><path>/nowhere/3</path></target></pool>",
        NULL);
    assert_fails(pools_define(bench->pools, config, &error), &error, REMOTE_ERR_OPERATION_FAILED,
                 "pool 'p' already exists with uuid");
}

/* Definitions, what was active and what starts by itself outlive the daemon. */
static void test_restart(Bench *bench, gconstpointer data)
{
    g_autofree char *one = g_build_filename(bench->root, "1", NULL);
    g_autofree char *two = g_build_filename(bench->root, "2", NULL);
    g_autoptr(GError) error = NULL;
    Pool *kept = define(bench, "kept", one, &error);
    g_autofree char *xml = g_strdup_printf(
        "<pool type='dir'><name>passing</name><target><path>%s</path></target></pool>", two);
    g_autoptr(PoolConfig) config = pool_config_parse(xml, NULL);
    Pool *passing = pools_create(bench->pools, config, true, &error);

    g_assert_no_error(error);
    g_assert_true(pool_build(kept, NULL) && pool_start(kept, NULL));
    assert_fails(pool_set_autostart(passing, true, &error), &error, REMOTE_ERR_INVALID_ARG,
                 "transient");
    pool_unref(kept);
    pool_unref(passing);
    end(bench);
    begin(bench);
    kept = pool_named(bench, "kept");
    passing = pool_named(bench, "passing");
    g_assert_true(pool_is_active(kept) && pool_is_persistent(kept) && !pool_has_autostart(kept));
    g_assert_true(pool_is_active(passing) && !pool_is_persistent(passing));
    g_assert_true(pool_set_autostart(kept, true, NULL) && pool_stop(kept, NULL));
    g_assert_true(pool_stop(passing, NULL));
    pool_unref(kept);
    pool_unref(passing);
    end(bench);
    begin(bench);
    g_autoptr(Pool) still = pool_named(bench, "kept");
    g_assert_true(pool_is_active(still) && pool_has_autostart(still));
    g_assert_null(pools_by_name(bench->pools, "passing", NULL));
}

/* A definition of an active pool counts from its next start on. */
static void test_redefine(Bench *bench, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Pool) pool = define(bench, "default", "/nowhere", &error);
    g_autofree char *now = pool_xml(pool, false, NULL), *next = pool_xml(pool, true, NULL);

    g_assert_no_error(error);
    g_assert_nonnull(strstr(now, "/images</path>"));
    g_assert_nonnull(strstr(next, "<path>/nowhere</path>"));
    g_assert_true(pool_stop(pool, NULL));
    g_autofree char *then = pool_xml(pool, false, NULL);
    g_assert_nonnull(strstr(then, "<path>/nowhere</path>"));
}

static void test_list(Bench *bench, gconstpointer data)
{
    static const struct {
        uint32_t flags;
        unsigned n;
    } cases[] = { { 0, 2 },  { 1, 1 },  { 2, 1 },  { 3, 2 },      { 4, 2 },     { 8, 0 },
                  { 16, 1 }, { 32, 1 }, { 64, 2 }, { 1 << 7, 0 }, { 2 | 32, 0 } };
    G_GNUC_UNUSED g_autoptr(Pool) pool = define(bench, "p", "/nowhere", NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) list = pools_list(bench->pools, cases[i].flags);
        g_test_message("flags %u", cases[i].flags);
        g_assert_cmpuint(list->len, ==, cases[i].n);
    }
}

/* --- the folder --- */

/* What is no volume isn't listed, or reached. */
static void test_strange_files(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    static const char *const odd[] = { "two\nlines", "escape\x1b[2J", "not\xffutf8" };
    g_autofree char *link = in_images(bench, "link"), *fifo = in_images(bench, "fifo");
    g_autofree char *good = in_images(bench, "a b \xc3\xa9.img"), *folder = in_images(bench, "dir");
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(odd); i++) {
        g_autofree char *path = in_images(bench, odd[i]);
        write_file(path, "x");
    }
    write_file(good, "x");
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(mkdir(folder, 0700), ==, 0);
    g_assert_true(pool_refresh(pool, NULL));
    assert_names(pool, "a b \xc3\xa9.img dir");
    static const char *const names[] = { "link", "fifo",        "../pools", "..",        ".",
                                         "",     "dir/../link", "nothing",  "two\nlines" };
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_null(volume_open(pool, names[i], false, &error));
        assert_fails(false, &error, REMOTE_ERR_NO_STORAGE_VOL, "no storage vol with matching name");
    }
    g_assert_null(volume_open(pool, "dir", false, &error));
    assert_fails(false, &error, REMOTE_ERR_OPERATION_UNSUPPORTED, "not a regular file");
}

/* The folder's name leads elsewhere, when root is asked. */
static void test_linked_folder(Bench *bench, gconstpointer data)
{
    g_autofree char *link = g_build_filename(bench->root, "link", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(symlink(bench->images, link), ==, 0);
    int fd = folder_open(link, &error);
    if (geteuid() == 0) {
        g_assert_cmpint(fd, <, 0);
        assert_fails(false, &error, 0, "symbolic link");
    } else {
        g_assert_cmpint(fd, >=, 0);
        close(fd);
    }
}

/* Others make, replace and remove files while we have the pool. */
static void test_changes(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *path = in_images(bench, "a"), *other = in_images(bench, "b");
    g_autoptr(GError) error = NULL;
    VolumeRoom room;

    assert_names(pool, "");
    write_file(path, "12345");
    g_assert_true(volume_room(pool, "a", &room, NULL)); /* without a refresh */
    g_assert_cmpuint(room.capacity, ==, 5);
    assert_names(pool, "a");
    write_file(other, "123");
    g_assert_cmpint(rename(other, path), ==, 0);
    g_assert_true(volume_room(pool, "a", &room, NULL));
    g_assert_cmpuint(room.capacity, ==, 3);
    g_assert_cmpint(unlink(path), ==, 0);
    assert_fails(volume_room(pool, "a", &room, &error), &error, REMOTE_ERR_NO_STORAGE_VOL,
                 "no storage vol with matching name 'a'");
    assert_names(pool, "");
    g_assert_cmpint(symlink("/etc/passwd", path), ==, 0);
    assert_fails(volume_room(pool, "a", &room, &error), &error, REMOTE_ERR_NO_STORAGE_VOL, "'a'");
    assert_fails(volume_delete(pool, "a", &error), &error, REMOTE_ERR_NO_STORAGE_VOL, "'a'");
}

static void test_paths(Bench *bench, gconstpointer data)
{
    g_autofree char *path = in_images(bench, "a"), *around = in_images(bench, "./../images//a");
    static const char *const wrong[] = { "a", "", "/", "/etc/passwd", "relative/a" };
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;

    write_file(path, "x");
    g_autoptr(Pool) pool = volume_by_path(bench->pools, path, &name, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(name, ==, "a");
    g_clear_pointer(&name, g_free);
    g_autoptr(Pool) same = volume_by_path(bench->pools, around, &name, &error);
    g_assert_true(same == pool);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_null(volume_by_path(bench->pools, wrong[i], &name, &error));
        assert_fails(false, &error, REMOTE_ERR_NO_STORAGE_VOL, "no storage vol with matching path");
    }
}

/* --- volumes --- */

static void test_raw(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autoptr(GError) error = NULL;
    VolumeRoom room;

    g_assert_true(create(pool,
                         "<volume><name>thin</name><capacity unit='M'>8</capacity>"
                         "<allocation>0</allocation></volume>",
                         0, &error));
    g_assert_true(create(pool, "<volume><name>thick</name><capacity unit='M'>8</capacity></volume>",
                         0, &error));
    g_assert_true(volume_room(pool, "thin", &room, &error));
    g_assert_cmpuint(room.capacity, ==, 8 << 20);
    g_assert_cmpuint(room.allocation, <, 1 << 20);
    g_assert_true(volume_room(pool, "thick", &room, &error));
    g_assert_cmpuint(room.allocation, >=, 8 << 20);
    assert_fails(
        create(pool, "<volume><name>thin</name><capacity>1</capacity></volume>", 0, &error), &error,
        REMOTE_ERR_STORAGE_VOL_EXIST, "storage volume 'thin' exists already");
    assert_fails(create(pool, "<volume><name>x</name></volume>", 0, &error), &error,
                 REMOTE_ERR_XML_ERROR, "missing capacity element");
    assert_fails(create(pool,
                        "<volume><name>x</name><capacity>1</capacity><backingStore><path>/a</path>"
                        "<format type='raw'/></backingStore></volume>",
                        0, &error),
                 &error, REMOTE_ERR_CONFIG_UNSUPPORTED, "can't be based on another");
    assert_names(pool, "thick thin");
    g_autofree char *file = in_images(bench, "thin");
    struct stat st;
    g_assert_cmpint(stat(file, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
}

/* What doesn't fit leaves nothing. */
static void test_full(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *file = in_images(bench, "big");
    g_autoptr(GError) error = NULL;
    PoolRoom room;

    g_assert_true(pool_room(pool, &room, NULL));
    g_autofree char *xml = g_strdup_printf("<volume><name>big</name><capacity>%" G_GUINT64_FORMAT
                                           "</capacity></volume>",
                                           room.capacity * 2);
    assert_fails(create(pool, xml, 0, &error), &error, 0, "big");
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
    assert_names(pool, "");
    g_assert_true(pool_stop(pool, NULL));
}

static void test_qcow2(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *base = in_images(bench, "base.qcow2");
    g_autoptr(GError) error = NULL;
    VolumeRoom room;

    g_assert_true(create(pool,
                         "<volume><name>base.qcow2</name><capacity unit='G'>3</capacity>"
                         "<allocation>0</allocation>"
                         "<target><format type='qcow2'/><compat>1.1</compat>"
                         "<features><lazy_refcounts/></features></target></volume>",
                         VOLUME_CREATE_METADATA, &error));
    g_assert_no_error(error);
    g_assert_true(volume_room(pool, "base.qcow2", &room, &error));
    g_assert_cmpuint(room.capacity, ==, UINT64_C(3) << 30);
    g_assert_cmpuint(room.allocation, <, 64 << 20);
    g_autofree char *over = g_strdup_printf(
        "<volume><name>over</name><target><format type='qcow2'/></target><backingStore>"
        "<path>%s</path><format type='qcow2'/></backingStore></volume>",
        base);
    g_assert_true(create(pool, over, 0, &error));
    g_autofree char *xml = volume_xml(pool, "over", &error);
    g_assert_no_error(error);
    g_test_message("%s", xml);
    /* its name doesn't tell that it is qcow2: that was noted down, where the host has such notes */
    g_assert_nonnull(strstr(xml, "<format type='qcow2'/>"));
    g_assert_nonnull(strstr(xml, "<capacity unit='bytes'>3221225472</capacity>"));
    g_autofree char *backing = g_strdup_printf("<backingStore>\n    <path>%s</path>", base);
    g_assert_nonnull(strstr(xml, backing));
}

/* A guest that writes a header into its raw disk changes nothing. */
static void test_format_is_not_guessed(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *evil = in_images(bench, "evil.img"), *real = in_images(bench, "a.qcow2");
    g_autoptr(GError) error = NULL;
    g_autofree char *bytes = NULL;
    gsize size = 0;

    g_assert_true(create(pool,
                         "<volume><name>a.qcow2</name><capacity unit='G'>3</capacity>"
                         "<target><format type='qcow2'/></target></volume>",
                         0, &error));
    g_assert_true(g_file_get_contents(real, &bytes, &size, NULL));
    g_assert_true(g_file_set_contents(evil, bytes, (gssize)size, NULL));
    g_autofree char *xml = volume_xml(pool, "evil.img", &error);
    g_assert_nonnull(strstr(xml, "<format type='raw'/>"));
    /* and what says that it is qcow2, and isn't, is told of as bytes */
    write_file(real, "no image at all");
    g_autofree char *broken = volume_xml(pool, "a.qcow2", &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(broken, "<capacity unit='bytes'>15</capacity>"));
}

static void test_clone(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *from = in_images(bench, "from"), *to = in_images(bench, "to");
    g_autofree char *content = g_strnfill(65536, 'x'), *copied = NULL;
    g_autoptr(GError) error = NULL;
    VolumeSource source = { pool, "from" };
    VolumeRoom room;
    gsize size = 0;

    write_file(from, content);
    g_autoptr(VolumeConfig) same =
        volume_config_parse("<volume><name>to</name><capacity>1</capacity></volume>", NULL);
    g_assert_true(volume_clone(pool, same, &source, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(to, &copied, &size, NULL));
    g_assert_cmpmem(copied, size, content, 65536);
    g_autoptr(VolumeConfig) larger =
        volume_config_parse("<volume><name>q.qcow2</name><capacity unit='M'>5</capacity>"
                            "<target><format type='qcow2'/></target></volume>",
                            NULL);
    g_assert_true(volume_clone(pool, larger, &source, NULL, &error));
    g_assert_true(volume_room(pool, "q.qcow2", &room, &error));
    g_assert_cmpuint(room.capacity, ==, 5 << 20);
    assert_fails(volume_clone(pool, larger, &source, NULL, &error), &error,
                 REMOTE_ERR_STORAGE_VOL_EXIST, "'q.qcow2'");
    source.name = "none";
    assert_fails(volume_clone(pool, larger, &source, NULL, &error), &error,
                 REMOTE_ERR_NO_STORAGE_VOL, "'none'");
}

static void test_resize(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autoptr(GError) error = NULL;
    VolumeRoom room;
    static const char *const names[] = { "a", "a.qcow2" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *xml = g_strdup_printf(
            "<volume><name>%s</name><capacity unit='M'>2</capacity><allocation>0</allocation>"
            "<target><format type='%s'/></target></volume>",
            names[i], i ? "qcow2" : "raw");
        g_assert_true(create(pool, xml, 0, &error));
        g_assert_true(volume_resize(pool, names[i], 3 << 20, 0, &error));
        g_assert_true(volume_resize(pool, names[i], 1 << 20, VOLUME_RESIZE_DELTA, &error));
        g_assert_no_error(error);
        g_assert_true(volume_room(pool, names[i], &room, &error));
        g_assert_cmpuint(room.capacity, ==, 4 << 20);
        assert_fails(volume_resize(pool, names[i], 1 << 20, 0, &error), &error,
                     REMOTE_ERR_INVALID_ARG, "unless shrink flag explicitly specified");
        assert_fails(volume_resize(pool, names[i], UINT64_MAX, VOLUME_RESIZE_DELTA, &error), &error,
                     REMOTE_ERR_INVALID_ARG, "no volume can have such a capacity");
        g_assert_true(volume_resize(pool, names[i], 1 << 20,
                                    VOLUME_RESIZE_DELTA | VOLUME_RESIZE_SHRINK, &error));
        g_assert_true(volume_room(pool, names[i], &room, &error));
        g_assert_cmpuint(room.capacity, ==, 3 << 20);
    }
}

static void test_wipe(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *path = in_images(bench, "a"), *zeros = g_malloc0(70000);
    g_autoptr(GError) error = NULL;
    static const uint32_t ways[] = { VOLUME_WIPE_ZERO, VOLUME_WIPE_TRIM, VOLUME_WIPE_RANDOM };

    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *content = g_strnfill(70000, 'x'), *after = NULL;
        gsize size = 0;
        write_file(path, content);
        g_assert_true(volume_wipe(pool, "a", ways[i], NULL, &error));
        g_assert_true(g_file_get_contents(path, &after, &size, NULL));
        g_assert_cmpuint(size, ==, 70000);
        g_assert_cmpint(memcmp(after, zeros, size) == 0, ==, ways[i] != VOLUME_WIPE_RANDOM);
        g_assert_null(memmem(after, size, "xxxxxxxxxx", 10));
    }
    assert_fails(volume_wipe(pool, "a", 1, NULL, &error), &error, REMOTE_ERR_ARGUMENT_UNSUPPORTED,
                 "zero, random or trim");
}

/* A machine has the disk: it is let alone. */
static void test_locked(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *path = in_images(bench, "a");
    struct flock range = { .l_type = F_RDLCK, .l_start = 201, .l_len = 1 };
    g_autoptr(GError) error = NULL;

    write_file(path, "xxxx");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &range), ==, 0);
    assert_fails(volume_wipe(pool, "a", VOLUME_WIPE_ZERO, NULL, &error), &error,
                 REMOTE_ERR_RESOURCE_BUSY, "volume 'a' is in use");
    assert_fails(volume_delete(pool, "a", &error), &error, REMOTE_ERR_RESOURCE_BUSY, "in use");
    assert_fails(volume_resize(pool, "a", 1 << 20, 0, &error), &error, REMOTE_ERR_RESOURCE_BUSY,
                 "in use");
    g_assert_null(volume_open(pool, "a", true, &error));
    assert_fails(false, &error, REMOTE_ERR_RESOURCE_BUSY, "in use");
    g_autoptr(VolumeUse) reader = volume_open(pool, "a", false, &error);
    g_assert_no_error(error);
    g_assert_nonnull(reader);
    close(fd);
}

/* Who works on a volume keeps others off, and its pool from being stopped. */
static void test_in_use(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autofree char *path = in_images(bench, "a");
    g_autoptr(GError) error = NULL;
    VolumeRoom room;

    write_file(path, "xxxx");
    VolumeUse *writer = volume_open(pool, "a", true, &error);
    g_assert_no_error(error);
    assert_fails(volume_delete(pool, "a", &error), &error, REMOTE_ERR_OPERATION_INVALID,
                 "volume 'a' is still in use.");
    g_assert_null(volume_open(pool, "a", false, &error));
    g_clear_error(&error);
    assert_fails(pool_stop(pool, &error), &error, REMOTE_ERR_RESOURCE_BUSY, "being worked on");
    g_assert_true(volume_room(pool, "a", &room, NULL));
    volume_close(writer);
    VolumeUse *reader = volume_open(pool, "a", false, NULL);
    VolumeUse *second = volume_open(pool, "a", false, NULL);
    g_assert_true(reader && second);
    assert_fails(volume_delete(pool, "a", &error), &error, REMOTE_ERR_OPERATION_INVALID, "in use");
    volume_close(reader);
    volume_close(second);
    g_assert_true(volume_delete_by_path(bench->pools, path, &error));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_true(pool_stop(pool, NULL));
}

static bool at_once(void *opaque)
{
    return true;
}

/* The client has gone: what was begun is taken back. */
static void test_given_up(Bench *bench, gconstpointer data)
{
    g_autoptr(Pool) pool = pool_named(bench, "default");
    g_autoptr(VolumeConfig) config =
        volume_config_parse("<volume><name>a</name><capacity unit='M'>4</capacity></volume>", NULL);
    WorkEnd end = { at_once, NULL };
    g_autoptr(GError) error = NULL;

    assert_fails(volume_create(pool, config, 0, &end, &error), &error, 0, "the client has gone");
    assert_names(pool, "");
    g_assert_true(pool_refresh(pool, NULL));
    assert_names(pool, "");
}

/* --- answers of insula-disk, which an image may have taken over --- */

static void test_answers(void)
{
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"virtual-size\": \"5\"}",
                                       "{\"virtual-size\": -1}",
                                       "{\"virtual-size\": 1.5}",
                                       "{\"virtual-size\": 1, \"virtual-size\": 2}",
                                       "{\"virtual-size\": 1" };
    DiskImage image;

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_test_message("%s", bad[i]);
        g_assert_false(disk_image_parse(bad[i], &image, &error));
        g_assert_nonnull(error);
    }
    g_assert_true(disk_image_parse("{\"virtual-size\": 9, \"cluster-size\": [], "
                                   "\"format-specific\": {\"data\": {\"compat\": 5}}, "
                                   "\"full-backing-filename\": \"/a\\nb\"}",
                                   &image, NULL));
    g_assert_cmpuint(image.capacity, ==, 9);
    g_assert_null(image.compat);
    g_assert_null(strchr(image.backing_path, '\n'));
    disk_image_clear(&image);
}

typedef void (*BenchTest)(Bench *bench, gconstpointer data);
static const struct {
    const char *path;
    BenchTest test;
} tests[] = {
    { "/pool/default-is-there", test_default },
    { "/pool/default-undefined-stays-so", test_default_gone },
    { "/pool/life", test_life },
    { "/pool/delete-wants-it-empty", test_delete_full },
    { "/pool/conflicts", test_conflicts },
    { "/pool/restart", test_restart },
    { "/pool/redefine", test_redefine },
    { "/pool/list", test_list },
    { "/volume/strange-files", test_strange_files },
    { "/volume/linked-folder", test_linked_folder },
    { "/volume/changes-under-us", test_changes },
    { "/volume/paths", test_paths },
    { "/volume/raw", test_raw },
    { "/volume/full", test_full },
    { "/volume/qcow2", test_qcow2 },
    { "/volume/format-is-not-guessed", test_format_is_not_guessed },
    { "/volume/clone", test_clone },
    { "/volume/resize", test_resize },
    { "/volume/wipe", test_wipe },
    { "/volume/machine-has-it", test_locked },
    { "/volume/in-use", test_in_use },
    { "/volume/given-up", test_given_up },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].path, Bench, NULL, set_up, tests[i].test, tear_down);
    }
    g_test_add_func("/disk-tool/answers", test_answers);
    return g_test_run();
}
