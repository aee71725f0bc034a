/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dispatch loop, see exec.h.
 *
 *   attend   what other threads want: leave, drop code, deliver interrupts, stand still
 *   deliver  an exception that an instruction raised
 *   sleep    while the guest is halted
 *   find     the next block: jump cache, block cache, translation
 *   run      the back end, through as many blocks as it can
 */
#include "engine/dbt/run/exec.h"

#include <string.h>

#include "common/bits.h"
#include "common/error.h"
#include "engine/dbt/host/interp/interp.h"
#include "engine/dbt/run/check.h"
#include "engine/dbt/run/dump.h"
#include "engine/dbt/run/mmu.h"
#include "engine/dbt/run/wait.h"

/* --- creation --------------------------------------------------------------------------------- */

/* memory/ tells of writes that are not a vCPU's. */
static void on_written(void *opaque, uint64_t gpa, uint64_t len)
{
    DbtVm *vm = opaque;

    if (!cache_note_written(vm->cache, gpa, len)) {
        return;
    }
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        if (vm->cpus[i]) {
            dbt_attention(vm->cpus[i], ATTENTION_INVALIDATE);
        }
    }
}

/* memory/ tells of RAM that came, went or changed: code made from it and translations of addresses
 * go.  A vCPU that just accesses it still may see what was there before; its next block doesn't. */
static void on_changed(void *opaque, uint64_t gpa, uint64_t len)
{
    DbtVm *vm = opaque;

    cache_note_written(vm->cache, gpa, len);
    for (unsigned i = 0; i < vm->n_cpus; i++) {
        if (vm->cpus[i]) {
            dbt_attention(vm->cpus[i], ATTENTION_INVALIDATE | ATTENTION_FLUSH);
        }
    }
}

void dbt_map_changed(DbtCpu *cpu)
{
    if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST) & ATTENTION_FLUSH) {
        mmu_flush(cpu);
    }
}

DbtVm *dbt_vm_new(const GuestIsa *isa, const EngineConfig *config, GError **error)
{
    BlockCache *cache = cache_new(config->memory, config->tuning.code_limit, error);

    if (!cache) {
        return NULL;
    }
    DbtVm *vm = g_new0(DbtVm, 1);
    vm->isa = isa;
    vm->memory = config->memory;
    vm->clock = config->clock;
    vm->log = config->log;
    vm->hooks = config->hooks;
    vm->tsc_khz = config->tsc_khz ? config->tsc_khz : 1000 * 1000;
    vm->n_cpus = config->cpus;
    vm->host_cpus = wait_host_cpus();
    vm->max_insns = IR_MAX_INSNS;
    if (config->tuning.block_insns) {
        vm->max_insns = MIN(config->tuning.block_insns, IR_MAX_INSNS);
    }
    vm->cache = cache;
    vm->backend = &interp_backend;
    pthread_mutex_init(&vm->lock, NULL);
    pthread_cond_init(&vm->changed, NULL);
    gm_set_written(vm->memory, on_written, vm);
    gm_set_changed(vm->memory, on_changed, vm);
    return vm;
}

void dbt_vm_free(DbtVm *vm)
{
    if (!vm) {
        return;
    }
    gm_set_written(vm->memory, NULL, NULL);
    gm_set_changed(vm->memory, NULL, NULL);
    cache_free(vm->cache);
    if (vm->code) {
        vm->backend->code_free(vm->code);
    }
    pthread_cond_destroy(&vm->changed);
    pthread_mutex_destroy(&vm->lock);
    g_free(vm);
}

bool dbt_vm_set_backend(DbtVm *vm, const Backend *backend, GError **error)
{
    void *code = NULL;

    if (backend->code_new) {
        const CodeOptions options = { .cpus = vm->n_cpus,
                                      .limit = cache_limit(vm->cache),
                                      .check = vm->check };
        code = backend->code_new(vm->isa, &options, error);
        if (!code) {
            return false;
        }
    }
    vm->backend = backend;
    vm->code = code;
    cache_set_backend(vm->cache, backend, code);
    return true;
}

