/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What instructions raise, 64-bit kernel: canonical addresses, privilege, undefined opcodes,
 * prefixes, alignment, division.
 */
#include "kernel64.h"

/* ---- addresses that are not canonical: #GP, by the stack segment #SS ---- */

#define NC "bts rax, 63; "

CASE(canonical, "read", KERNEL, GP(0), NC "mov rcx, [rax]");
CASE(canonical, "write", KERNEL, GP(0), NC "mov [rax], rcx");
CASE(canonical, "read by RSP", KERNEL, SS(0),
     "mov rdx, rsp; mov rsp, 0x8000000000000000; mov rcx, [rsp]");
CASE(canonical, "read by RBP", KERNEL, SS(0), "mov rbp, 0x8000000000000000; mov rcx, [rbp]");
CASE(canonical, "POP", KERNEL, SS(0), "mov rsp, 0x8000000000000000; pop rax");
CASE(canonical, "LEAVE", KERNEL, SS(0), "mov rbp, 0x8000000000000000; leave");
CASE(canonical, "JMP", KERNEL, GP(0), "mov rax, 0x8000000000000000; jmp rax");
CASE(canonical, "CALL", KERNEL, GP(0), "mov rax, 0x8000000000000000; call rax");
CASE(canonical, "RET", KERNEL, GP(0), "mov rax, 0x8000000000000000; push rax; ret");
CASE(canonical, "LEA raises nothing", KERNEL, NONE, NC "lea rcx, [rax]");
CASE(canonical, "NOP with an operand raises nothing", KERNEL, NONE, NC "nop qword ptr [rax]");
CASE(canonical, "PREFETCH raises nothing", KERNEL, NONE, NC "prefetcht0 [rax]");
CASE(canonical, "CLFLUSH", KERNEL, GP(0), NC "clflush [rax]");
CASE(canonical, "first address that is not", KERNEL, GP(0),
     "mov rax, 0x800000000000; mov cl, [rax]");
CASE(canonical, "last address that is", KERNEL, PF(0), "mov rax, 0x7fffffffffff; mov cl, [rax]");
CASE(canonical, "first of the upper half", KERNEL, PF(0),
     "mov rax, 0xffff800000000000; mov cl, [rax]");
CASE(canonical, "LODS", KERNEL, GP(0), "mov rsi, 0x8000000000000000; lodsb");
CASE(canonical, "STOS", KERNEL, GP(0), "mov rdi, 0x8000000000000000; stosb");
CASE(canonical, "REP STOS of nothing", KERNEL, NONE,
     "mov rdi, 0x8000000000000000; xor ecx, ecx; rep stosb");
CASE(canonical, "FS base makes it so", KERNEL, GP(0),
     "mov ecx, 0xc0000100; mov edx, 0x7fff; mov eax, 0xffffffff; wrmsr; mov al, fs:[1]");
CASE(canonical, "user read", USER, GP(0), NC "mov rcx, [rax]");
CASE(canonical, "RET in ring 3", USER, GP(0), "mov rax, 0x8000000000000000; push rax; ret");
CASE(canonical, "LGDT base", KERNEL, GP(0),
     "mov rax, 0x8000000000000000; push rax; push rax; mov word ptr [rsp + 6], 0xff; "
     "lgdt [rsp + 6]");
CASE(canonical, "LIDT base", KERNEL, GP(0),
     "mov rax, 0x8000000000000000; push rax; push rax; mov word ptr [rsp + 6], 0xff; "
     "lidt [rsp + 6]");

/* ---- what ring 3 may not ---- */

