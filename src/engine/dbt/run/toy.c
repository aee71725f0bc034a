/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The toy guest, see toy.h.
 */
#include "engine/dbt/run/toy.h"

#include "common/bits.h"
#include "engine/dbt/run/exec.h"

#define REG(n) ((unsigned)offsetof(ToyCpu, r) + ((n)&3) * 8)

static uint64_t help_halt(DbtCpu *cpu, uint64_t pc, uint64_t b, uint64_t c)
{
    cpu->pc = pc;
    cpu->halted = true;
    return 0;
}

static uint64_t help_interrupt(DbtCpu *cpu, uint64_t a, uint64_t b, uint64_t c)
{
    if (((ToyCpu *)cpu)->interrupts++ == 0) {
        dbt_attention(cpu, ATTENTION_INTERRUPT);
    }
    return 0;
}

static const Helper helpers[] = { { "halt", help_halt, HELPER_NOFAULT },
                                  { "interrupt", help_interrupt, HELPER_NOFAULT } };

static void toy_inc(IrBlock *ir, const uint8_t *code)
{
    IrVal x = ir_get(ir, REG(code[1]), 8);
    IrVal y = ir_binary_imm(ir, IR_ADD64, x, 1);
    ir_put(ir, REG(code[1]), 8, y);
}

static void toy_const(IrBlock *ir, const uint8_t *code)
{
    IrVal x = ir_const(ir, code[2]);
    ir_put(ir, REG(code[1]), 8, x);
}

static void toy_load(IrBlock *ir, const uint8_t *code)
{
    IrVal address = ir_const(ir, code[2] * 16u);
    IrVal x = ir_load(ir, address, 1, 0);
    ir_put(ir, REG(code[1]), 8, x);
}

static void toy_store(IrBlock *ir, const uint8_t *code)
{
    IrVal address = ir_const(ir, code[2] * 16u);
    IrVal x = ir_get(ir, REG(code[1]), 8);
    ir_store(ir, address, x, 1, 0);
}

static void toy_store_r0(IrBlock *ir, const uint8_t *code)
{
    IrVal address = ir_get(ir, REG(0), 8);
    IrVal x = ir_get(ir, REG(code[1]), 8);
    ir_store(ir, address, x, 1, 0);
}

static void toy_xadd(IrBlock *ir, const uint8_t *code)
{
    IrVal address = ir_const(ir, TOY_DATA);
    IrVal x = ir_get(ir, REG(code[1]), 8);
    ir_atomic(ir, IR_XADD8, address, x, 8, 0);
}

static void toy_fault(IrBlock *ir, const uint8_t *code)
{
    IrVal address = ir_const(ir, TOY_FAULT);
    ir_load(ir, address, 1, 0);
}

static void toy_interrupt(IrBlock *ir, const uint8_t *code)
{
    ir_call(ir, 1, 0, 0, 0);
}

static const struct {
    char opcode;
    unsigned length;
    void (*rule)(IrBlock *ir, const uint8_t *code); /* NULL: ends the block */
} insns[] = {
    { 'i', 2, toy_inc },   { 'k', 3, toy_const },     { 'l', 3, toy_load },
    { 's', 3, toy_store }, { 'S', 2, toy_store_r0 },  { 'x', 2, toy_xadd },
    { 'f', 1, toy_fault }, { 'j', 2, NULL },          { 'z', 3, NULL },
    { 'r', 1, NULL },      { 'n', 1, toy_interrupt }, { 'h', 1, NULL },
};

static void toy_end(IrBlock *ir, const uint8_t *code, unsigned next)
{
    IrVal x;

    switch (code[0]) {
    case 'j':
        ir_exit(ir, 0, (int64_t)next + (int8_t)code[1]);
        break;
    case 'z':
        x = ir_get(ir, REG(code[1]), 8);
        ir_exit_if(ir, x, 0, (int64_t)next + (int8_t)code[2]);
        ir_exit(ir, 1, next);
        break;
    case 'r':
        x = ir_get(ir, REG(0), 8);
        ir_exit_indirect(ir, x);
        break;
    default:
        x = ir_pc(ir, next);
        ir_call(ir, 0, x, 0, 0);
        ir_exit_state(ir);
    }
}

