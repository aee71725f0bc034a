/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conformance suite: each case on each engine that runs here.
 *
 * KVM is skipped, aloud, where /dev/kvm can't be used; slow is good enough.
 */
#include "bench.h"

typedef struct Instance {
    const Engine *engine;
    const BenchCase *bench_case; /* NULL: the engine is skipped */
    char *why;
} Instance;

static void run(gconstpointer data)
{
    const Instance *instance = data;

    if (instance->why) {
        g_test_skip(instance->why);
        return;
    }
    instance->bench_case->run(instance->engine);
}

static void instance_free(void *data)
{
    Instance *instance = data;

    g_free(instance->why);
    g_free(instance);
}

static void add(const Engine *engine, const BenchCase *bench_case, const char *name, char *why)
{
    g_autofree char *path = g_strdup_printf("/%s/%s", engine->name, name);
    Instance *instance = g_new0(Instance, 1);

    *instance = (Instance){ engine, bench_case, why };
    g_test_add_data_func_full(path, instance, run, instance_free);
}

static void add_engine(const Engine *engine)
{
    const BenchCase *const lists[] = { access_cases, state_cases, interrupt_cases,
                                       debug_cases,  time_cases,  thread_cases };
    bool (*probe)(char **) = engine->probe_asked ?: engine->probe;
    char *why = NULL;

    if (!probe(&why)) {
        add(engine, NULL, "all", why);
        return;
    }
    g_printerr("# %s: %s\n", engine->name, why);
    g_free(why);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        for (const BenchCase *c = lists[i]; c->name; c++) {
            add(engine, c, c->name, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    const Engine *const *engines = engine_list();
    const Engine checked = bench_checked_engine();

    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (unsigned i = 0; engines[i]; i++) {
        add_engine(engines[i]);
    }
    add_engine(&checked);
    return g_test_run();
}
