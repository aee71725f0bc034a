/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without libFuzzer, so that every build exercises it briefly.
 *
 * Inputs are those of the files and folders named on the command line (a corpus), and then random
 * ones: bytes of a seeded generator, of many lengths, and mutations of the corpus.  FUZZ_SEED
 * chooses the seed (it is printed), FUZZ_RUNS how many random inputs there are.
 *
 * Threads: one.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_INPUT = 4096, USUAL_RUNS = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Driver {
    GRand *random;
    GPtrArray *corpus; /* of GBytes */
} Driver;

/* Add the file @path, or every file of the folder @path, to the corpus. */
static void add_corpus(Driver *driver, const char *path)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    char *text = NULL;
    gsize size = 0;

    for (const char *name = folder ? g_dir_read_name(folder) : NULL; name;
         name = g_dir_read_name(folder)) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        add_corpus(driver, inside);
    }
    if (!folder && g_file_get_contents(path, &text, &size, NULL)) {
        g_ptr_array_add(driver->corpus, g_bytes_new_take(text, size));
    }
}

/* A new random input: noise, or a corpus file with some bytes changed. */
static GBytes *make_input(Driver *driver)
{
    uint32_t kind = g_rand_int(driver->random);
    gsize size = kind % 4 == 0 ? g_rand_int_range(driver->random, 0, LARGEST_INPUT)
                               : g_rand_int_range(driver->random, 0, 64);
    uint8_t *bytes = NULL;

    if (driver->corpus->len > 0 && kind & 4) {
        guint which = g_rand_int_range(driver->random, 0, (gint32)driver->corpus->len);
        GBytes *seed = g_ptr_array_index(driver->corpus, which);
        const void *original = g_bytes_get_data(seed, &size);
        bytes = g_memdup2(original, size);
        for (unsigned i = 0; size > 0 && i < 1 + (kind >> 3) % 8; i++) {
            bytes[g_rand_int(driver->random) % size] = (uint8_t)g_rand_int(driver->random);
        }
        return g_bytes_new_take(bytes, size);
    }
    bytes = g_malloc(size + 1);
    for (gsize i = 0; i < size; i++) {
        bytes[i] = (uint8_t)g_rand_int(driver->random);
    }
    return g_bytes_new_take(bytes, size);
}

/* Hand @input to the target in memory of its exact size, so that a sanitizer sees each byte too
 * far. */
static void try_input(GBytes *input)
{
    gsize size = 0;
    const void *data = g_bytes_get_data(input, &size);
    uint8_t *exact = malloc(size ? size : 1);

    g_assert_nonnull(exact);
    memcpy(exact, data ? data : "", size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static uint32_t number_from(const char *variable, uint32_t otherwise)
{
    const char *text = g_getenv(variable);

    return text ? (uint32_t)g_ascii_strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    uint32_t seed = number_from("FUZZ_SEED", g_random_int());
    uint32_t runs = number_from("FUZZ_RUNS", USUAL_RUNS);
    Driver driver = { g_rand_new_with_seed(seed),
                      g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref) };

    printf("TAP version 13\n1..2\n# FUZZ_SEED=%u FUZZ_RUNS=%u\n", seed, runs);
    for (int i = 1; i < argc; i++) {
        add_corpus(&driver, argv[i]);
    }
    for (guint i = 0; i < driver.corpus->len; i++) {
        try_input(g_ptr_array_index(driver.corpus, i));
    }
    printf("ok 1 - corpus of %u inputs\n", driver.corpus->len);
    for (uint32_t i = 0; i < runs; i++) {
        g_autoptr(GBytes) input = make_input(&driver);
        try_input(input);
    }
    printf("ok 2 - %u random inputs\n", runs);
    g_ptr_array_unref(driver.corpus);
    g_rand_free(driver.random);
    return 0;
}
