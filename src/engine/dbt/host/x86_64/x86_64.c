/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back end as the core sees it, see x86_64.h.
 */
#include "engine/dbt/host/x86_64/x86_64.h"

#include "common/bits.h"
#include "engine/dbt/host/native.h"
#include "engine/dbt/host/x86_64/gen.h"
#include "engine/dbt/run/exec.h"

static void *make(const GuestIsa *isa, const CodeOptions *options, GError **error)
{
    return code_new(isa, options, error);
}

static void free_all(void *code)
{
    code_free(code);
}

static void flush_all(void *code)
{
    code_flush(code);
}

static void resize(void *code, size_t size)
{
    code_resize(code, size);
}

static bool compile_block(void *opaque, const IrBlock *ir, Block *block)
{
    Code *code = opaque;

    if (!gen_block(code->gen, code, ir, block)) {
        return false;
    }
    code_unmap_written(code);
    return true;
}

/* Other vCPUs may be running the jump: the displacement does not cross 8 bytes, so they see the
 * old or the new one. */
static void link_exit(void *opaque, Block *from, unsigned slot, const Block *to)
{
    Code *code = opaque;
    typedef volatile int32_t __attribute__((aligned(1))) Site;

    if (!from->site[slot]) {
        return;
    }
    uint8_t *site = code->rw + from->site[slot];
    uint8_t *target = to ? code_to_rw(code, to->code) : code->rw + from->stub[slot];
    *(Site *)site = (int32_t)(target - (site + 4));
}

/* The head compares cpu->attention with something it never is. */
static void kill_block(void *opaque, Block *block)
{
    Code *code = opaque;
    uint8_t *head = code_to_rw(code, block->code);

    *(volatile uint8_t *)(head + HEAD_KILL) = HEAD_DEAD;
    for (unsigned i = 0; i < G_N_ELEMENTS(block->loop) && block->loop[i]; i++) {
        *(volatile uint8_t *)(code->rw + block->loop[i]) = HEAD_DEAD;
    }
}

static void set_fault_pc(DbtCpu *cpu, uint32_t info)
{
    cpu->pc = cpu->code_page + bits_get(info, SLOW_PC, SLOW_BACK - SLOW_PC);
    cpu->instructions -= bits_get(info, SLOW_BACK, SLOW_MMU - SLOW_BACK) + 1;
}

/* The block to go on with; NULL: that is for the dispatch loop. */
static const Block *next_block(DbtCpu *cpu, uint64_t result)
{
    switch ((CodeResult)(result & 0xff)) {
    case CODE_NEXT:
        return dbt_find_jump(cpu, cpu->pc);
    case CODE_STOP:
        return dbt_go_on(cpu);
    case CODE_FAULT:
        set_fault_pc(cpu, (uint32_t)(result >> 32));
        if (cpu->fault != FAULT_EXCEPTION || cpu->debug.step) {
            return NULL;
        }
        dbt_deliver(cpu);
        return dbt_go_on(cpu);
    default:
        return NULL;
    }
}

/* Enter compiled code at cpu->pc, and on and on where the next block is found at once. */
static uint64_t enter(DbtCpu *cpu, const Block *block)
{
    const Code *code = cpu->vm->code;
    uint64_t result;

    cpu->host_control = HOST_MXCSR;
    do {
        cpu->rounds = HEAD_ROUNDS;
        cpu->code_page = align_down(cpu->pc, PAGE_SIZE);
        result = code->enter(cpu, block->code);
        block = next_block(cpu, result);
    } while (block);
    return result;
}

/* What compiled code came back with. */
static RunResult finish(DbtCpu *cpu, uint64_t result, unsigned *ret_slot)
{
    uint32_t word = (uint32_t)(result >> 32);
    switch ((CodeResult)(result & 0xff)) {
    case CODE_NEXT:
        return RUN_NEXT;
    case CODE_STOP:
        return RUN_STOP;
    case CODE_LINK:
        cpu->pc = cpu->code_page + word;
        *ret_slot = (uint32_t)result / CODE_SLOT;
        return RUN_LINK;
    case CODE_ATTENTION:
        cpu->pc = cpu->code_page + word;
        return RUN_STOP;
    default:
        return cpu->fault ? RUN_FAULT : RUN_STOP;
    }
}

static RunResult run(DbtCpu *cpu, Block *block, unsigned *ret_slot)
{
    return finish(cpu, enter(cpu, block), ret_slot);
}

static RunResult run_once(DbtCpu *cpu, Block *block, unsigned *ret_slot)
{
    const Code *code = cpu->vm->code;

    cpu->host_control = HOST_MXCSR;
    cpu->code_page = align_down(cpu->pc, PAGE_SIZE);
    uint64_t result = code->enter(cpu, (const uint8_t *)block->code + HEAD_BYTES);
    if ((result & 0xff) == CODE_FAULT) {
        set_fault_pc(cpu, (uint32_t)(result >> 32));
        return RUN_FAULT;
    }
    RunResult how = finish(cpu, result, ret_slot);
    return (result & 0xff) == CODE_ATTENTION ? RUN_NEXT : how;
}

static void arm_block(void *opaque, Block *block, bool armed)
{
    Code *code = opaque;
    uint8_t *head = code_to_rw(code, block->code);

    *(volatile uint8_t *)(head + HEAD_KILL) = armed ? HEAD_DEAD : 0;
}

const Backend x86_64_backend = {
    .name = "x86_64",
    .has_wide_vectors = code_has_wide_vectors,
    .code_new = make,
    .code_free = free_all,
    .code_flush = flush_all,
    .code_resize = resize,
    .compile = compile_block,
    .link = link_exit,
    .kill = kill_block,
    .run = run,
    .run_once = run_once,
    .arm = arm_block,
};

const Backend *const native_backend = &x86_64_backend;
