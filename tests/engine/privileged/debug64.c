/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's own debugging, 64-bit kernel: single step, breakpoints, watchpoints, DR6 and DR7.
 *
 * Reference: SDM 3, 18.2 and 18.3.
 */
#include "kernel64.h"

#define DR6_CLEAR 0xffff0ff0UL
#define DR6_BS    0x4000UL
#define DR6_BD    0x2000UL

#define SET_TF "pushfq; or qword ptr [rsp], 0x100; popfq; "

/* ---- single step ---- */

CODE(code_step, SET_TF "inc eax; step_second: inc eax");
CODE(code_step_rep_last, "lea rdi, [rip + scratch]; mov ecx, 1; cld; " SET_TF "rep stosb; nop");
CODE(code_step_rep, "lea rdi, [rip + scratch]; mov ecx, 5; cld; " SET_TF "step_rep: rep stosb");
CODE(code_step_mov_ss, "mov ecx, ss; " SET_TF "mov ss, ecx; inc eax; step_after: inc eax");
CODE(code_step_ud2, SET_TF "ud2");
CODE(code_step_int, SET_TF "int 0x81; inc eax; step_behind: inc eax");
CODE(code_step_int3, SET_TF "int3");
CODE(code_step_clear, "push 2; " SET_TF "popfq; step_cleared: nop");
CODE(code_step_cpuid, "xor eax, eax; " SET_TF "cpuid; step_cpuid: nop");
CODE(code_step_out, "mov edx, 0xea; " SET_TF "out dx, al; step_out: nop");
CODE(code_step_rdmsr, "mov ecx, 0xc0000080; " SET_TF "rdmsr; step_rdmsr: nop");
CODE(code_step_cr, SET_TF "mov rax, cr3; step_cr: nop");
CODE(code_step_wrmsr, "mov ecx, 0x277; rdmsr; " SET_TF "wrmsr; step_wrmsr: nop");
CODE(code_step_mmio, "mov eax, 0xfee00030; " SET_TF "mov ecx, [rax]; step_mmio: nop");
CODE(code_step_jump, SET_TF "jmp step_jumped; ud2; step_jumped: nop");
CODE(code_step_syscall, SET_TF "syscall");

extern const char step_second[], step_rep[], step_after[], step_behind[], step_cleared[],
    step_cpuid[], step_out[], step_rdmsr[], step_cr[], step_wrmsr[], step_mmio[], step_jumped[];

/* DR6 and rip of a single step. */
static void expect_step(const char *name, const char *code, const char *at)
{
    int got = try_kernel(code, 0);
    word rip = caught.rip;

    if (got == DB && (caught.dr6 & (DR6_BS | 0xf)) != DR6_BS) {
        rip = caught.dr6;
    }
    if (got != DB) {
        expect(name, got, DB);
    } else {
        expect_value(name, rip, (word)at);
    }
}

static void count_entry(Frame *frame)
{
    scratch[1]++;
    scratch[2] = frame->rflags;
}

static void single_step(void)
{
    expect_step("step: the instruction behind POPF runs", code_step, step_second);
    try_kernel(code_step, 0);
    expect_value("step: DR6", caught.dr6, DR6_CLEAR | DR6_BS);
    try_kernel(code_step, 0);
    expect_value("step: the pushed flags have TF, no RF", caught.rflags & (FLAG_TF | FLAG_RF),
                 FLAG_TF);
    expect_step("step: REP stops after one", code_step_rep, step_rep);
    try_kernel(code_step_rep, 0);
    expect_value("step: REP stops after one: RCX", caught.gpr[1], 4);
    expect_value("step: between repetitions RF is pushed", caught.rflags & FLAG_RF, FLAG_RF);
    try_kernel(code_step_rep_last, 0);
    expect_value("step: behind the last repetition it isn't", caught.rflags & FLAG_RF, 0);
    expect_step("step: MOV SS shadows", code_step_mov_ss, step_after);
    expect("step: a fault comes first", try_kernel(code_step_ud2, 0), UD);
    try_kernel(code_step_ud2, 0);
    expect_value("step: a fault pushes TF", caught.rflags & FLAG_TF, FLAG_TF);
    hook(0x81, count_entry);
    scratch[1] = scratch[2] = 0;
    expect_step("step: INT n runs its handler unseen", code_step_int, step_behind);
    hook(0x81, count_entry);
    scratch[1] = scratch[2] = 0;
    try_kernel(code_step_int, 0);
    expect_value("step: INT n pushes TF", scratch[1] << 16 | (scratch[2] & FLAG_TF),
                 1 << 16 | FLAG_TF);
    expect("step: INT3", try_kernel(code_step_int3, 0), BP);
    expect_step("step: POPF that clears TF still traps", code_step_clear, step_cleared);
    expect_step("step: CPUID", code_step_cpuid, step_cpuid);
    expect_step("step: OUT", code_step_out, step_out);
    expect_step("step: RDMSR", code_step_rdmsr, step_rdmsr);
    expect_step("step: WRMSR", code_step_wrmsr, step_wrmsr);
    expect_step("step: MOV from CR3", code_step_cr, step_cr);
    expect_step("step: a device's register", code_step_mmio, step_mmio);
    expect_step("step: a jump", code_step_jump, step_jumped);
    expect("step: in ring 3", try_user(code_step, 0), DB);
}