bool dbt_vm_set_check(DbtVm *vm, const Backend *backend, uint64_t every, GError **error)
{
    if (!backend->run_once || !vm->isa->fields) {
        set_error_code(error, INSULA_ERROR_USAGE,
                       "back end '%s' can't be compared with the interpreter: --check needs "
                       "--engine translator, on a host that it makes code for",
                       backend->name);
        return false;
    }
    vm->check = true;
    vm->check_every = every;
    cache_set_check(vm->cache, every != 0);
    return dbt_vm_set_backend(vm, backend, error);
}

DbtCpu *dbt_cpu_new(DbtVm *vm, unsigned index)
{
    DbtCpu *cpu = g_malloc0(vm->isa->cpu_size);

    cpu->isa = vm->isa;
    cpu->vm = vm;
    cpu->memory = vm->memory;
    cpu->clock = vm->clock;
    cpu->log = vm->log;
    cpu->index = index;
    mmu_init(cpu);
    cpu->hints = g_new0(JumpCacheEntry, 1 << JUMP_HINT_BITS);
    cpu->check = vm->check ? check_new(vm->isa) : NULL;
    pthread_cond_init(&cpu->wake, NULL);
    vm->cpus[index] = cpu;
    return cpu;
}

void dbt_cpu_free(DbtCpu *cpu)
{
    if (!cpu) {
        return;
    }
    cpu->vm->cpus[cpu->index] = NULL;
    pthread_cond_destroy(&cpu->wake);
    mmu_fini(cpu);
    check_free(cpu->check);
    g_free(cpu->hints);
    g_free(cpu);
}

/* --- finding code ----------------------------------------------------------------------------- */

/* Stores to @gpa's page take the slow path from now on, on every vCPU. */
static void slow_down_writes(DbtVm *vm, uint64_t gpa)
{
    for (unsigned c = 0; c < vm->n_cpus; c++) {
        if (vm->cpus[c]) {
            mmu_slow_page(vm->cpus[c], gpa);
        }
    }
}

static void make_code(DbtCpu *cpu, uint64_t gpa)
{
    if (gpa == GPA_NONE || cache_is_code(cpu->vm->cache, gpa)) {
        return;
    }
    dbt_exclusive_begin(cpu);
    cache_make_code(cpu->vm->cache, gpa);
    slow_down_writes(cpu->vm, align_down(gpa, PAGE_SIZE));
    dbt_exclusive_end(cpu);
}

/* A block about to be found or made. */
typedef struct Wanted {
    uint64_t pc;
    uint64_t gpa;  /* of pc */
    uint64_t gpa2; /* of the next page, when known to be needed; else GPA_NONE */
    bool ram;      /* all of it is RAM or ROM: can be cached */
    unsigned max_insns;
} Wanted;

static void copy_code(DbtCpu *cpu, uint64_t gpa, uint8_t *to, unsigned len)
{
    const uint8_t *hva = gm_rom(cpu->memory, gpa, len);

    if (hva) {
        memcpy(to, hva, len);
        return;
    }
    for (unsigned i = 0; i < len; i++) {
        to[i] = (uint8_t)gm_mmio_read(cpu->memory, gpa + i, 1);
    }
}

static void read_code(DbtCpu *cpu, const Wanted *wanted, GuestCode *code)
{
    enum { BEFORE = 1024, BEHIND = 2048, INSN = 16 };
    unsigned offset = (unsigned)(wanted->pc % PAGE_SIZE);

    code->page_left = PAGE_SIZE - offset;
    code->max_insns = wanted->max_insns;
    code->before = wanted->ram ? MIN(offset, BEFORE) : 0;
    code->length = MIN(code->page_left, wanted->ram ? BEHIND : INSN);
    copy_code(cpu, wanted->gpa - code->before, code->bytes, code->before + code->length);
    if (wanted->gpa2 != GPA_NONE) {
        copy_code(cpu, wanted->gpa2, code->bytes + code->before + code->length, INSN);
        code->length += INSN;
    }
}

/* Read, translate and shrink; asks for the next page when the first instruction needs it.
 * False: the fetch faulted. */
static bool translate(DbtCpu *cpu, Wanted *wanted, IrBlock *ir)
{
    GuestCode code;

    cpu->pc = wanted->pc;
    read_code(cpu, wanted, &code);
    ir_block_clear(ir);
    TranslateResult result = cpu->isa->translate(cpu, &code, ir);
    if (result == TRANSLATE_MORE) {
        return false;
    }
    ir_optimise(ir);
    cpu->translated += ir->n_insns;
    dump_translation(cpu, &code, ir, wanted->pc);
    return true;
}