CASE(privilege, "HLT", USER, GP(0), "hlt");
CASE(privilege, "CLI", USER, GP(0), "cli");
CASE(privilege, "STI", USER, GP(0), "sti");
CASE(privilege, "LGDT", USER, GP(0), "lgdt [rsp]");
CASE(privilege, "LIDT", USER, GP(0), "lidt [rsp]");
CASE(privilege, "LLDT", USER, GP(0), "xor eax, eax; lldt ax");
CASE(privilege, "LTR", USER, GP(0), "xor eax, eax; ltr ax");
CASE(privilege, "LMSW", USER, GP(0), "mov eax, 1; lmsw ax");
CASE(privilege, "CLTS", USER, GP(0), "clts");
CASE(privilege, "INVD", USER, GP(0), "invd");
CASE(privilege, "WBINVD", USER, GP(0), "wbinvd");
CASE(privilege, "INVLPG", USER, GP(0), "invlpg [rsp]");
CASE(privilege, "RDMSR", USER, GP(0), "mov ecx, 0x10; rdmsr");
CASE(privilege, "WRMSR", USER, GP(0), "mov ecx, 0xc0000100; wrmsr");
CASE(privilege, "MOV from CR0", USER, GP(0), "mov rax, cr0");
CASE(privilege, "MOV to CR3", USER, GP(0), "mov cr3, rax");
CASE(privilege, "MOV from CR8", USER, GP(0), "mov rax, cr8");
CASE(privilege, "MOV from DR0", USER, GP(0), "mov rax, dr0");
CASE(privilege, "MOV to DR7", USER, GP(0), "mov dr7, rax");
CASE(privilege, "SWAPGS", USER, GP(0), "swapgs");
CASE(privilege, "SYSRET", USER, GP(0), "sysretq");
CASE(privilege, "IN", USER, GP(0), "mov edx, 0x80; in al, dx");
CASE(privilege, "OUT", USER, GP(0), "mov edx, 0x80; out dx, al");
CASE(privilege, "INS", USER, GP(0), "mov edx, 0x80; lea rdi, [rsp - 64]; insb");
CASE(privilege, "OUTS", USER, GP(0), "mov edx, 0x80; mov rsi, rsp; outsb");
CASE(privilege, "REP OUTS of nothing", USER, GP(0),
     "mov edx, 0x80; xor ecx, ecx; mov rsi, rsp; rep outsb");
CASE(privilege, "RDPMC without PCE", USER, GP(0), "xor ecx, ecx; rdpmc");
CASE(privilege, "RDTSC", USER, NONE, "rdtsc");
CASE(privilege, "CPUID", USER, NONE, "push rbx; xor eax, eax; cpuid; pop rbx");
CASE(privilege, "SGDT", USER, NONE, "sgdt [rsp - 64]");
CASE(privilege, "SMSW", USER, NONE, "smsw ax");
CASE(privilege, "STR", USER, NONE, "str ax");

CASE(tsd, "RDTSC with TSD in ring 3", USER, GP(0), "rdtsc");
CASE(tsd, "RDTSC with TSD in ring 0", KERNEL, NONE, "rdtsc");

CASE(umip, "SGDT with UMIP", USER, GP(0), "sgdt [rsp - 64]");
CASE(umip, "SIDT with UMIP", USER, GP(0), "sidt [rsp - 64]");
CASE(umip, "SLDT with UMIP", USER, GP(0), "sldt ax");
CASE(umip, "STR with UMIP", USER, GP(0), "str ax");
CASE(umip, "SMSW with UMIP", USER, GP(0), "smsw ax");
CASE(umip, "SGDT with UMIP in ring 0", KERNEL, NONE, "sgdt [rsp - 64]");

/* Handlers of #SS and #GP get a stack of their own: RSP may be what is bad. */
static void give_stack(void)
{
    set_gate(12, stub(12), KCODE, 0x8e, 1);
    set_gate(13, stub(13), KCODE, 0x8e, 1);
}

static void set_tsd(void)
{
    WRITE_CR(4, defaults.cr4 | CR4_TSD);
}

static void set_umip(void)
{
    WRITE_CR(4, defaults.cr4 | CR4_UMIP);
}

/* ---- ports by I/O bitmap and IOPL ---- */

CODE(code_in80, "mov edx, 0x80; in al, dx");
CODE(code_inw80, "mov edx, 0x80; in ax, dx");
CODE(code_inffff, "mov edx, 0xffff; in al, dx");

/* Return to ring 3 with IOPL 3: INT 81h does it. */
static void give_iopl(Frame *frame)
{
    frame->rflags |= 3 << 12;
}

CODE(code_iopl_in, "int 0x81; mov edx, 0x80; in al, dx");
CODE(code_iopl_cli, "int 0x81; cli; sti; pushfq; pop rax; cli");
CODE(code_iopl_popf, "push 0x3202; popfq; pushfq; pop rax");
CODE(code_iopl3_popf, "int 0x81; push 0x202; popfq; pushfq; pop rcx; mov rax, rcx; cli");

static void allow_iopl(void)
{
    set_gate(0x81, stub(0x81), KCODE, 0xee, 0);
    hook(0x81, give_iopl);
}

