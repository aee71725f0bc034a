/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the I/O APIC: each case is a script of core/bench.h, then the messages that must have
 * been sent.  Line 1F of the script is the CPU's end-of-interrupt for vector 41h.
 */
#include "machine/device/ioapic.h"

#include "machine/core/bench.h"

/* Write @low and @high into the entry of @pin (all as text). */
#define SELECT(reg)   "w fec00000 " reg " "
#define WINDOW(value) "w fec00010 " value " "
#define ENTRY1(low)   SELECT("12") WINDOW(low)
#define EOI           "u 1f "
#define EDGE_41       "41"
#define LEVEL_41      "8041"
#define TO_CPU_2      SELECT("13") WINDOW("2000000")

static const struct {
    const char *name, *script, *sent;
} cases[] = {
    { "/ioapic/masked-after-reset", "u 1", "" },
    { "/ioapic/edge", ENTRY1(EDGE_41) "u 1", "fee00000:41 " },
    { "/ioapic/edge-each-time", ENTRY1(EDGE_41) "u 1 d 1 u 1", "fee00000:41 fee00000:41 " },
    { "/ioapic/edge-held-is-one", ENTRY1(EDGE_41) "u 1 u 1", "fee00000:41 " },
    { "/ioapic/edge-while-masked-is-lost", ENTRY1("10041") "u 1 " ENTRY1(EDGE_41), "" },
    { "/ioapic/destination", TO_CPU_2 ENTRY1(EDGE_41) "u 1", "fee02000:41 " },
    { "/ioapic/logical-lowest-priority", ENTRY1("941") "u 1", "fee00004:141 " },
    { "/ioapic/level-waits-for-eoi", ENTRY1(LEVEL_41) "u 1 d 1 u 1", "fee00000:c041 " },
    { "/ioapic/level-again-after-eoi", ENTRY1(LEVEL_41) "u 1 " EOI,
      "fee00000:c041 fee00000:c041 " },
    { "/ioapic/level-gone-at-eoi", ENTRY1(LEVEL_41) "u 1 d 1 " EOI, "fee00000:c041 " },
    { "/ioapic/level-while-masked-comes-later", ENTRY1("18041") "u 1 " ENTRY1(LEVEL_41),
      "fee00000:c041 " },
    { "/ioapic/eoi-of-another-vector", ENTRY1("8042") "u 1 " EOI, "fee00000:c042 " },
    { "/ioapic/eoi-register", ENTRY1(LEVEL_41) "u 1 w fec00040 41",
      "fee00000:c041 fee00000:c041 " },
    { "/ioapic/remote-irr-shows", ENTRY1(LEVEL_41) "u 1 r fec00010 c041", "fee00000:c041 " },
    { "/ioapic/edge-mode-clears-remote-irr",
      ENTRY1(LEVEL_41) "u 1 " ENTRY1("10041") "r fec00010 10041 " ENTRY1(LEVEL_41),
      "fee00000:c041 fee00000:c041 " },
    { "/ioapic/read-only-bits", ENTRY1("ffffffff") "r fec00010 1afff", "" },
    { "/ioapic/version", SELECT("1") "r fec00010 170020", "" },
    { "/ioapic/id", SELECT("0") WINDOW("ffffffff") "r fec00010 f000000", "" },
    { "/ioapic/no-such-register",
      SELECT("40") WINDOW("1") "r fec00010 0 " SELECT("ff") WINDOW("1") "r fec00010 0", "" },
    { "/ioapic/no-such-pin", "u 18", "" },
};

typedef struct Rig {
    Ioapic *ioapic;
    GString *sent;
} Rig;

static void send(void *opaque, uint64_t address, uint32_t data)
{
    Rig *rig = opaque;

    g_string_append_printf(rig->sent, "%x:%x ", (unsigned)address, data);
}

static void drive(void *opaque, unsigned line, bool level)
{
    Rig *rig = opaque;

    if (line == 0x1f) {
        ioapic_eoi(rig->ioapic, 0x41);
    } else {
        ioapic_set_line(rig->ioapic, line, level);
    }
}

static void test_script(gconstpointer data)
{
    const typeof(cases[0]) *c = data;
    Rig rig = { .sent = g_string_new(NULL) };
    Bench bench;

    bench_init(&bench);
    rig.ioapic = ioapic_new(&bench.env, IOAPIC_BASE, (MsiTarget){ send, &rig });
    bench.drive = drive;
    bench.drive_opaque = &rig;
    device_reset((Device *)rig.ioapic);
    bench_run(&bench, c->script);
    g_assert_cmpstr(rig.sent->str, ==, c->sent);
    device_free((Device *)rig.ioapic);
    g_string_free(rig.sent, TRUE);
    bench_clear(&bench);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_add_data_func(cases[i].name, &cases[i], test_script);
    }
    return g_test_run();
}