static unsigned find_insn(uint8_t opcode)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(insns); i++) {
        if (insns[i].opcode == opcode) {
            return i;
        }
    }
    return G_N_ELEMENTS(insns) - 1; /* whatever else: halt */
}

static TranslateResult translate(DbtCpu *cpu, const GuestCode *code, IrBlock *ir)
{
    unsigned at = 0;

    for (;;) {
        unsigned n = find_insn(*guest_code_at(code, (int)at));
        unsigned next = at + insns[n].length;
        if (next > code->page_left && at > 0) {
            ir_exit(ir, 1, at);
            break;
        }
        if (next > code->length) {
            return TRANSLATE_MORE;
        }
        ir_insn(ir, (int)at);
        ir->guest_bytes = next;
        if (!insns[n].rule) {
            toy_end(ir, guest_code_at(code, (int)at), next);
            break;
        }
        insns[n].rule(ir, guest_code_at(code, (int)at));
        at = next;
        if (!ir_has_room(ir) || ir->n_insns >= code->max_insns || at >= code->page_left) {
            ir_exit(ir, 1, at);
            break;
        }
    }
    return TRANSLATE_OK;
}

static uint32_t context_key(const DbtCpu *cpu)
{
    return 0;
}

static bool walk(DbtCpu *cpu, uint64_t gva, MmuAccess access, unsigned mmu, bool probe,
                 MmuPage *ret_page)
{
    if (gva / TOY_ALIAS < TOY_ALIASES) {
        gva %= TOY_ALIAS;
    }
    if (gva >= TOY_FAULT) {
        if (!probe) {
            ((ToyCpu *)cpu)->fault_kind = 1 + access;
            cpu->fault = FAULT_EXCEPTION;
        }
        return false;
    }
    ToyCpu *toy = (ToyCpu *)cpu;
    toy->walks++;
    if (gva - TOY_SWAP < 2 * PAGE_SIZE && !toy->straight) {
        gva ^= PAGE_SIZE;
    }
    *ret_page = (MmuPage){ .gpa = align_down(gva, PAGE_SIZE),
                           .size = PAGE_SIZE,
                           .writable = true,
                           .executable = true,
                           .global = toy->global };
    return true;
}

static void misaligned(DbtCpu *cpu, uint64_t gva, unsigned mmu)
{
    cpu->fault = FAULT_EXCEPTION;
}

static void deliver(DbtCpu *cpu)
{
    cpu->halted = true;
}

static void poll(DbtCpu *cpu)
{
    ToyCpu *toy = (ToyCpu *)cpu;

    if (toy->woken) {
        cpu->halted = false;
    }
    if (toy->interrupt_to) {
        cpu->pc = toy->interrupt_to;
        toy->interrupt_to = 0;
    }
}

static bool mmio(DbtCpu *cpu, uint64_t gpa, unsigned size, bool write, uint64_t *value)
{
    return false;
}

static bool watches_page(const DbtCpu *cpu, uint64_t gva_page)
{
    return false;
}

static void watch(DbtCpu *cpu, uint64_t gva, unsigned size, MmuAccess access)
{
}

static void debug_changed(DbtCpu *cpu)
{
}

static const char *state_name(unsigned offset)
{
    static const char *const names[] = { "r0", "r1", "r2", "r3" };
    unsigned at = offset - REG(0);

    return at < sizeof(((ToyCpu *)NULL)->r) ? names[at / 8] : NULL;
}

static const StateField fields[] = {
    { "r", REG(0), 8, 4, false },
    { "fault_kind", (unsigned)offsetof(ToyCpu, fault_kind), sizeof(unsigned), 1, true },
    { 0 },
};

const GuestIsa toy_isa = {
    .name = "toy",
    .cpu_size = sizeof(ToyCpu),
    .helpers = helpers,
    .n_helpers = G_N_ELEMENTS(helpers),
    .names = { .state = state_name },
    .fields = fields,
    .context_key = context_key,
    .translate = translate,
    .walk = walk,
    .misaligned = misaligned,
    .deliver = deliver,
    .poll = poll,
    .watch = watch,
    .watches_page = watches_page,
    .mmio = mmio,
    .debug_changed = debug_changed,
};