/* SYSCALL with FMASK clearing TF: no trap inside; without: after the first instruction. */
CODE(trace_entry, "nop; mov rsp, [rip + saved_rsp]; sub rsp, 256; int 0x82");

static void step_into_kernel(void)
{
    wrmsr(0xc0000081, (uint64_t)(UCODE32 & ~3) << 48 | (uint64_t)KCODE << 32);
    wrmsr(0xc0000082, (word)trace_entry);
    wrmsr(0xc0000084, FLAG_TF);
    expect("step: SYSCALL with TF masked", try_user(code_step_syscall, 0), INT(0x82));
}

/* ---- breakpoints ---- */

#define DR7_G(n)              (2UL << (n)*2)
#define DR7_FIELD(n, rw, len) ((word)((rw) | (len) << 2) << (16 + (n)*4))

enum { EXECUTE, WRITES, PORTS, ACCESSES };
enum { ONE, TWO, EIGHT, FOUR };

static void point(unsigned n, word gva, unsigned rw, unsigned len)
{
    switch (n) {
    case 0:
        WRITE_DR(0, gva);
        break;
    case 1:
        WRITE_DR(1, gva);
        break;
    case 2:
        WRITE_DR(2, gva);
        break;
    default:
        WRITE_DR(3, gva);
    }
    WRITE_DR(7, READ_DR(7) | DR7_G(n) | DR7_FIELD(n, rw, len));
}

CODE(code_watched, "lea rdi, [rip + scratch]; mov eax, [rdi + 64]; watch_read: nop; "
                   "mov [rdi + 64], eax; watch_write: nop; mov byte ptr [rdi + 71], 1; "
                   "watch_byte: nop; push rax; pop rax; inc eax");
CODE(code_break, "nop; break_here: inc eax; nop; nop");
CODE(code_break_rep, "lea rdi, [rip + scratch]; mov ecx, 3; cld; mov rsi, rdi; rep lodsq");
CODE(code_break_port, "mov edx, 0xea; xor eax, eax; out dx, al; break_port: nop");
CODE(code_resume, "xor ecx, ecx; push 0x10; lea rax, [rsp + 8]; push rax; push 0x10002; push 8; "
                  "lea rax, [rip + resume_here]; push rax; iretq; resume_here: inc ecx; "
                  "jmp resume_here");
extern const char watch_read[], watch_write[], watch_byte[], break_here[], break_port[],
    resume_here[];

/* DR6 may also name points that match and aren't enabled. */
static void expect_point(const char *name, const char *code, const char *at, word dr6)
{
    word enabled = 0;
    for (unsigned n = 0; n < 4; n++) {
        enabled |= (READ_DR(7) & DR7_G(n)) ? 1UL << n : 0;
    }
    int got = try_kernel(code, 0);

    if (got != DB) {
        expect(name, got, DB);
    } else {
        expect_value(name, caught.rip << 16 | (caught.dr6 & (0xf000 | enabled)),
                     (word)at << 16 | dr6);
    }
}

