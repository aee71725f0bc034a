/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The private pages of a fast run, see check_internal.h.
 *
 * A page begins as the log's loads found it; what nobody loaded is poison.  Beside it stands what
 * it must become: the same with the log's stores.  If a load saw something else than what was
 * loaded or stored before, another vCPU, a device or a helper wrote there: such a page stays slow.
 */
#include <string.h>

#include "common/bits.h"
#include "engine/dbt/run/check_internal.h"

static CheckPage *find_page(Check *check, uint64_t gva)
{
    for (unsigned i = 0; i < check->n_pages; i++) {
        if (check->pages[i].gva == align_down(gva, PAGE_SIZE)) {
            return &check->pages[i];
        }
    }
    return NULL;
}

static CheckPage *add_page(Check *check, uint64_t gva)
{
    if (check->n_pages == CHECK_PAGES) {
        return NULL;
    }
    CheckPage *page = &check->pages[check->n_pages++];
    page->gva = align_down(gva, PAGE_SIZE);
    page->racy = false;
    page->mmus = 0;
    memset(page->known, 0, sizeof(page->known));
    if (!page->data) {
        page->data = g_malloc(PAGE_SIZE);
        page->expected = g_malloc(PAGE_SIZE);
    }
    memset(page->data, CHECK_POISON, PAGE_SIZE);
    memset(page->expected, CHECK_POISON, PAGE_SIZE);
    return page;
}

static bool test_and_set(CheckPage *page, unsigned at)
{
    uint64_t bit = UINT64_C(1) << at % 64, was = page->known[at / 64];

    page->known[at / 64] |= bit;
    return was & bit;
}

/* The bytes at @gva were loaded, or stored. */
static void note(Check *check, const Access *access, const uint8_t *bytes, bool store)
{
    for (unsigned i = 0; i < access->size; i++) {
        uint64_t gva = access->gva + i;
        unsigned at = gva % PAGE_SIZE;
        CheckPage *page = find_page(check, gva) ?: add_page(check, gva);
        if (!page) {
            return;
        }
        page->mmus |= 1 << (access->mmu & MMU_INDEX);
        bool known = test_and_set(page, at);
        if (store) {
            page->expected[at] = bytes[i];
        } else if (!known) {
            page->data[at] = page->expected[at] = bytes[i];
        } else if (page->expected[at] != bytes[i]) {
            page->racy = true;
        }
    }
}

static void note_number(Check *check, const Access *access, uint64_t value, bool store)
{
    uint8_t bytes[8];

    store_le64(bytes, value);
    note(check, access, bytes, store);
}

static void note_entry(Check *check, const LogEntry *entry)
{
    const Access *access = &entry->access;
    uint64_t mask = bits_mask(MIN(access->size, 8) * 8);

    switch (access->kind) {
    case ACCESS_LOAD:
        note_number(check, access, entry->result, false);
        break;
    case ACCESS_STORE:
        note_number(check, access, access->operand, true);
        break;
    case ACCESS_LOAD_BYTES:
    case ACCESS_STORE_BYTES:
        note(check, access, entry->bytes, access->kind == ACCESS_STORE_BYTES);
        break;
    case ACCESS_PROBE:
        break;
    case ACCESS_ATOMIC:
        note_number(check, access, entry->result, false);
        note_number(check, access, mmu_atomic_result(access->op, entry->result, access->operand),
                    true);
        break;
    case ACCESS_CAS:
        note_number(check, access, entry->result, false);
        if (entry->result == (access->operand & mask)) {
            note_number(check, access, access->operand2, true);
        }
    }
}

/* Fast where the vCPU's own entry is, unless another page has the place. */
static void enter_page(DbtCpu *cpu, const CheckPage *page, unsigned mmu)
{
    unsigned at = entry_index(page->gva, mmu);
    const TlbEntry *real = &cpu->bank->data[at];
    TlbEntry *entry = &cpu->check->tlb[at];

    if (entry->addend) {
        return;
    }
    entry->read = real->read == page->gva ? page->gva : TAG_NONE;
    entry->write = real->write == page->gva ? page->gva : TAG_NONE;
    entry->addend = (uint64_t)(uintptr_t)page->data - page->gva;
}

static void each_entry(DbtCpu *cpu, void (*visit)(DbtCpu *, const CheckPage *, unsigned))
{
    const Check *check = cpu->check;

    for (unsigned i = 0; i < check->n_pages; i++) {
        for (unsigned mmu = 0; mmu < MMU_INDEXES && !check->pages[i].racy; mmu++) {
            if (check->pages[i].mmus & 1 << mmu) {
                visit(cpu, &check->pages[i], mmu);
            }
        }
    }
}

void check_pages_make(DbtCpu *cpu)
{
    Check *check = cpu->check;

    check->n_pages = 0;
    for (unsigned i = 0; i < check->log->len; i++) {
        const LogEntry *entry = &g_array_index(check->log, LogEntry, i);
        if (entry->kind == LOG_ACCESS && !entry->fault) {
            note_entry(check, entry);
        }
    }
    each_entry(cpu, enter_page);
}

static void remove_page(DbtCpu *cpu, const CheckPage *page, unsigned mmu)
{
    cpu->check->tlb[entry_index(page->gva, mmu)] =
        (TlbEntry){ .read = TAG_NONE, .write = TAG_NONE };
}

static void compare_page(Check *check, const CheckPage *page)
{
    if (page->racy || !memcmp(page->data, page->expected, PAGE_SIZE)) {
        return;
    }
    for (unsigned i = 0; i < PAGE_SIZE; i++) {
        if (page->data[i] != page->expected[i]) {
            check_differs(
                check, "byte stored at %" G_GINT64_MODIFIER "x: interpreter %02x%s, compiled %02x",
                page->gva + i, page->expected[i],
                page->known[i / 64] >> i % 64 & 1 ? "" : " (not stored)", page->data[i]);
        }
    }
}

void check_pages_end(DbtCpu *cpu)
{
    Check *check = cpu->check;

    each_entry(cpu, remove_page);
    for (unsigned i = 0; i < check->n_pages && !check->lost; i++) {
        compare_page(check, &check->pages[i]);
    }
}

void check_pages_store(Check *check, uint64_t gva, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        CheckPage *page = find_page(check, gva + i);
        if (page) {
            page->data[(gva + i) % PAGE_SIZE] = bytes[i];
        }
    }
}