/* As translate(), inside the cache's code lock, and stored there.  *ret_more: the second page is
 * needed.  NULL without it: the cache is full, or the page became data meanwhile. */
static Block *translate_cached(DbtCpu *cpu, Wanted *wanted, IrBlock *ir, bool *ret_more)
{
    BlockCache *cache = cpu->vm->cache;
    Block *block = NULL;

    *ret_more = false;
    if (!cache_translate_begin(cache, wanted->gpa, wanted->gpa2)) {
        return NULL;
    }
    *ret_more = !translate(cpu, wanted, ir);
    if (!*ret_more) {
        block = cache_add(cache, ir, wanted->gpa, wanted->gpa2, (uint32_t)cpu->key);
    }
    if (block) {
        dump_host_code(cpu, block, wanted->pc);
    }
    cache_translate_end(cache);
    return block;
}

/* Code at @gpa can be cached. */
static bool is_cacheable(const DbtCpu *cpu, uint64_t gpa)
{
    return gm_rom(cpu->memory, gpa, 1) && cache_may_hold(cpu->vm->cache, gpa);
}

static bool second_page(DbtCpu *cpu, Wanted *wanted)
{
    uint64_t next = align_down(wanted->pc, PAGE_SIZE) + PAGE_SIZE;

    if (!mmu_fetch(cpu, next, &wanted->gpa2)) {
        return false;
    }
    wanted->ram = wanted->ram && is_cacheable(cpu, wanted->gpa2);
    return true;
}

static bool locate(DbtCpu *cpu, Wanted *wanted)
{
    if (!mmu_fetch(cpu, wanted->pc, &wanted->gpa)) {
        return false;
    }
    wanted->ram = is_cacheable(cpu, wanted->gpa);
    return true;
}

static JumpCacheEntry *jump_entry(const DbtCpu *cpu, uint64_t pc)
{
    return &cpu->jumps[jump_index(pc, JUMP_CACHE_BITS)];
}

static JumpCacheEntry *hint_entry(const DbtCpu *cpu, uint64_t pc)
{
    return &cpu->hints[jump_index(pc, JUMP_HINT_BITS)];
}

static void enter_jump(DbtCpu *cpu, uint64_t pc, Block *block)
{
    *jump_entry(cpu, pc) = (JumpCacheEntry){ pc, cpu->key, block, block->code };
}

/* The cached block for @wanted if there is one and its second page is still the one mapped. */
static Block *find_cached(DbtCpu *cpu, Wanted *wanted)
{
    Block *block = hint_entry(cpu, wanted->pc)->block;

    /* most often it is the one that was there before a flush */
    if (!block || block->gpa != wanted->gpa || block->key != (uint32_t)cpu->key ||
        __atomic_load_n(&block->dead, __ATOMIC_ACQUIRE) ||
        cpu->cache_flushes != cache_flushes(cpu->vm->cache)) {
        block = cache_find(cpu->vm->cache, wanted->gpa, (uint32_t)cpu->key);
    }
    if (!block || block->gpa2 == GPA_NONE) {
        return block;
    }
    if (!second_page(cpu, wanted)) {
        return NULL; /* faults: the caller sees cpu->fault */
    }
    return block->gpa2 == wanted->gpa2 ? block : NULL;
}

/* The cache is full: make it larger, or empty it. */
static void make_room(DbtCpu *cpu)
{
    BlockCache *cache = cpu->vm->cache;

    if (!cache_grow(cache)) {
        dbt_exclusive_begin(cpu);
        if (!cache_grow(cache)) { /* or another vCPU was first */
            cache_flush(cache);
        }
        dbt_exclusive_end(cpu);
    }
}

/* Find or make the block at cpu->pc, and enter it in the jump cache.  NULL: a fault, or the cache
 * was emptied: come again. */