static void points(void)
{
    point(0, (word)break_here, EXECUTE, ONE);
    expect_point("breakpoint: before the instruction", code_break, break_here, 1);
    point(3, (word)break_here, EXECUTE, ONE);
    expect_point("breakpoint: by DR3", code_break, break_here, 8);
    point(0, (word)break_here, EXECUTE, ONE);
    WRITE_DR(7, READ_DR(7) & ~DR7_G(0));
    expect("breakpoint: not enabled", try_kernel(code_break, 0), NONE);
    point(0, (word)break_here, EXECUTE, ONE);
    WRITE_DR(7, (READ_DR(7) & ~DR7_G(0)) | 1);
    expect("breakpoint: by its local bit", try_kernel(code_break, 0), DB);
    point(1, (word)break_here + 1, EXECUTE, ONE);
    expect("breakpoint: not at the instruction's start", try_kernel(code_break, 0), NONE);
    point(0, (word)resume_here, EXECUTE, ONE);
    try_kernel(code_resume, 0);
    expect_value("RF lets the instruction run once", caught.gpr[1], 1);
    point(1, (word)scratch + 64, WRITES, FOUR);
    expect_point("watchpoint: a write, behind it", code_watched, watch_write, 2);
    point(1, (word)scratch + 64, ACCESSES, FOUR);
    expect_point("watchpoint: a read, behind it", code_watched, watch_read, 2);
    point(2, (word)scratch + 71, WRITES, ONE);
    expect_point("watchpoint: a byte", code_watched, watch_byte, 4);
    point(2, (word)scratch + 64, WRITES, EIGHT);
    WRITE_DR(3, (word)scratch + 64);
    expect_point("watchpoint: 8 bytes", code_watched, watch_write, 4);
    point(0, (word)scratch + 66, WRITES, TWO);
    expect_point("watchpoint: part of the write", code_watched, watch_write, 1);
    point(0, (word)scratch + 68, WRITES, TWO);
    expect("watchpoint: beside the write", try_kernel(code_watched, 0), NONE);
    point(0, (word)scratch + 64, WRITES, FOUR);
    point(1, (word)scratch + 64, WRITES, ONE);
    expect_point("watchpoint: two at once", code_watched, watch_write, 3);
    point(0, (word)scratch + 8, ACCESSES, EIGHT);
    int got = try_kernel(code_break_rep, 0);
    expect_value("watchpoint: inside REP", got == DB ? caught.gpr[1] : 99, 1);
    point(0, (word)scratch + 64, WRITES, FOUR);
    expect("watchpoint: from ring 3, by another address", try_user(code_watched, 0), NONE);
    point(0, user(scratch) + 64, WRITES, FOUR);
    expect("watchpoint: from ring 3", try_user(code_watched, 0), DB);
    WRITE_CR(4, defaults.cr4 | CR4_DE);
    point(0, 0xea, PORTS, ONE);
    expect_point("port breakpoint, behind it", code_break_port, break_port, 1);
    point(0, (word)break_here, EXECUTE, ONE);
    hook(1, count_entry);
    WRITE_DR(7, 0x400);
    expect("breakpoint: taken back", try_kernel(code_break, 0), NONE);
}

/* ---- the registers themselves ---- */

CASE(debug_registers, "DR6 above 32 bits", KERNEL, GP(0), "mov rax, 0x100000000; mov dr6, rax");
CASE(debug_registers, "DR7 above 32 bits", KERNEL, GP(0), "mov rax, 0x100000400; mov dr7, rax");
CASE(debug_registers, "DR0 takes 64 bits", KERNEL, NONE, "mov rax, -1; mov dr0, rax");
CASE(debug_registers, "DR4 without DE is DR6", KERNEL, NONE, ".byte 0x0f, 0x21, 0xe0");
CASE(debug_registers, "DR5 without DE is DR7", KERNEL, NONE, ".byte 0x0f, 0x21, 0xe8");
CASE(debug_registers, "GD guards MOV from DR7", KERNEL, DB,
     "mov eax, 0x2400; mov dr7, rax; mov rax, dr7");
CASE(debug_registers, "GD guards MOV to DR0", KERNEL, DB,
     "mov eax, 0x2400; mov dr7, rax; mov dr0, rax");
CASE(with_de, "DR4 with DE", KERNEL, UD, ".byte 0x0f, 0x21, 0xe0");
CASE(with_de, "DR5 with DE", KERNEL, UD, ".byte 0x0f, 0x23, 0xe8");

CODE(code_gd, "mov eax, 0x2400; mov dr7, rax; gd_here: mov rax, dr0");
extern const char gd_here[];
extern const char kernel_done[];
static word seen_dr7;

static void note_dr7(Frame *frame)
{
    seen_dr7 = READ_DR(7);
    frame->rip = (word)kernel_done;
}

static void set_de(void)
{
    WRITE_CR(4, defaults.cr4 | CR4_DE);
}

static void debug_values(void)
{
    WRITE_DR(6, 0);
    expect_value("DR6 has fixed ones", READ_DR(6) & 0xffffeff0, 0xffff0ff0 & 0xffffeff0);
    WRITE_DR(7, 0);
    expect_value("DR7 has a fixed one", READ_DR(7), 0x400);
    try_kernel(code_gd, 0);
    expect_value("GD: DR6 says BD, rip is the MOV", caught.rip << 16 | (caught.dr6 & 0xf00f),
                 (word)gd_here << 16 | DR6_BD);
    hook(1, note_dr7);
    try_kernel(code_gd, 0);
    expect_value("GD is off in the handler", seen_dr7 & 0x2000, 0);
}

void cases_debug(void)
{
    single_step();
    step_into_kernel();
    points();
    RUN_ROWS(debug_registers, 0);
    RUN_ROWS(with_de, set_de);
    debug_values();
}