static void ports(void)
{
    tss[0x68 + 0x80 / 8] = 0xfe;
    expect("IN allowed by the bitmap", try_user(code_in80, 0), NONE);
    tss[0x68 + 0x80 / 8] = 0xfe;
    expect("IN of two ports, one allowed", try_user(code_inw80, 0), GP(0));
    tss[0x68 + 0x80 / 8] = 0xfc;
    expect("IN of two ports, both allowed", try_user(code_inw80, 0), NONE);
    tss[0x68 + 0x80 / 8] = 0xfe;
    gdt[TSS_SEL / 8] = descriptor((uint32_t)(word)tss, 0x68 + 0x80 / 8, 0x89);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SEL));
    expect("IN whose second byte of bitmap is beyond the limit", try_user(code_in80, 0), GP(0));
    tss[0x68 + 0xffff / 8] = 0x7f;
    tss[0x68 + 0x2000] = 0xff;
    expect("IN of the last port", try_user(code_inffff, 0), NONE);
    tss[0x66] = 0xff;
    tss[0x67] = 0xff;
    expect("IN with the bitmap beyond the limit", try_user(code_in80, 0), GP(0));
    allow_iopl();
    expect("IN with IOPL 3", try_user(code_iopl_in, 0), NONE);
    allow_iopl();
    expect("CLI and STI with IOPL 3", try_user(code_iopl_cli, 0), NONE);
    try_user(code_iopl_popf, 0);
    expect_value("POPF in ring 3 changes neither IOPL nor IF", caught.gpr[0] & 0x3200, 0);
    allow_iopl();
    try_user(code_iopl3_popf, 0);
    expect_value("POPF with IOPL 3 changes IF, not IOPL", caught.gpr[0] & 0x3200, 0x3200);
}

/* ---- undefined ---- */