static Block *find_block(DbtCpu *cpu, IrBlock *ir)
{
    Wanted wanted = { .pc = cpu->pc, .gpa2 = GPA_NONE, .max_insns = cpu->vm->max_insns };
    bool more;

    if (!locate(cpu, &wanted) || !wanted.ram) {
        return NULL;
    }
    Block *block = find_cached(cpu, &wanted);
    if (cpu->fault) {
        return NULL;
    }
    if (!block) {
        make_code(cpu, wanted.gpa);
        make_code(cpu, wanted.gpa2);
        block = translate_cached(cpu, &wanted, ir, &more);
        if (more) {
            if (!second_page(cpu, &wanted) || !wanted.ram) {
                return NULL;
            }
            make_code(cpu, wanted.gpa2);
            block = translate_cached(cpu, &wanted, ir, &more);
        }
        if (!block) {
            make_room(cpu);
            return NULL;
        }
    }
    enter_jump(cpu, wanted.pc, block);
    *hint_entry(cpu, wanted.pc) = *jump_entry(cpu, wanted.pc);
    return block;
}

static void renew_key(DbtCpu *cpu)
{
    cpu->key = (uint64_t)cpu->tlb_generation << 32 | cpu->isa->context_key(cpu);
    cpu->key_stale = false;
}

/* Run one instruction at cpu->pc from a block that is not cached.  Alone: no other vCPU runs. */
static void step_uncached(DbtCpu *cpu, IrBlock *ir, bool alone)
{
    Wanted wanted = { .pc = cpu->pc, .gpa2 = GPA_NONE, .max_insns = 1 };
    unsigned slot;

    if (!locate(cpu, &wanted)) {
        return;
    }
    if (!translate(cpu, &wanted, ir) &&
        (!second_page(cpu, &wanted) || !translate(cpu, &wanted, ir))) {
        return;
    }
    Block block = { .gpa = wanted.gpa,
                    .gpa2 = wanted.gpa2,
                    .key = (uint32_t)cpu->key,
                    .n_nodes = (uint16_t)ir->n_nodes,
                    .n_insns = (uint16_t)ir->n_insns,
                    .guest_before = (uint16_t)ir->guest_before,
                    .guest_bytes = ir->guest_bytes,
                    .uncached = true,
                    .insns = ir->insns,
                    .nodes = ir->nodes };
    cpu->pc = wanted.pc;
    if (alone) {
        dbt_exclusive_begin(cpu);
        cpu->alone = true;
    } else {
        wait_start_running(cpu);
    }
    /* attention would make the interpreter return at once: that is as good, we come again */
    interp_run(cpu, &block, &slot);
    cpu->block = NULL;
    cpu->key_stale = true;
    if (alone) {
        cpu->alone = false;
        dbt_exclusive_end(cpu);
    } else {
        wait_stop_running(cpu);
    }
}

/* --- debugging -------------------------------------------------------------------------------- */

void dbt_set_debug(DbtCpu *cpu, const DebugConfig *config)
{
    cpu->debug = config ? *config : (DebugConfig){ 0 };
    cpu->debug_active = cpu->debug.n_points > 0;
    cpu->debug_watches = false;
    for (unsigned i = 0; i < cpu->debug.n_points; i++) {
        cpu->debug_watches |= cpu->debug.points[i].read || cpu->debug.points[i].write;
    }
    if (cpu->debug_active) {
        mmu_flush(cpu); /* pages with watchpoints become slow, blocks one instruction long */
    }
    cpu->isa->debug_changed(cpu);
    cpu->key_stale = true;
}

/* One instruction for a debugger, then back to it. */
static void step_once(DbtCpu *cpu, IrBlock *ir)
{
    uint64_t before = cpu->instructions;

    step_uncached(cpu, ir, false);
    if (cpu->fault == FAULT_ALONE || cpu->fault == FAULT_SINGLE) {
        bool alone = cpu->fault == FAULT_ALONE;
        cpu->fault = FAULT_NONE;
        renew_key(cpu);
        step_uncached(cpu, ir, alone);
    }
    if (cpu->instructions != before && !cpu->debug_hit && !cpu->fault) {
        cpu->debug_hit = true;
        cpu->debug_exit = (VcpuExit){ .reason = VCPU_EXIT_DEBUG, .debug = DEBUG_STEP };
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Look at cpu->attention.  False: vcpu_run ends with @exit. */
static bool attend(DbtCpu *cpu, VcpuExit *exit)
{
    uint32_t bits = __atomic_exchange_n(&cpu->attention, 0, __ATOMIC_SEQ_CST);

    if (bits & ATTENTION_INVALIDATE) {
        cache_drop_written(cpu->vm->cache);
    }
    if (bits & ATTENTION_FLUSH) {
        mmu_flush(cpu);
        cpu->key_stale = true;
    }
    if (bits & ATTENTION_KICK) {
        __atomic_or_fetch(&cpu->attention, bits & ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
        exit->reason = VCPU_EXIT_KICKED;
        return false;
    }
    if ((bits & ATTENTION_INTERRUPT) && !cpu->fault && !cpu->debug_hit) {
        wait_start_running(cpu); /* it may store */
        cpu->isa->poll(cpu);
        wait_stop_running(cpu);
        cpu->key_stale = true;
    } else {
        __atomic_or_fetch(&cpu->attention, bits & ATTENTION_INTERRUPT, __ATOMIC_SEQ_CST);
    }
    return true;
}

void dbt_deliver(DbtCpu *cpu)
{
    cpu->fault = FAULT_NONE;
    cpu->isa->deliver(cpu);
}

/* An instruction stopped in front of itself: see why, and do what it takes. */
static void handle_fault(DbtCpu *cpu, IrBlock *ir)
{
    uint8_t fault = cpu->fault;

    cpu->key_stale = true;
    switch (fault) {
    case FAULT_EXCEPTION:
        wait_start_running(cpu); /* it stores */
        dbt_deliver(cpu);
        wait_stop_running(cpu);
        if (cpu->debug.step && !cpu->shutdown) {
            cpu->debug_hit = true;
            cpu->debug_exit = (VcpuExit){ .reason = VCPU_EXIT_DEBUG, .debug = DEBUG_STEP };
        }
        break;
    case FAULT_DEBUG:
        cpu->fault = FAULT_NONE;
        cpu->debug_hit = true;
        break;
    default: /* FAULT_ALONE, FAULT_SINGLE */
        cpu->fault = FAULT_NONE;
        renew_key(cpu);
        step_uncached(cpu, ir, fault == FAULT_ALONE);
    }
}

/* Jump cache entries of an emptied block cache are wild. */
static void check_jumps(DbtCpu *cpu)
{
    uint64_t flushes = cache_flushes(cpu->vm->cache);

    if (G_UNLIKELY(flushes != cpu->cache_flushes)) {
        mmu_forget_jumps(cpu);
        memset(cpu->hints, 0, sizeof(JumpCacheEntry) << JUMP_HINT_BITS);
        cpu->cache_flushes = flushes;
    }
}

/* What @entry says of @pc was right once, and is now. */
static bool is_still_right(DbtCpu *cpu, const JumpCacheEntry *entry, uint64_t pc)
{
    const Block *block = entry->block;
    uint64_t gpa;

    return block && entry->pc == pc && (uint32_t)entry->key == (uint32_t)cpu->key &&
           !__atomic_load_n(&block->dead, __ATOMIC_ACQUIRE) && block->gpa2 == GPA_NONE &&
           mmu_fetch_known(cpu, pc, &gpa) && gpa == block->gpa;
}

Block *dbt_find_jump(DbtCpu *cpu, uint64_t pc)
{
    const JumpCacheEntry *entry = jump_entry(cpu, pc);

    if (!is_still_right(cpu, entry, pc)) {
        entry = hint_entry(cpu, pc);
        if (!is_still_right(cpu, entry, pc)) {
            return NULL;
        }
    }
    Block *block = entry->block;
    enter_jump(cpu, pc, block);
    return block;
}

static Block *jump_cache_find(const DbtCpu *cpu)
{
    const JumpCacheEntry *entry = jump_entry(cpu, cpu->pc);

    if (entry->block && entry->pc == cpu->pc && entry->key == cpu->key &&
        !__atomic_load_n(&entry->block->dead, __ATOMIC_ACQUIRE)) {
        return entry->block;
    }
    return NULL;
}

Block *dbt_go_on(DbtCpu *cpu)
{
    if (__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) || cpu->fault || cpu->halted ||
        cpu->shutdown || cpu->debug_hit) {
        return NULL;
    }
    renew_key(cpu);
    Block *block = jump_cache_find(cpu);
    return block ? block : dbt_find_jump(cpu, cpu->pc);
}

/* An exit that waits for the block it leads to. */
typedef struct Link {
    Block *from;
    unsigned slot;
    uint64_t pc;      /* where it leads: an interrupt may have come between */
    uint64_t flushes; /* of the cache when .from ran */
} Link;

/* Only inside one physical page, and only if nothing came between. */
static bool may_link(const DbtCpu *cpu, const Link *link, const Block *block)
{
    return link->from && link->flushes == cpu->cache_flushes && link->pc == cpu->pc &&
           link->from->key == block->key && link->from->gpa2 == GPA_NONE &&
           block->gpa2 == GPA_NONE && (link->from->gpa ^ block->gpa) < PAGE_SIZE;
}

/* Blocks that are armed forever always come here; others go on to what they are linked to. */
static RunResult run_checked(DbtCpu *cpu, Block *block, unsigned *ret_slot)
{
    if (check_wants(cpu, block)) {
        return check_run(cpu, block, ret_slot);
    }
    return cpu->vm->check_every ? cpu->vm->backend->run_once(cpu, block, ret_slot)
                                : cpu->vm->backend->run(cpu, block, ret_slot);
}

static void run_found(DbtCpu *cpu, Block *block, Link *link)
{
    unsigned slot = 0;

    if (may_link(cpu, link, block)) {
        cache_link(cpu->vm->cache, link->from, link->slot, block);
    }
    if (log_on(cpu->log, LOG_EXEC)) {
        log_line(cpu->log, LOG_EXEC, "cpu %u %" G_GINT64_MODIFIER "x key %x", cpu->index, cpu->pc,
                 (uint32_t)cpu->key);
    }
    RunResult result =
        cpu->check ? run_checked(cpu, block, &slot) : cpu->vm->backend->run(cpu, block, &slot);
    *link = (Link){ result == RUN_LINK ? cpu->block : NULL, slot, cpu->pc, cpu->cache_flushes };
    cpu->block = NULL;
    if (result >= RUN_STOP) {
        cpu->key_stale = true;
    }
}

/* Run what is at cpu->pc. */
static void run_some(DbtCpu *cpu, IrBlock *ir, Link *link)
{
    wait_start_running(cpu);
    check_jumps(cpu);
    Block *block = jump_cache_find(cpu);
    if (!block) {
        block = dbt_find_jump(cpu, cpu->pc);
    }
    if (G_LIKELY(block)) {
        run_found(cpu, block, link);
        wait_stop_running(cpu);
        return;
    }
    wait_stop_running(cpu);
    if (!find_block(cpu, ir) && !cpu->fault) {
        MmuPage page;
        if (cpu->isa->walk(cpu, cpu->pc, MMU_FETCH, 0, true, &page) &&
            !is_cacheable(cpu, page.gpa)) {
            step_uncached(cpu, ir, false);
        }
    }
}

void dbt_run(DbtCpu *cpu, VcpuExit *ret_exit)
{
    g_autofree IrBlock *ir = g_new(IrBlock, 1);
    Link link = { 0 };

    memset(ret_exit, 0, sizeof(*ret_exit));
    for (;;) {
        if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST) && !attend(cpu, ret_exit)) {
            return;
        }
        if (cpu->debug_hit && !cpu->fault) {
            cpu->debug_hit = false;
            *ret_exit = cpu->debug_exit;
            return;
        }
        cpu->debug_hit = false; /* the instruction isn't done: it will say so again */
        if (cpu->shutdown) {
            ret_exit->reason = VCPU_EXIT_SHUTDOWN;
            return;
        }
        if (cpu->fault) {
            handle_fault(cpu, ir);
        } else if (cpu->halted) {
            wait_halted(cpu);
        } else {
            if (cpu->key_stale) {
                renew_key(cpu);
            }
            if (cpu->debug.step) {
                step_once(cpu, ir);
            } else {
                run_some(cpu, ir, &link);
            }
            if (cpu->check && check_difference(cpu)) {
                *ret_exit =
                    (VcpuExit){ .reason = VCPU_EXIT_DIFFERENCE, .report = check_difference(cpu) };
                return;
            }
        }
    }
}