CASE(undefined, "UD2", KERNEL, UD, "ud2");
CASE(undefined, "UD1", KERNEL, UD, ".byte 0x0f, 0xb9, 0xc0");
CASE(undefined, "UD0", KERNEL, UD, ".byte 0x0f, 0xff, 0xc0");
CASE(undefined, "PUSH ES", KERNEL, UD, ".byte 0x06");
CASE(undefined, "POP DS", KERNEL, UD, ".byte 0x1f");
CASE(undefined, "DAA", KERNEL, UD, ".byte 0x27");
CASE(undefined, "AAA", KERNEL, UD, ".byte 0x37");
CASE(undefined, "PUSHA", KERNEL, UD, ".byte 0x60");
CASE(undefined, "POPA", KERNEL, UD, ".byte 0x61");
CASE(undefined, "opcode 82", KERNEL, UD, ".byte 0x82, 0xc0, 0x00");
CASE(undefined, "CALL far direct", KERNEL, UD, ".byte 0x9a, 0, 0, 0, 0, 8, 0");
CASE(undefined, "JMP far direct", KERNEL, UD, ".byte 0xea, 0, 0, 0, 0, 8, 0");
CASE(undefined, "INTO", KERNEL, UD, ".byte 0xce");
CASE(undefined, "AAM", KERNEL, UD, ".byte 0xd4, 0x0a");
CASE(undefined, "AAD", KERNEL, UD, ".byte 0xd5, 0x0a");
CASE(undefined, "SALC", KERNEL, UD, ".byte 0xd6");
CASE(undefined, "MOV to CS", KERNEL, UD, ".byte 0x8e, 0xc8");
CASE(undefined, "MOV from segment 6", KERNEL, UD, ".byte 0x8c, 0xf0");
CASE(undefined, "MOV from CR1", KERNEL, UD, ".byte 0x0f, 0x20, 0xc8");
CASE(undefined, "MOV to CR5", KERNEL, UD, ".byte 0x0f, 0x22, 0xe8");
CASE(undefined, "MOV from CR15", KERNEL, UD, ".byte 0x44, 0x0f, 0x20, 0xf8");
CASE(undefined, "LEA of a register", KERNEL, UD, ".byte 0x8d, 0xc0");
CASE(undefined, "LGDT of a register", KERNEL, UD, ".byte 0x0f, 0x01, 0xd7");
CASE(undefined, "CMPXCHG8B of a register", KERNEL, UD, ".byte 0x0f, 0xc7, 0xc8");
CASE(undefined, "group FE /2", KERNEL, UD, ".byte 0xfe, 0xd0");
CASE(undefined, "group FF /7", KERNEL, UD, ".byte 0xff, 0xf8");
CASE(undefined, "CALL far of a register", KERNEL, UD, ".byte 0xff, 0xd8");
CASE(undefined, "LOCK MOV", KERNEL, UD, ".byte 0xf0, 0x89, 0x04, 0x24");
CASE(undefined, "LOCK ADD to a register", KERNEL, UD, ".byte 0xf0, 0x01, 0xc0");
CASE(undefined, "LOCK ADD from memory", KERNEL, UD, ".byte 0xf0, 0x03, 0x04, 0x24");
CASE(undefined, "LOCK CMP", KERNEL, UD, ".byte 0xf0, 0x39, 0x04, 0x24");
CASE(undefined, "LOCK NOP", KERNEL, UD, ".byte 0xf0, 0x90");
CASE(undefined, "LOCK BT", KERNEL, UD, ".byte 0xf0, 0x0f, 0xa3, 0x04, 0x24");
CASE(undefined, "LOCK SHL", KERNEL, UD, ".byte 0xf0, 0xd1, 0x24, 0x24");
CASE(undefined, "LOCK ADD to memory", KERNEL, NONE, "push rax; lock add [rsp], rax; pop rax");
CASE(undefined, "15 bytes", KERNEL, NONE,
     ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
CASE(undefined, "16 bytes", KERNEL, GP(0),
     ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90");
CASE(undefined, "undefined before privilege", USER, UD, ".byte 0xf0, 0xf4");
CASE(undefined, "VMCALL-like group 0F 01 without a meaning", KERNEL, UD, ".byte 0x0f, 0x01, 0xef");
CASE(undefined, "RSM", KERNEL, UD, "rsm");
CASE(undefined, "XCHG with a segment of LES form", KERNEL, UD, ".byte 0xc5, 0xc0, 0xff, 0xc0");
CASE(undefined, "privileged in ring 3, MOV from CR1", USER, UD, ".byte 0x0f, 0x20, 0xc8");

/* ---- arithmetic, alignment ---- */

CASE(arithmetic, "DIV by zero", KERNEL, DE, "xor ecx, ecx; div ecx");
CASE(arithmetic, "DIV overflow", KERNEL, DE, "mov edx, 1; xor eax, eax; mov ecx, 1; div ecx");
CASE(arithmetic, "IDIV of the least by minus one", KERNEL, DE,
     "mov edx, 0xffffffff; mov eax, 0x80000000; mov ecx, -1; idiv ecx");
CASE(arithmetic, "DIV of bytes, overflow", KERNEL, DE, "mov ax, 0x200; mov cl, 1; div cl");
CASE(arithmetic, "64-bit DIV overflow", KERNEL, DE,
     "mov rdx, 5; xor eax, eax; mov rcx, 5; div rcx");
CASE(arithmetic, "user DIV by zero", USER, DE, "xor ecx, ecx; div ecx");

#define WITH_AC "push 0x40002; popfq; "
CASE(alignment, "aligned in ring 3", USER, NONE, WITH_AC "mov rax, [rsp - 64]");
CASE(alignment, "unaligned in ring 3", USER, AC, WITH_AC "mov rax, [rsp - 63]");
CASE(alignment, "unaligned word in ring 3", USER, AC, WITH_AC "mov ax, [rsp - 63]");
CASE(alignment, "byte in ring 3", USER, NONE, WITH_AC "mov al, [rsp - 63]");
CASE(alignment, "unaligned write in ring 3", USER, AC, WITH_AC "mov [rsp - 62], eax");
CASE(alignment, "unaligned PUSH in ring 3", USER, AC, WITH_AC "dec rsp; push rax");
CASE(alignment, "unaligned in ring 0", KERNEL, NONE, WITH_AC "mov rax, [rsp - 63]; push 2; popfq");
CASE(alignment, "unaligned without AC", USER, NONE, "mov rax, [rsp - 63]");
CASE(no_alignment, "unaligned with AC, no AM", USER, NONE, WITH_AC "mov rax, [rsp - 63]");

static void set_am(void)
{
    WRITE_CR(0, defaults.cr0 | CR0_AM);
}

CODE(code_over_edge, "mov rax, [rdi]");

/* The last page below the hole is there, so only the hole can be wrong. */
static void over_the_edge(void)
{
    pml4[255] = (word)pdpt | 7;
    pdpt[511] = (word)pd_test | 7;
    pd_test[511] = (word)pt_test | 7;
    pt_test[511] = (word)scratch | PTE_P | PTE_W;
    flush_tlb();
    expect("last bytes that are canonical", try_kernel(code_over_edge, 0x7ffffffffff8), NONE);
    pml4[255] = (word)pdpt | 7;
    pdpt[511] = (word)pd_test | 7;
    pd_test[511] = (word)pt_test | 7;
    pt_test[511] = (word)scratch | PTE_P | PTE_W;
    flush_tlb();
    expect("over the edge", try_kernel(code_over_edge, 0x7ffffffffffc), GP(0));
}

void cases_faults(void)
{
    RUN_ROWS(canonical, give_stack);
    over_the_edge();
    RUN_ROWS(privilege, 0);
    RUN_ROWS(tsd, set_tsd);
    if (cpuid(7, 0).c & 4) {
        RUN_ROWS(umip, set_umip);
    } else {
        skip("UMIP", "not in this CPU model");
    }
    ports();
    RUN_ROWS(undefined, 0);
    RUN_ROWS(arithmetic, 0);
    RUN_ROWS(alignment, set_am);
    RUN_ROWS(no_alignment, 0);
}
